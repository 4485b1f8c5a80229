"""Bodies as a recording keeps them: read as what they are; of what nobody can read, length and digest alone."""

import base64
import hashlib
import json
from collections.abc import Mapping
from email.message import Message
from email.parser import BytesParser
from typing import Any, Final, Protocol, cast
from urllib.parse import parse_qsl, urlencode

from connectors.sdk.wire import WireRequest, WireResponse

Json = Any
"""Any JSON value."""

_FORM: Final = "application/x-www-form-urlencoded"


class Writing(Protocol):
    """How what was said is written into a recording: with made-up values, or as a replay finds it there."""

    def text(self, text: str) -> str:
        """Return a text, JSON and XML-RPC in one way."""
        ...

    def field(self, name: str, text: str) -> str:
        """Return the text that stands under `name` in a form or a query."""
        ...

    def path(self, path: str) -> str:
        """Return a path."""
        ...

    def content(self, content: bytes) -> bytes:
        """Return bytes that are no text."""
        ...


def asked(request: WireRequest, writing: Writing) -> str | None:
    """Return the body of `request`; the same bytes are the same text, in whatever way the request holds them."""
    content = request.content
    types = [value for name, value in request.headers.items() if name.lower() == "content-type"]
    return None if content is None else _told(content, "".join(types), writing)


def answered(answer: WireResponse, writing: Writing, *, in_base64: bool) -> str:
    """Return the body of `answer`, in base64 if it came so."""
    if not in_base64:
        return writing.text(answer.body)
    told = _told(base64.b64decode(answer.body), answer.headers.get("content-type", ""), writing)
    return base64.b64encode(told.encode("utf-8", "surrogatepass")).decode("ascii")


def heard(answer: WireResponse, *, in_base64: bool) -> str:
    """Return the body of `answer` as text."""
    return base64.b64decode(answer.body).decode("utf-8", "replace") if in_base64 else answer.body


def bounded(media_type: str) -> str:
    """Return a media type without the boundary of its parts, which authors make of what the parts hold."""
    kind, _, _ = media_type.partition(";")
    return kind if kind.strip().lower().startswith("multipart/") else media_type


def fields_in(content: bytes, media_type: str) -> list[tuple[str, str]]:
    """Return the names and texts of a form, of one part or of several; nothing of what is no form."""
    kind = media_type.partition(";")[0].strip().lower()
    text = _text(content)
    if kind == _FORM and text is not None:
        return parse_qsl(text, keep_blank_values=True)
    parts = _parts(content, media_type) if kind.startswith("multipart/") else None
    texts = [(_name(part), _text(_inside(part))) for part in parts or ()]
    return [(name, text) for name, text in texts if text is not None]


def _told(content: bytes, media_type: str, writing: Writing) -> str:
    kind = media_type.partition(";")[0].strip().lower()
    parts = _parts(content, media_type) if kind.startswith("multipart/") else None
    if parts is not None:
        return json.dumps([_part(part, writing) for part in parts])
    text = _text(content)
    if text is None:
        return _unreadable(content, writing)
    if kind == _FORM and (pairs := parse_qsl(text, keep_blank_values=True)):
        return urlencode([(writing.text(name), writing.field(name, value)) for name, value in pairs])
    return writing.text(text)


def _part(part: Message, writing: Writing) -> Mapping[str, str | None]:
    content, name, file = _inside(part), _name(part), part.get_filename()
    text = _text(content)
    return {
        "name": writing.text(name),
        "file": None if file is None else writing.text(file),
        "type": part.get_content_type(),
        "content": _unreadable(content, writing) if text is None else writing.field(name, text),
    }


def _parts(content: bytes, media_type: str) -> list[Message] | None:
    """Return the parts of a form of several, None if it is none."""
    head = f"content-type: {media_type}\r\n\r\n".encode("utf-8", "replace")
    message = BytesParser().parsebytes(head + content)
    if not message.is_multipart() or message.defects:
        return None
    return [part for part in message.walk() if not part.is_multipart()]


def _inside(part: Message) -> bytes:
    return cast("bytes", part.get_payload(decode=True))


def _name(part: Message) -> str:
    return str(part.get_param("name", "", "content-disposition"))


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _unreadable(content: bytes, writing: Writing) -> str:
    known = writing.content(content)  # a digest of a secret with little beside it could be guessed
    return f"{len(known)} bytes, SHA-256 {hashlib.sha256(known).hexdigest()}"
