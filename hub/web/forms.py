"""Forms as they arrive: bounded, each field once, and proof that the page they come from was ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from hub.core.errors import Forbidden, Malformed

MAX_BODY: Final = 64 * 1024
MAX_FIELDS: Final = 200
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
            raise Malformed(f"The field {name!r} stands in the form more than once.")
        return values[0] if values else ""

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of the field `name`, in order."""
        return self.fields.get(name, ())


async def read_form(request: Request) -> Form:
    """Return the form in the request's body.

    Raises:
        Malformed: it is no form, too long, or not UTF-8.
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
        fields[name] = (*fields.get(name, ()), value)
    return Form(fields=fields)


def check_origin(request: Request) -> None:
    """Let a change pass that a page of this very hub sends; the token in the form is the proof, this the first sieve.

    Raises:
        Forbidden: the browser says that it comes from elsewhere.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        is_ours = site in {"same-origin", "none"}
    else:
        is_ours = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not is_ours:
        raise Forbidden("This form was sent from another site. Nothing was changed.")
