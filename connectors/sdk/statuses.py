"""What an HTTP status proves: the one table from answers to errors, stricter for requests that may change something."""

import json
from typing import Any, cast

from connectors.sdk.errors import Conflict, ConnectorError, NotFound, Refused, Unavailable, Unknown, Unreadable
from connectors.sdk.wire import WireResponse

Json = Any
"""Any JSON value."""

UNPROCESSED = frozenset({429})
"""Statuses by which a system turns a request away before processing it."""

_CONFLICTS = frozenset({409, 412, 428})
_MISSING = frozenset({404, 410})
_UNCLEAR_REFUSALS = frozenset({408, 499})  # the server, or a proxy, stopped waiting: what was done by then is unknown
_LONGEST_REASON = 300


def raise_for_status(response: WireResponse, *, is_safe: bool, unprocessed: frozenset[int] = UNPROCESSED) -> None:
    """Return if the system said yes; otherwise raise what its answer proves, and no more.

    Raises:
        NotFound, Conflict, Refused: it said no; this request did nothing.
        Unavailable: turned away before processing, or a failed read.
        Unknown: an unsafe request was answered with a 5xx, a redirect, HTML or the like.
        Unreadable: a safe request was answered with a redirect or HTML.
    """
    status = response.status
    if 200 <= status < 300 and not _is_html(response):  # noqa: PLR2004  # RFC 9110 section 15.3
        return
    if status in unprocessed:
        raise Unavailable(f"The system turned the request away before processing it ({status}).{_retry(response)}")
    if _is_definite(response):
        raise _refusal(status)(f"The system refused the request ({status}).{_reason(response)}")
    if not is_safe:
        raise Unknown(
            f"The system gave no clear answer to a request that may have been carried out ({_what(response)})."
        )
    if status >= 500 or status in _UNCLEAR_REFUSALS:  # noqa: PLR2004  # RFC 9110 section 15.6
        raise Unavailable(f"The system cannot answer at the moment ({status}).{_retry(response)}")
    raise Unreadable(f"The system answered with {_what(response)}; check the connection's base URL.")


def _is_definite(response: WireResponse) -> bool:
    is_refusal = 400 <= response.status < 500  # noqa: PLR2004  # RFC 9110 section 15.5
    return is_refusal and response.status not in _UNCLEAR_REFUSALS and not _is_html(response)


def _refusal(status: int) -> type[ConnectorError]:
    if status in _MISSING:
        return NotFound
    return Conflict if status in _CONFLICTS else Refused


def _is_html(response: WireResponse) -> bool:
    # A page comes from a proxy, a login form or an error handler, not from the API: it proves nothing.
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type in {"text/html", "application/xhtml+xml"}


def _what(response: WireResponse) -> str:
    if _is_html(response):
        return f"a web page, status {response.status}"
    return f"a redirect, status {response.status}" if 300 <= response.status < 400 else f"status {response.status}"  # noqa: PLR2004  # RFC 9110 section 15.4


def _retry(response: WireResponse) -> str:
    seconds = response.headers.get("retry-after", "")
    return f" It asks to wait {seconds} seconds." if seconds.isdecimal() and len(seconds) < 6 else ""  # noqa: PLR2004  # a day has 5 digits


def _reason(response: WireResponse) -> str:
    """Return the sentence the system gives for its refusal, if it has one in a usual place (RFC 9457 among them)."""
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(answer, dict):
        return ""
    members = cast("dict[str, Json]", answer)
    error = members.get("error")
    places = {**cast("dict[str, Json]", error), **members} if isinstance(error, dict) else members
    for name in ("detail", "message", "error_description", "error", "title"):
        if isinstance(places.get(name), str):
            return f" It says: {places[name][:_LONGEST_REASON]}"
    return ""
