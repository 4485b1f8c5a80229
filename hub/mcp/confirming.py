"""Asking a client to show its person the page on which a write is confirmed, and holding its rounds until that is done.

The state that travels between the rounds is sealed with the hub's keys: any replica opens it, before and after a
restart, and it opens for nothing but the same call of the same principals at the same server. It names an invocation
and a round. So whoever sends it again learns how the invocation stands, and does nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
)

from hub.core.canonical import digest
from hub.core.errors import Malformed
from hub.invocations.envelope import page_of, what_will_happen
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.mcp.admission import Admitted

Json = Any
"""Any JSON value."""

CONFIRM: Final = "confirm"
MOST_ROUNDS: Final = 8
"""Clients give up after ten; before that they get the pending envelope, which says how to ask later."""
STATE_SECONDS: Final = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Where a call stands that its client makes again, as it was told."""

    invocation_id: str
    number: int


def first_round(known: Admitted, params: CallToolRequestParams, invocation: Invocation, keys: Keyring) -> str:
    """Return the state that goes with the request to confirm `invocation`."""
    return _sealed(known, params, Round(invocation_id=invocation.id, number=1), keys)


def next_round(
    known: Admitted, params: CallToolRequestParams, last: Round, keys: Keyring
) -> InputRequiredResult | None:
    """Return the answer to a client that merely has to ask again; None once it has asked often enough."""
    if last.number >= MOST_ROUNDS:
        return None
    following = Round(invocation_id=last.invocation_id, number=last.number + 1)
    return InputRequiredResult(request_state=_sealed(known, params, following, keys))


def round_of(known: Admitted, params: CallToolRequestParams, keys: Keyring) -> Round | None:
    """Return the round that the client goes on with; None: it makes a new call.

    Raises:
        MCPError: the state is not one of ours, or not for this call.
    """
    if params.request_state is None:
        return None
    try:
        said = keys.unseal(params.request_state, purpose=_purpose(known, params))
        return Round(invocation_id=said["invocation"], number=said["round"])
    except Malformed as error:
        raise not_ours() from error


def not_ours() -> MCPError:
    """Return the error of a state that does not open, whatever the reason."""
    message = "This requestState is not for this call of yours, or not any more. Make the call without it."
    return MCPError(code=INVALID_PARAMS, message=message, data={"reason": "invalid_request_state"})


def request_to_confirm(invocation: Invocation, public_url: str) -> ElicitRequest:
    """Return the request to show a person the page where only the one it is done for can confirm it."""
    message = f"Confirm or decline on this page of the hub, after a login: {what_will_happen(invocation)}."
    return ElicitRequest(params=ElicitRequestURLParams(message=message, url=page_of(invocation, public_url)))


def says(answers: Mapping[str, Json] | None) -> str | None:
    """Return what the client says its person did: accept, decline or cancel. It is no evidence of a person."""
    answer = (answers or {}).get(CONFIRM)
    return answer.action if isinstance(answer, ElicitResult) else None


def _sealed(known: Admitted, params: CallToolRequestParams, reached: Round, keys: Keyring) -> str:
    state = {"invocation": reached.invocation_id, "round": reached.number}
    return keys.seal(state, purpose=_purpose(known, params), seconds=STATE_SECONDS)


def _purpose(known: Admitted, params: CallToolRequestParams) -> str:
    """Return what the state is bound to: who calls which tool of which server with which arguments.

    Raises:
        Malformed: the arguments cannot be digested; no call with such arguments ever got so far.
    """
    called = digest({"tool": params.name, "arguments": params.arguments or {}})
    return f"mcp-call-state:{known.server}:{known.caller.visible_key}:{called}"
