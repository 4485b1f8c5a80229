"""What a tool asks its caller for, and where each argument goes in the request."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.openapi.document import Object, as_list, as_object, as_text
from connectors.openapi.operations import Body, Operation, Parameter
from connectors.openapi.rules import short, types_of
from connectors.openapi.shapes import Detail, Shaper
from connectors.openapi.sharing import INPUT_BUDGET, fullest_fit
from connectors.sdk.wire import is_reserved

Json = Any
"""Any JSON value."""

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
_NOISE: Final = frozenset(
    {"accept", "accept-charset", "accept-encoding", "accept-language", "authorization", "content-type", "cookie"}
    | {"user-agent", "x-request-id", "x-correlation-id", "date", "traceparent", "tracestate", "x-api-version"}
)
"""Headers that belong to the request. Those that OpenAPI itself tells readers to ignore are among them."""
KEY_HEADERS: Final = frozenset({"idempotency-key", "x-idempotency-key", "idempotencykey", "x-idempotencykey"})
_DRY_RUNS: Final = frozenset({"validateonly", "dryrun"})
_CREDENTIALS: Final = frozenset({"accesstoken", "apikey", "oauthtoken", "authtoken", "clientsecret"})
_UNUSABLE: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_NOT_OFFERED: Final = frozenset({"accept", "authorization", "contenttype", "idempotencykey", "useragent", "xrequestid"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The input schema of a tool, and the binding that says where its arguments go."""

    schema: Object
    parameters: list[Object]
    fixed: Mapping[str, str]
    body: Object | None
    key_header: str | None
    dry_run: str | None


def plain_name(name: str) -> str:
    """Return `name` without the letters that some clients do not take in the name of an argument."""
    return _UNUSABLE.sub("_", name).strip("_")[:60] or "argument"


def squeezed(name: str) -> str:
    """Return `name` as it is compared: without case and separators."""
    return name.lower().replace("-", "").replace("_", "")


def arguments_of(operation: Operation, shaper: Shaper, secret_headers: frozenset[str], without: str = "") -> Arguments:
    """Return what a tool for `operation` asks for; headers that carry the credential, and `without`, it does not."""
    offered = _Offer(shaper)
    key_header, dry_run, fixed = None, None, dict[str, str]()
    for parameter in operation.parameters:
        name = parameter.name.lower()
        if parameter.place == "header" and name in KEY_HEADERS:
            key_header = name
        elif parameter.place == "query" and squeezed(name) in _DRY_RUNS and _is_boolean(shaper, parameter):
            dry_run = parameter.name
        elif _is_credential(parameter.name, parameter.description, in_body=False):
            continue
        elif parameter.place in {"header", "cookie"} and _is_noise(name, secret_headers | {without}):
            if name == "accept" and (value := _only_value(shaper, parameter)):
                fixed["accept"] = value
        elif parameter.place == "header" and parameter.required and (value := _only_value(shaper, parameter)):
            fixed[name] = value
        else:
            offered.parameter(parameter)
    body = offered.body(operation.body) if operation.body and operation.method not in {"GET", "HEAD"} else None
    return Arguments(
        schema=fullest_fit(offered.schema, INPUT_BUDGET),
        parameters=offered.parameters,
        fixed=fixed,
        body=body,
        key_header=key_header,
        dry_run=dry_run,
    )


