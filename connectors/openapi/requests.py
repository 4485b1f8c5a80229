"""One request, made of a binding and arguments; nothing in it is guessed."""

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, cast

from pydantic import ValidationError

from connectors.openapi.bodies import write_body
from connectors.openapi.document import as_list, as_object
from connectors.openapi.rules import DECIMAL
from connectors.openapi.serial import escaped, in_header, in_path, in_query, json_text
from connectors.sdk.errors import Refused
from connectors.sdk.wire import WireRequest

Json = Any
"""Any JSON value, in which a Decimal stands for a number of exactly those digits."""

_NOWHERE: Final = frozenset({"", ".", ".."})


def request_for(
    binding: Mapping[str, Json], schema: Mapping[str, Json], arguments: Mapping[str, Json], *, is_dry_run: bool = False
) -> WireRequest:
    """Return the request by which `binding` sends `arguments`, which `schema` describes.

    Raises:
        Refused: an argument cannot stand where it belongs.
    """
    values = {
        name: exact(value, as_object(schema["properties"].get(name)), schema) for name, value in arguments.items()
    }
    path, query, headers = str(binding["path"]), list[str](binding.get("query", [])), dict[str, str](binding["headers"])
    cookies = list[str]()
    for parameter in binding["parameters"]:
        if parameter["argument"] not in values:
            continue
        value = values[parameter["argument"]]
        match parameter["in"]:
            case "path":
                path = path.replace(f"{{{parameter['name']}}}", _segment(parameter, value))
            case "query":
                query += _in_query(parameter, value)
            case "cookie":
                cookies += in_query(parameter, value)
            case _:
                headers[str(parameter["name"]).lower()] = _in_header(parameter, value)
    if cookies:
        headers["cookie"] = "; ".join(cookies)
    if is_dry_run:
        query.append(f"{escaped(binding['dry_run'])}=true")
    return _request(binding, path, "&".join(query), headers, values)


def _request(
    binding: Mapping[str, Json], path: str, query: str, headers: dict[str, str], values: Mapping[str, Json]
) -> WireRequest:
    written = write_body(binding["body"], values) if binding.get("body") else None
    content: dict[str, Json] = {}
    if written is not None:
        headers["content-type"] = written.media_type
        content = _content(written.content)
    try:
        return WireRequest(
            method=binding["method"],
            path=path,
            encoded_query=query,
            headers=headers,
            wants_bytes=binding["answer"] == "bytes",
            **content,
        )
    except ValidationError as error:
        said = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise Refused(f"The request cannot be sent with these arguments: {said}. Nothing was sent.") from error


def _content(content: bytes) -> dict[str, Json]:
    try:
        return {"body": content.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(content).decode("ascii")}


def _segment(parameter: Mapping[str, Json], value: Json) -> str:
    text = escaped(json_text(value)) if parameter.get("media_type") else in_path(parameter, value)
    if text in _NOWHERE or "%2F" in text.upper() or "%5C" in text.upper():
        raise Refused(f"{parameter['argument']} cannot be empty, made of dots, or hold a slash. Nothing was sent.")
    return text


def _in_query(parameter: Mapping[str, Json], value: Json) -> list[str]:
    if parameter.get("media_type"):
        return [f"{escaped(parameter['name'])}={escaped(json_text(value))}"]
    return in_query(parameter, value)


def _in_header(parameter: Mapping[str, Json], value: Json) -> str:
    text = json_text(value) if parameter.get("media_type") else in_header(parameter, value)
    if not text.isascii() or not text.isprintable():
        raise Refused(f"{parameter['argument']} holds characters that no header can carry. Nothing was sent.")
    return text


def exact(value: Json, schema: Mapping[str, Json], root: Mapping[str, Json]) -> Json:
    """Return `value` with a number in the place of each text that stands for one, of exactly its digits."""
    said = _described(schema, root)
    if isinstance(value, str):
        return Decimal(value) if said.get("format") == DECIMAL["format"] and "pattern" in said else value
    if isinstance(value, list):
        items = as_object(said.get("items"))
        return [exact(item, items, root) for item in cast("list[Json]", value)]
    if isinstance(value, dict):
        known, others = as_object(said.get("properties")), as_object(said.get("additionalProperties"))
        members = cast("dict[str, Json]", value).items()
        return {name: exact(member, as_object(known.get(name, others)), root) for name, member in members}
    return value


def as_numbers(value: Json) -> Json:
    """Return `value` with plain numbers in the place of exact ones: for showing, never for sending."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list):
        return [as_numbers(item) for item in cast("list[Json]", value)]
    if isinstance(value, dict):
        return {name: as_numbers(member) for name, member in cast("dict[str, Json]", value).items()}
    return value


def _described(schema: Mapping[str, Json], root: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the schema itself, what it refers to, or what its alternatives say together."""
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return as_object(as_object(root.get("$defs")).get(reference.rpartition("/")[2]))
    branches = [_described(as_object(branch), root) for branch in as_list(schema.get("anyOf"))]
    if not branches:
        return schema
    properties: dict[str, Json] = {}
    for branch in branches:
        properties |= as_object(branch.get("properties"))
    return {"properties": properties}
