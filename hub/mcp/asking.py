"""Questions of a federated server to the client of a read: signed, and passed on as the result of that read.

Every question says who asks it, and none leads to a page: nobody must take a server's words for the hub's. What the
server wants to be given back travels sealed with the hub's keys: it opens for nothing but the same request of the same
principals at the same server. Each round is a read of its own, decided on and recorded like every read.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    CreateMessageResult,
    CreateMessageResultWithTools,
    ElicitResult,
    GetPromptRequestParams,
    InputRequiredResult,
    ListRootsResult,
    ReadResourceRequestParams,
)
from pydantic import TypeAdapter, ValidationError

from connectors.sdk.run import Replies
from hub.core.canonical import digest
from hub.core.errors import Malformed
from hub.core.texts import shown
from hub.invocations.values import Asks, Client, Invocation
from hub.keys import Keyring
from hub.mcp.abilities import ASKED, abilities, without_pages
from hub.mcp.admission import Admitted

Json = Any
"""Any JSON value."""

Params = CallToolRequestParams | GetPromptRequestParams | ReadResourceRequestParams
Context = ServerRequestContext[Any, Any]
Reply = ElicitResult | CreateMessageResult | CreateMessageResultWithTools | ListRootsResult

STATE_SECONDS: Final = 3600
MOST_AT_ONCE: Final = 8
"""Questions of one round."""
LONGEST_QUESTION: Final = 64 * 1024
_NEEDED: Final[Mapping[str, str]] = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""What a server may ask, and the capability of the client that answers it."""
GIVEN: Final[Mapping[str, TypeAdapter[Reply]]] = {
    "elicitation/create": TypeAdapter(ElicitResult),
    "sampling/createMessage": TypeAdapter(CreateMessageResult | CreateMessageResultWithTools),
    "roots/list": TypeAdapter(ListRootsResult),
}
"""What it may ask, and what a reply to it is."""


def client_in(known: Admitted, context: Context, params: Params, keys: Keyring) -> Client | None:
    """Return what the client can be asked and has replied; None: it gives a state back that is not of such questions.

    Only the newer protocol says that with each request.
    """
    if not abilities(context).is_modern:
        return Client(replies=replies_to_hear(known))
    given: Mapping[str, Json] | None = None
    if params.input_responses is not None:
        given = params.model_dump(mode="json", by_alias=True, exclude_none=True)["inputResponses"]
    if params.request_state is None:
        return Client(replies=Replies(can=abilities(context).can, given=given))
    try:
        said = keys.unseal(params.request_state, purpose=_purpose(known, params))
    except Malformed:
        return None
    replies = Replies(can=abilities(context).can, given=given, state=said["state"])
    return Client(replies=replies, asked_by=said["by"])


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
    needs = {name: needed for name, needed in asks.needs.items() if name in ASKED and not _is_of_pages(name, needed)}
    if not asks.requests and needs:
        data = {"requiredCapabilities": needs}
        raise MCPError(code=MISSING_REQUIRED_CLIENT_CAPABILITY, message=asks.message, data=data)
    put = questions_put(asks, abilities(context).can)
    if put is None:
        return None
    said = {"state": asks.state, "by": invocation.connection_id}  # also where the server gives no state
    sealed = keys.seal(said, purpose=_purpose(known, params), seconds=STATE_SECONDS)
    return InputRequiredResult.model_validate({"inputRequests": put, "requestState": sealed})


def questions_put(asks: Asks, can: Mapping[str, Json]) -> dict[str, dict[str, Json]] | None:
    """Return a server's questions, by name, as they are put to a client with these capabilities.

    None: one of them may not be put to it, there are too many, or they are no questions of the protocol.
    """
    if not len(asks.requests) <= MOST_AT_ONCE:
        return None
    try:
        read = InputRequiredResult.model_validate({"inputRequests": dict(asks.requests)})
    except ValidationError:
        return None
    said = read.model_dump(mode="json", by_alias=True, exclude_none=True).get("inputRequests", {})
    questions = cast("dict[str, dict[str, Json]]", said)
    if not all(_may_be_put(one, can) for one in questions.values()):
        return None
    return {name: {**one, "params": _signed(one, asks)} for name, one in questions.items()}


def _may_be_put(question: Mapping[str, Json], can: Mapping[str, Json]) -> bool:
    params: dict[str, Json] = question.get("params", {})
    if params.get("mode") == "url" or len(str(params)) > LONGEST_QUESTION:
        return False
    asked = can.get(_NEEDED.get(question["method"], ""))
    has_tools = any(params.get(name) is not None for name in ("tools", "toolChoice"))
    return isinstance(asked, Mapping) and (not has_tools or "tools" in asked)


def _signed(question: Mapping[str, Json], asks: Asks) -> dict[str, Json]:
    """Return what is asked, with who asks."""
    params: dict[str, Json] = dict(question.get("params", {}))
    through = f", through the tool {asks.tool}" if asks.tool else ""
    if isinstance(params.get("message"), str):
        params["message"] = f"{asks.connection} asks{through}: {params['message']}"
    if "includeContext" in params:  # to a client "this server" is the hub, with all that others said through it
        params["includeContext"] = "none"
    by = {"connection": asks.connection, **({"tool": asks.tool} if asks.tool else {})}
    return {**params, "_meta": {"dev.toolhub/asked_by": by}}


def reply_to(name: str, question: Mapping[str, Json], given: Json) -> dict[str, Json]:
    """Return a client's reply to a question, as the protocol has it.

    Raises:
        MCPError: it is none.
    """
    try:
        read = GIVEN[question["method"]].validate_python(given)
    except ValidationError as error:
        message = f"What was sent for {shown(name)} is no reply to {question['method']}."
        raise MCPError(code=INVALID_PARAMS, message=message) from error
    return read.model_dump(mode="json", by_alias=True, exclude_none=True)


def _is_of_pages(name: str, needed: Json) -> bool:
    return name == _NEEDED["elicitation/create"] and without_pages(needed) is None


def _purpose(known: Admitted, params: Params) -> str:
    """Return what the state is bound to: who makes which request at which server.

    Raises:
        Malformed: the arguments cannot be digested; no request with such arguments ever got so far.
    """
    made = params.model_dump(mode="json", by_alias=True, exclude={"meta", "input_responses", "request_state"})
    return f"mcp-asked-by:{known.server}:{known.caller.visible_key}:{digest(made)}"
