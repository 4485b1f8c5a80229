"""The operations of a document, in one form whatever its version: parameters, body, answer, each with its schema."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.openapi.document import HUB, METHODS, Document, Object, as_list, as_object, as_text
from connectors.openapi.swagger import swagger_answers, swagger_body, swagger_schema, swagger_style

Json = Any
"""Any JSON value."""

_STYLES: Final[Mapping[str, Sequence[str]]] = {
    "path": ("simple", "label", "matrix", "spaceDelimited", "pipeDelimited", "tabDelimited"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "tabDelimited", "deepObject"),
    "header": ("simple", "spaceDelimited", "pipeDelimited", "tabDelimited"),
    "cookie": ("form",),
}
"""What a place allows; the first is what it is when nothing is said. Source: OpenAPI 3.1.1 section 4.8.12."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter, and how its value is written; `media_type` is set where the value is a document of its own."""

    name: str
    place: str
    schema: Object
    required: bool
    style: str
    explode: bool
    allow_reserved: bool = False
    media_type: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a request carries, in the one of its media types that was chosen."""

    media_type: str
    schema: Object
    required: bool
    encoding: Object = field(default_factory=dict[str, Json])
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a success carries, in the one of its media types that was chosen; none is an answer without a body."""

    media_type: str = ""
    schema: Object | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation as the document describes it. `key` is its method and path, which no other has."""

    key: str
    method: str
    path: str
    operation_id: str
    summary: str
    description: str
    tags: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    body: Body | None
    answer: Answer
    servers: tuple[str, ...]
    scopes: tuple[str, ...]
    hub: Json = None


def operations_of(document: Document) -> Iterator[Operation]:
    """Yield every operation, in the document's order."""
    servers = server_urls(document, document.root)
    for path, item in document.path_items():
        for method in METHODS:
            if method not in item:
                continue
            said = as_object(item[method])
            own = server_urls(document, said) or server_urls(document, item) or servers
            yield _operation(document, path, method.upper(), {**said, "parameters": _merged(document, item, said)}, own)


def server_urls(document: Document, holder: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the URLs of the servers that `holder` names, their variables filled with what they are by default."""
    if document.version == "2.0":
        return _swagger_servers(document.root) if holder is document.root else ()
    found = list[str]()
    for server in map(as_object, as_list(holder.get("servers"))):
        url = as_text(server.get("url"))
        for name, variable in as_object(server.get("variables")).items():
            url = url.replace(f"{{{name}}}", str(as_object(variable).get("default", "")))
        found.append(url)
    return tuple(found)


def _swagger_servers(root: Mapping[str, Json]) -> tuple[str, ...]:
    base = as_text(root.get("basePath"))
    host = as_text(root.get("host"))
    schemes = [as_text(scheme) for scheme in as_list(root.get("schemes"))]
    scheme = "https" if "https" in schemes or not schemes else schemes[0]
    return (f"{scheme}://{host}{base}",) if host else (base,)


def _merged(document: Document, item: Object, said: Object) -> list[Object]:
    """Return the parameters of path and operation; of two with the same name and place the operation's counts."""
    found = dict[tuple[str, str], Object]()
    for one in (*as_list(item.get("parameters")), *as_list(said.get("parameters"))):
        parameter = document.resolved(one)
        if as_text(parameter.get("in")) and (as_text(parameter.get("name")) or parameter["in"] == "body"):
            found[str(parameter.get("name")), parameter["in"]] = parameter
        else:
            document.note("A parameter has no name or no place, and is left out.")
    return list(found.values())


def _operation(document: Document, path: str, method: str, said: Object, servers: tuple[str, ...]) -> Operation:
    parameters = [_parameter(document, one) for one in said["parameters"] if one["in"] in _STYLES]
    is_swagger = document.version == "2.0"
    return Operation(
        key=f"{method} {path}",
        method=method,
        path=path,
        operation_id=as_text(said.get("operationId")),
        summary=as_text(said.get("summary")),
        description=as_text(said.get("description")),
        tags=tuple(map(as_text, as_list(said.get("tags")))),
        parameters=tuple(parameters),
        body=_swagger_body(document, said) if is_swagger else _body(document, said),
        answer=_answer(document, said),
        servers=servers,
        scopes=_scopes(document, said),
        hub=said.get(HUB),
    )


def _parameter(document: Document, said: Object) -> Parameter:
    place = as_text(said["in"])
    media_type, content = next(iter(as_object(said.get("content")).items()), (None, None))
    schema = as_object(content).get("schema", {}) if media_type else said.get("schema")
    style, explode = as_text(said.get("style")), said.get("explode")
    if document.version == "2.0":
        schema = swagger_schema(said)
        style, explode = swagger_style(said, place)
    if style not in _STYLES[place]:
        if style:
            document.note(f"The style {style!r} is none for a parameter in {place}; it is taken for the usual one.")
        style = _STYLES[place][0]
    return Parameter(
        name=as_text(said["name"]),
        place=place,
        schema=as_object(schema),
        required=said.get("required") is True or place == "path",
        style=style,
        explode=explode if isinstance(explode, bool) else style == "form",
        allow_reserved=said.get("allowReserved") is True,
        media_type=media_type,
        description=as_text(said.get("description")),
    )


def _swagger_body(document: Document, said: Object) -> Body | None:
    found = swagger_body(document, said)
    if found is None:
        return None
    media_type, schema, required, encoding = found
    return Body(media_type=media_type, schema=schema, required=required, encoding=encoding)


def _body(document: Document, said: Object) -> Body | None:
    body = document.resolved(said.get("requestBody"))
    content = as_object(body.get("content"))
    if not content:
        return None
    media_type = chosen(content)
    described = document.resolved(content[media_type])
    return Body(
        media_type="application/json" if media_type in {"*/*", "application/*"} else media_type,
        schema=as_object(described.get("schema")),
        required=body.get("required") is True,
        encoding=as_object(described.get("encoding")),
        description=as_text(body.get("description")),
    )


def _answer(document: Document, said: Object) -> Answer:
    responses = as_object(said.get("responses"))
    for status in sorted(responses, key=lambda status: (status == "default", status.upper())):
        if not status.upper().startswith("2") and status != "default":
            continue
        response = document.resolved(responses[status])
        content = swagger_answers(document, said, response) if document.version == "2.0" else response.get("content")
        if as_object(content) and not (status == "default" and _has_success(responses)):
            media_type = chosen(as_object(content))
            schema = as_object(document.resolved(as_object(content)[media_type]).get("schema"))
            return Answer(media_type="application/json" if media_type == "*/*" else media_type, schema=schema)
    return Answer()


def _has_success(responses: Object) -> bool:
    return any(status.startswith("2") for status in responses)


def _scopes(document: Document, said: Object) -> tuple[str, ...]:
    """Return the scopes that the operation's first way to sign in asks for; a null among them says nothing."""
    asked = said.get("security", document.root.get("security"))
    first = as_object(next(iter(as_list(asked)), None))
    return tuple(dict.fromkeys(as_text(scope) for scopes in first.values() for scope in as_list(scopes) if scope))


def chosen(content: Mapping[str, Json]) -> str:
    """Return the media type that is spoken best: JSON before forms, forms before the rest."""
    return min(content, key=_preference)


def _preference(media_type: str) -> int:
    plain = media_type.partition(";")[0].strip().lower()
    order = ("application/json", "+json", "*/*", "application/x-www-form-urlencoded", "multipart/form-data", "text/")
    return next((rank for rank, part in enumerate(order) if part in plain), len(order))
