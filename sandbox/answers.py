"""Reading answers only as far as the fence needs: do they say clearly that a request was or was not carried out?"""

import json
from collections.abc import Iterator
from typing import Any, Final, cast

from connectors.sdk import graphql
from connectors.sdk.rpc import Rpc
from connectors.sdk.wire import WireRequest, WireResponse
from connectors.sdk.xml_rpc import Fault, NotXmlRpc, answer_in

Json = Any
"""Any JSON value."""

_UNCLEAR_REFUSALS: Final = frozenset({408, 499})
"""Somebody on the way stopped waiting; what had been done by then is not said."""
_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})


def is_clear(request: WireRequest, response: WireResponse) -> bool:
    """Return whether `response` may say what became of `request`: not a 5xx, a redirect, or a page instead of JSON."""
    is_definite = 200 <= response.status < 300 or 400 <= response.status < 500  # noqa: PLR2004  # RFC 9110 section 15
    is_page = media_type(response) in _HTML and "html" not in request.headers.get("accept", "")
    return is_definite and not is_page and response.status not in _UNCLEAR_REFUSALS


def says_no(rpc: Rpc, response: WireResponse) -> bool:
    """Return whether `response` itself refuses: by a 4xx, or as an error of the RPC, which comes as a 200."""
    if 400 <= response.status < 500:  # noqa: PLR2004  # RFC 9110 section 15.5
        return True
    if rpc == "none":
        return False
    if rpc == "xml_rpc":
        return _is_fault(response.body)
    return any(_is_error(message, rpc) for message in _messages(response))


def media_type(response: WireResponse) -> str:
    """Return the media type of `response` without its parameters, in lower case."""
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_fault(body: str) -> bool:
    try:
        return isinstance(answer_in(body), Fault)
    except NotXmlRpc:
        return False


def _is_error(message: Json, rpc: Rpc) -> bool:
    if rpc == "graphql":
        return graphql.says_no(message)
    if not isinstance(message, dict):
        return False
    members = cast("dict[str, Json]", message)
    if members.get("error"):
        return True
    result = members.get("result")
    return rpc == "mcp" and isinstance(result, dict) and cast("dict[str, Json]", result).get("isError") is True


def _messages(response: WireResponse) -> Iterator[Json]:
    texts = [response.body]
    if media_type(response) == "text/event-stream":
        texts = [line.removeprefix("data:") for line in response.body.splitlines() if line.startswith("data:")]
    for text in texts:
        try:
            yield json.loads(text)
        except (ValueError, RecursionError):
            continue
