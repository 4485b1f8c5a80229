"""Reading OAuth parameters so that no two readers can disagree: each once, empty ones left out, bodies bounded."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

MAX_BYTES: Final = 16_384
MAX_PARAMETERS: Final = 50
FORM: Final = "application/x-www-form-urlencoded"


class Unreadable(Exception):
    """The request is no set of parameters; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The parameters of one request, and the names of those that came more than once (RFC 6749 section 3.1)."""

    values: dict[str, str]
    repeated: frozenset[str]


def parse(encoded: str) -> Parameters:
    """Return the parameters in a query string or a form; one without a value counts as not sent.

    Raises:
        Unreadable: not UTF-8, or too many.
    """
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict")
    except ValueError as error:
        raise Unreadable("The parameters cannot be read: too many, or not UTF-8.") from error
    if any("\x00" in name or "\x00" in value for name, value in pairs):
        raise Unreadable("The parameters cannot be read: they contain a null character.")
    names = [name for name, _ in pairs]
    return Parameters(
        values={name: value for name, value in pairs if value},
        repeated=frozenset(name for name in names if names.count(name) > 1),
    )


def query_of(request: Request) -> Parameters:
    """Return the parameters in the request's query string.

    Raises:
        Unreadable: too long, too many, or not UTF-8.
    """
    if len(request.url.query) > MAX_BYTES:
        raise Unreadable(f"The query is longer than {MAX_BYTES} bytes.")
    return parse(request.url.query)


async def form_of(request: Request) -> Parameters:
    """Return the parameters in the request's body.

    Raises:
        Unreadable: not a form, too long, too many, or not UTF-8.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Unreadable(f"Send the parameters as {FORM}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Unreadable(f"The body is longer than {MAX_BYTES} bytes.")
    try:
        return parse(body.decode())
    except UnicodeDecodeError as error:
        raise Unreadable("The body is not UTF-8.") from error
