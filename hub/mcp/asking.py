"""Questions of a federated server to the client of a read, passed on as the newer protocol has it: as its result.

What the server wants to be given back travels sealed with the hub's keys: it opens for nothing but the same request of
the same principals at the same server. Each round is a read of its own, decided on and recorded like every read.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    GetPromptRequestParams,
    InputRequiredResult,
    ReadResourceRequestParams,
)
from pydantic import ValidationError

from connectors.sdk.run import Replies
from hub.core.canonical import digest
from hub.core.errors import Malformed
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.mcp.abilities import abilities
from hub.mcp.admission import Admitted

Json = Any
"""Any JSON value."""

Params = CallToolRequestParams | GetPromptRequestParams | ReadResourceRequestParams
Context = ServerRequestContext[Any, Any]

STATE_SECONDS: Final = 3600
_NEEDED: Final[Mapping[str, str]] = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""What a server may ask, and the capability of the client that answers it."""


def replies_in(known: Admitted, context: Context, params: Params, keys: Keyring) -> Replies | None:
    """Return what the client can be asked and has replied; None: it gives a state back that is not of such questions.

    Only the newer protocol says that with each request.
    """
    if not abilities(context).is_modern:
        return replies_to_hear(known)
    given: Mapping[str, Json] | None = None
    if params.input_responses is not None:
        given = params.model_dump(mode="json", by_alias=True, exclude_none=True)["inputResponses"]
    if params.request_state is None:
        return Replies(can=_declared(context), given=given)
    try:
        said = keys.unseal(params.request_state, purpose=_purpose(known, params))
    except Malformed:
        return None
    return Replies(can=_declared(context), given=given, state=said["state"])


def replies_to_hear(known: Admitted) -> Replies:
    """Return what a client of the older protocol can be asked and wants to hear, where the answer is a stream."""
    session = known.session
    if known.line is None or session is None:
        return Replies()
    return Replies(can=session.can, log_level=session.log_level)


def questions_of(
    known: Admitted, context: Context, params: Params, invocation: Invocation, keys: Keyring
) -> InputRequiredResult | None:
    """Return what a read asks its client; None: it asks nothing, or nothing that this client can be asked.

    Raises:
        MCPError: the client does not declare what the server would have to ask.
    """
    asks = invocation.asks
    if asks is None or not abilities(context).is_modern:
        return None
    declared = _declared(context)
    if not asks.requests and asks.needs:
        data = {"requiredCapabilities": {name: needed for name, needed in asks.needs.items() if name in _ALL}}
        raise MCPError(code=MISSING_REQUIRED_CLIENT_CAPABILITY, message=asks.message, data=data)
    if any(_NEEDED.get(_method(request)) not in declared for request in asks.requests.values()):
        return None
    sealed = None
    if asks.state is not None:
        sealed = keys.seal({"state": asks.state}, purpose=_purpose(known, params), seconds=STATE_SECONDS)
    try:
        return InputRequiredResult.model_validate({"inputRequests": dict(asks.requests), "requestState": sealed})
    except ValidationError:
        return None


_ALL: Final = frozenset(_NEEDED.values())


def _declared(context: Context) -> dict[str, Json]:
    """Return the capabilities of the client that a server may ask for; its extensions are between it and the hub."""
    declared = context.session.client_capabilities
    if declared is None:
        return {}
    return declared.model_dump(mode="json", by_alias=True, exclude_none=True, include=set(_ALL))


def _method(request: Json) -> str:
    return str(cast("Mapping[str, Json]", request).get("method")) if isinstance(request, Mapping) else ""


def _purpose(known: Admitted, params: Params) -> str:
    """Return what the state is bound to: who makes which request at which server.

    Raises:
        Malformed: the arguments cannot be digested; no request with such arguments ever got so far.
    """
    made = params.model_dump(mode="json", by_alias=True, exclude={"meta", "input_responses", "request_state"})
    return f"mcp-asked-state:{known.server}:{known.caller.visible_key}:{digest(made)}"
