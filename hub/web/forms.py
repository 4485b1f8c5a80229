"""Forms as they arrive: bounded, each field once, and proof that the page they come from was ours."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from hub.core.errors import Forbidden, Malformed, NotFound
from hub.core.texts import NULL, check_text, shown

MAX_BODY: Final = 64 * 1024
MAX_FIELDS: Final = 200
_PORTS: Final = {"http": 80, "https": 443}
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_FORM: Final = "application/x-www-form-urlencoded"
_WITH_FILES: Final = "multipart/form-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What somebody typed and pressed."""

    fields: Mapping[str, tuple[str, ...]]

    def one(self, name: str) -> str:
        """Return the field `name`, empty when it is missing.

        Raises:
            Malformed: it stands there more than once.
        """
        values = self.fields.get(name, ())
        if len(values) > 1:
            raise Malformed(f"The field {shown(name)} stands in the form more than once.")
        return values[0] if values else ""

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of the field `name`, in order."""
        return self.fields.get(name, ())


async def read_form(request: Request, *, longest: int = MAX_BODY) -> Form:
    """Return the form in the request's body, at most `longest` bytes; a file in it is a field with the file's text.

    Raises:
        Malformed: it is no form, too long, not UTF-8, or holds a text that cannot be kept.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {_FORM, _WITH_FILES}:
        raise Malformed("Send the form as the page has it.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            raise Malformed("This form is too long.")
    try:
        pairs = _pairs(body) if kind == _FORM else await _parts(request, body)
    except (ValueError, MultiPartException) as error:
        raise Malformed("This form cannot be read.") from error
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        check_text(name)
        check_text(value)
        fields[name] = (*fields.get(name, ()), value)
    return Form(fields=fields)


def _pairs(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")


async def _parts(request: Request, body: bytes) -> list[tuple[str, str]]:
    async def whole() -> AsyncGenerator[bytes]:
        yield body

    parser = MultiPartParser(
        request.headers, whole(), max_files=1, max_fields=MAX_FIELDS, max_part_size=max(len(body), 1)
    )
    form = await parser.parse()
    try:
        parts = form.multi_items()
        return [(name, part if isinstance(part, str) else (await part.read()).decode()) for name, part in parts]
    finally:
        await form.close()


def check_address(request: Request) -> None:
    """Let an address pass whose parts can be looked up.

    Raises:
        Malformed: a parameter of the query holds a text that cannot be kept.
        NotFound: a part of the path does, so that nothing can stand there.
    """
    if any(NULL in str(part) for part in request.path_params.values()):
        raise NotFound("Nothing stands at this address.")
    for name, value in request.query_params.multi_items():
        check_text(name)
        check_text(value)


def check_origin(request: Request, public_url: str) -> None:
    """Let a change pass that a page of this very hub sends; the token in the form is the proof, this the first sieve.

    Ours is what comes from `public_url`: the Host of the request is the word of whoever sent it.

    Raises:
        Forbidden: the browser says that it comes from elsewhere.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site not in {None, "same-origin", "none"} or not (origin is None or _is_ours(origin, public_url)):
        raise Forbidden(
            f"This form was not sent from {public_url}. Open the hub under that address. Nothing was changed."
        )


def _is_ours(origin: str, public_url: str) -> bool:
    """Return whether both are one origin (RFC 6454); this machine is the same under each of its names."""
    theirs, ours = urlsplit(origin), urlsplit(public_url)
    try:
        ports = {one.port or _PORTS.get(one.scheme) for one in (theirs, ours)}
    except ValueError:
        return False
    names = {theirs.hostname, ours.hostname}
    return theirs.scheme == ours.scheme and len(ports) == 1 and (len(names) == 1 or names <= _THIS_MACHINE)
