"""What went wrong, as a page: the hub's errors in words, with the status that browsers expect."""

from typing import Final

from starlette.responses import HTMLResponse, Response

from hub.core.errors import (
    Conflict,
    Forbidden,
    HubError,
    InputError,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from hub.web.headers import page_headers
from hub.web.rendering import Chrome, Viewer, render
from hub.web.views.operations import ErrorPage

_KINDS: Final[tuple[tuple[type[HubError], int, str], ...]] = (
    (InputError, 400, "This cannot be understood"),
    (Unauthenticated, 401, "Please sign in"),
    (Forbidden, 403, "This is not allowed"),
    (NotFound, 404, "There is nothing here"),
    (Conflict, 409, "Something has changed meanwhile"),
    (Unavailable, 503, "Not available just now"),
)
UNSEEN: Final = "It does not exist, or it is not yours to see."


def problem_page(
    error: HubError | None, *, is_secure: bool, viewer: Viewer | None = None, trace_id: str = ""
) -> Response:
    """Return the page for `error`; None is a fault of the hub's own, of which only the trace id is told."""
    page = _unexpected(trace_id) if error is None else _expected(error)
    html = render("error.html", Chrome(title=page.heading, viewer=viewer), page)
    return HTMLResponse(html, status_code=page.status, headers=page_headers(is_secure=is_secure))


def _expected(error: HubError) -> ErrorPage:
    for kind, status, heading in _KINDS:
        if isinstance(error, kind):
            message = UNSEEN if kind is NotFound else error.message
            return ErrorPage(status=status, heading=heading, message=message)
    return _unexpected("")


def _unexpected(trace_id: str) -> ErrorPage:
    return ErrorPage(
        status=500,
        heading="Something went wrong here",
        message="It is not your doing. What you asked for may or may not have been done; look before you try again.",
        advice="If it happens again, give the trace below to whoever runs this hub." if trace_id else "",
        trace_id=trace_id,
    )
