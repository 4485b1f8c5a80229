"""Questions of an MCP server to the client of a read: read from its answer, and replied to when the read is made again.

Only reads pass questions on. What a write does is settled before it is approved, so nothing is asked while it is done.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from connectors.mcp_upstream.protocol import LACKS_CAPABILITY, Call, RpcError
from connectors.sdk.run import Asks, PhaseCall

Json = Any
"""Any JSON value."""

_ASKS: Final = "input_required"
LONGEST_STATE: Final = 64 * 1024
"""Characters of what a server wants to be given back: it travels to the client and back with every round."""


def with_replies(made: Call, call: PhaseCall) -> Call:
    """Return a request with what its client can be asked, and what it has replied."""
    replies = call.replies
    more = dict[str, Json]()
    if replies.given is not None:
        more["inputResponses"] = dict(replies.given)
    if replies.state is not None:
        more["requestState"] = replies.state
    return replace(made, params={**made.params, **more}, can=replies.can)


def asked(answer: Mapping[str, Json] | RpcError) -> Asks | None:
    """Return what the server asks for instead of an answer, None: it answers, or refuses for another reason."""
    if isinstance(answer, RpcError):
        needs = _members(_members(answer.data).get("requiredCapabilities"))
        return Asks(needs=needs) if answer.code == LACKS_CAPABILITY and needs else None
    if answer.get("resultType") != _ASKS:
        return None
    state = answer.get("requestState")
    kept = state if isinstance(state, str) and len(state) <= LONGEST_STATE else None
    return Asks(requests=_members(answer.get("inputRequests")), state=kept)


def _members(value: Json) -> dict[str, Json]:
    """Return the members of a JSON object, none of anything else: a server may send anything."""
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}
