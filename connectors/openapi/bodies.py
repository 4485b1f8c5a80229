"""Writing what a request carries: JSON, forms, forms of several parts, plain texts and bytes."""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, cast
from urllib.parse import quote_plus

from connectors.openapi.serial import in_query, json_text, text_of
from connectors.sdk.errors import Refused

Json = Any
"""Any JSON value, in which a Decimal stands for a number of exactly those digits."""

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"


class Written(NamedTuple):
    """A body and its media type."""

    media_type: str
    content: bytes


class _Part(NamedTuple):
    """One part of a form of several."""

    name: str
    media_type: str
    content: bytes
    filename: str | None = None


def write_body(binding: Mapping[str, Json], arguments: Mapping[str, Json]) -> Written | None:
    """Return the body that `arguments` make, or None if none of them goes there and none is required.

    Raises:
        Refused: what should be bytes is not in base64.
    """
    media_type = str(binding["media_type"])
    if "whole" in binding:
        return _whole(binding, arguments, media_type)
    members = {theirs: arguments[ours] for ours, theirs in binding["members"].items() if ours in arguments}
    if not members and not binding["required"]:
        return None
    encoding = cast("dict[str, Json]", binding.get("encoding", {}))
    if media_type == FORM:
        return Written(media_type, "&".join(_form(members, encoding)).encode("ascii"))
    if media_type == MULTIPART:
        return _multipart([*_parts(members, encoding)])
    return Written(media_type, json_text(_placed(members, binding)).encode())


def _placed(members: Mapping[str, Json], binding: Mapping[str, Json]) -> dict[str, Json]:
    """Return the members where the owner says that they stand, and the others at their common place."""
    places, rest = cast("dict[str, str]", binding.get("places", {})), str(binding.get("rest", ""))
    placed: dict[str, Json] = {}
    for name, value in members.items():
        put(placed, places.get(name, f"{rest}/{name.replace('~', '~0').replace('/', '~1')}"), value)
    return placed


def put(value: dict[str, Json], pointer: str, member: Json) -> None:
    """Put `member` where `pointer` leads to in `value`, making the objects on the way."""
    *way, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    for step in way:
        value = value.setdefault(step, {})
    value[last] = member


def _whole(binding: Mapping[str, Json], arguments: Mapping[str, Json], media_type: str) -> Written | None:
    if binding["whole"] not in arguments:
        return None
    value = arguments[binding["whole"]]
    if binding.get("is_base64"):
        return Written(media_type, _bytes_of(str(binding["whole"]), value))
    if media_type == FORM and isinstance(value, dict):
        return Written(media_type, "&".join(_form(cast("dict[str, Json]", value), {})).encode("ascii"))
    if media_type == MULTIPART and isinstance(value, dict):
        return _multipart([*_parts(cast("dict[str, Json]", value), {})])
    text = json_text(value) if "json" in media_type else text_of(value)
    return Written(media_type, text.encode())


def _form(members: Mapping[str, Json], encoding: Mapping[str, Json]) -> Iterator[str]:
    """Yield `name=value` of each member.

    Said in so many words (style, explode, allowReserved), it is written as in a query; else lists one by one and
    objects as JSON. Source: OpenAPI 3.1.1 section 4.8.14.4 and 4.8.15.1.
    """
    for name, value in members.items():
        said = cast("dict[str, Json]", encoding.get(name, {}))
        if {"style", "explode", "allowReserved"} & {*said}:
            style = said.get("style", "form")
            binding = {"name": name, "style": style, "explode": said.get("explode", style == "form")}
            yield from in_query({**binding, "reserved": said.get("allowReserved", False)}, value)
            continue
        for one in cast("list[Json]", value) if isinstance(value, list) else [value]:
            yield f"{quote_plus(name, safe='*')}={quote_plus(text_of(one), safe='*')}"


def _parts(members: Mapping[str, Json], encoding: Mapping[str, Json]) -> Iterator[_Part]:
    """Yield the parts; a list makes one each. Source: OpenAPI 3.1.1 section 4.8.14.5, RFC 7578 section 4.3."""
    for name, value in members.items():
        said = cast("dict[str, Json]", encoding.get(name, {}))
        for one in cast("list[Json]", value) if isinstance(value, list) else [value]:
            yield _part(name, one, said)


def _part(name: str, value: Json, said: Mapping[str, Json]) -> _Part:
    media_type = str(said.get("contentType", "")).partition(",")[0].strip()
    if said.get("is_file"):
        return _Part(name, media_type or "application/octet-stream", _bytes_of(name, value), filename=name)
    if isinstance(value, dict | list):
        return _Part(name, media_type or "application/json", json_text(value).encode())
    text = json_text(value) if "json" in media_type else text_of(value)
    return _Part(name, media_type or "text/plain", text.encode())


def _multipart(parts: list[_Part]) -> Written:
    """Return the parts in one body. Source: RFC 2046 section 5.1.1, RFC 7578 section 4.2."""
    boundary = _boundary(parts)
    written = bytearray()
    for part in parts:
        where = f'form-data; name="{_quoted(part.name)}"'
        if part.filename is not None:
            where += f'; filename="{_quoted(part.filename)}"'
        head = f"--{boundary}\r\nContent-Disposition: {where}\r\nContent-Type: {part.media_type}\r\n\r\n"
        written += head.encode() + part.content + b"\r\n"
    written += f"--{boundary}--\r\n".encode()
    return Written(f"{MULTIPART}; boundary={boundary}", bytes(written))


def _boundary(parts: list[_Part]) -> str:
    """Return what is in none of the parts; the same for the same, so that a request sent again is the same request."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(b"%d:%s" % (len(part.content), part.content))
    boundary = hashed.hexdigest()[:32]
    while any(boundary.encode() in part.content for part in parts):
        boundary = hashlib.sha256(boundary.encode()).hexdigest()[:32]
    return boundary


def _quoted(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _bytes_of(name: str, value: Json) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(f"{name} is not in base64; nothing was sent.") from error
