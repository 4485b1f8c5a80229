"""Forms as they arrive: bounded, each field once, and proof that the page they come from was ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from hub.core.errors import Forbidden, Malformed, NotFound
from hub.core.texts import NULL, check_text, shown

MAX_BODY: Final = 64 * 1024
MAX_FIELDS: Final = 200
_PORTS: Final = {"http": 80, "https": 443}
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_FORM: Final = "application/x-www-form-urlencoded"


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


async def read_form(request: Request) -> Form:
    """Return the form in the request's body.

    Raises:
        Malformed: it is no form, too long, not UTF-8, or holds a text that cannot be kept.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Malformed("Send the form as the page has it.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Malformed("This form is too long.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise Malformed("This form cannot be read.") from error
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        check_text(name)
        check_text(value)
        fields[name] = (*fields.get(name, ()), value)
    return Form(fields=fields)


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