class _Offer:
    """Collects arguments under names that differ."""

    def __init__(self, shaper: Shaper) -> None:
        self._shaper = shaper
        self._schemas = dict[str, tuple[Json, str]]()
        """By the argument's name: the document's schema, and what is said of it."""
        self._required = list[str]()
        self.parameters = list[Object]()

    def parameter(self, parameter: Parameter) -> None:
        """Offer `parameter`."""
        combined = self._shaper.combined(parameter.schema)
        said = parameter.description or as_text(combined.get("description"))
        if "default" in combined and combined["default"] is not None:
            said = f"{said.rstrip(' .')}. Default: {combined['default']}.".lstrip(". ")
        name = self._name(parameter.name, parameter.place)
        self._schemas[name] = (parameter.schema, said)
        if parameter.required:
            self._required.append(name)
        binding: Object = {"argument": name, "name": parameter.name, "in": parameter.place, "style": parameter.style}
        if parameter.explode:
            binding["explode"] = True
        if parameter.allow_reserved:
            binding["reserved"] = True
        if parameter.media_type:
            binding["media_type"] = parameter.media_type
        self.parameters.append(binding)

    def body(self, body: Body) -> Object:
        """Offer what a request carries: member by member where it is one object, else whole."""
        members = self._shaper.members(body.schema) if _has_members(body.media_type) else None
        binding: Object = {"media_type": body.media_type, "required": body.required}
        if members is None:
            name = self._name("body", "whole")
            schema = body.schema if _has_members(body.media_type) else {"type": "string"}
            if not _has_members(body.media_type) and not _is_text(body.media_type):
                binding["is_base64"] = True
            self._schemas[name] = (schema, body.description or f"The body, {body.media_type}.")
            if body.required:
                self._required.append(name)
            return {**binding, "whole": name}
        told = {theirs: as_text(as_object(one).get("description")) for theirs, one in members.properties.items()}
        kept = [theirs for theirs, said in told.items() if not _is_credential(theirs, said, in_body=True)]
        names = {theirs: self._name(theirs, "body") for theirs in kept}
        for theirs, ours in names.items():
            self._schemas[ours] = (members.properties[theirs], "")
        self._required += [names[theirs] for theirs in members.required if body.required and theirs in names]
        binding["members"] = {ours: theirs for theirs, ours in names.items()}
        if body.media_type != "application/json" and (parts := self._parts(body, members.properties)):
            binding["encoding"] = parts
        return binding

    def schema(self, detail: Detail) -> Object:
        """Return the schema of all arguments."""
        properties = dict[str, Json]()
        for name, (schema, said) in self._schemas.items():
            shaped = dict(self._shaper.shape(schema, detail, name))
            if text := short(said, detail.text):
                shaped["description"] = text
            properties[name] = shaped
        whole: Object = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**whole, "required": self._required} if self._required else whole

    def _parts(self, body: Body, properties: Mapping[str, Json]) -> Object:
        """Return how each member of a form is written, as far as it is not as usual."""
        parts = dict[str, Json]()
        for name, schema in properties.items():
            part = {
                keyword: member
                for keyword, member in as_object(body.encoding.get(name)).items()
                if keyword in {"contentType", "style", "explode", "allowReserved"}
            }
            combined = self._shaper.combined(schema)
            items = self._shaper.combined(combined.get("items")) if types_of(combined) == ["array"] else combined
            if self._shaper.is_file(items):
                part["is_file"] = True
            if part:
                parts[name] = part
        return parts

    def _name(self, theirs: str, place: str) -> str:
        plain = plain_name(theirs)
        if squeezed(plain) in _NOT_OFFERED or plain in self._schemas:
            plain = f"{plain}_{place}"
        number, name = 2, plain
        while name in self._schemas:
            name, number = f"{plain}_{number}", number + 1
        return name


def _has_members(media_type: str) -> bool:
    return "json" in media_type or media_type in {FORM, MULTIPART}


def _is_text(media_type: str) -> bool:
    return any(part in media_type for part in ("xml", "text/", "yaml", "csv", "graphql", "javascript"))


def _is_credential(name: str, said: str, *, in_body: bool) -> bool:
    """Return whether this would carry the account's own credential, which is the broker's; in a body it may be data."""
    if squeezed(name) == "token" and "authentication" in said.lower():
        return True
    return not in_body and squeezed(name) in _CREDENTIALS


def _is_noise(name: str, secret_headers: frozenset[str]) -> bool:
    return name in _NOISE or name in secret_headers or is_reserved(name)


def _only_value(shaper: Shaper, parameter: Parameter) -> str:
    """Return what a header always says: its one choice or, if it must be sent, its default."""
    combined = shaper.combined(parameter.schema)
    choices = [combined["const"]] if "const" in combined else as_list(combined.get("enum"))
    value = choices[0] if len(choices) == 1 else combined.get("default")
    return value if isinstance(value, str) and value.isascii() and value.isprintable() else ""


def _is_boolean(shaper: Shaper, parameter: Parameter) -> bool:
    return types_of(shaper.combined(parameter.schema)) == ["boolean"]
