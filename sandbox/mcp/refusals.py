"""Whether an answer within a session of the older protocol may say that its server does not know the session."""

import json
from typing import Any, Final, cast

from connectors.sdk.wire import WireResponse
from sandbox.answers import media_type

Json = Any
"""Any JSON value."""

_STATUSES: Final = frozenset({404, 400})
"""The protocol has 404; many servers answer 400 to all requests that they can make nothing of."""
_NO_SUCH_SESSION: Final = -32001
"""How SDKs put it; one of them (C#) under the id of the request."""
_INTERNAL_ERROR: Final = -32603
_NO_REQUESTS: Final = (None, "", "server-error")
"""The ids of errors that SDKs give before they look at a request."""


def may_refuse_a_session(response: WireResponse) -> bool:
    """Return whether an answer may be about the session alone: none to a request in it, no result and no page.

    A result was made by somebody, whatever it says it answers, and so may be what broke on the way to it.
    """
    if response.status not in _STATUSES or "html" in media_type(response):
        return False
    try:
        said = json.loads(response.body)
    except ValueError:
        return True  # words
    except RecursionError:
        return False
    return not isinstance(said, list) and (
        not isinstance(said, dict) or _is_of_no_request(cast("dict[str, Json]", said))
    )


def _is_of_no_request(said: dict[str, Json]) -> bool:
    if not {"jsonrpc", "id", "result"} & said.keys() and not isinstance(said.get("error"), dict):
        return True  # no message of the protocol
    error = said.get("error")
    code = cast("dict[str, Json]", error).get("code") if isinstance(error, dict) else None
    is_ours = said.get("id") == 1 and code == _NO_SUCH_SESSION
    return "result" not in said and code != _INTERNAL_ERROR and (is_ours or said.get("id") in _NO_REQUESTS)
