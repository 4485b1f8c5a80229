"""What a federated server's error answer to a write proves of what its tool did: nothing, unless its owner vouches."""

import json
from typing import Any, Final

import pytest
from execution_house import order
from federation_servers import Federated
from scripted_servers import USUAL, Asked, Scripted, said, usual

from connectors.mcp_upstream import Owner
from hub.execution import CommitOutcome, Failed, ReadOutcome, Unknown

Json = Any

pytestmark = pytest.mark.anyio

NOT_REACHED: Final = {
    "unreadable": -32700,
    "invalid": -32600,
    "no method": -32601,
    "headers": -32020,
    "capability": -32021,
    "version": -32022,
}
"""What servers say before they reach a tool. Their SDKs answer with the same codes where a tool raises them itself."""
AFTER_IT: Final = {
    "arguments, or an output that fits no schema": -32602,
    "internal": -32603,
    "its own": -32000,
    "any": 7,
}
STATUSES: Final = ("200 OK", "400 Bad Request", "404 Not Found")
RESULT: Final = {"jsonrpc": "2.0", "id": "OURS", "result": USUAL["tools/call"]}
SPOKEN: Final[dict[str, Json]] = {
    "a result for the id as a text": RESULT,
    "a list with the result": [RESULT],
    "an error for the id as a text": {"jsonrpc": "2.0", "id": "OURS", "error": {"code": -32600, "message": "no"}},
    "an error of the transport": {"jsonrpc": "2.0", "id": "server-error", "error": {"code": -32600, "message": "no"}},
    "an error of no protocol": {"id": "OURS", "error": {"code": 12, "message": "no"}},
}


def answering(told: Json, status: str = "200 OK") -> Scripted:
    """Return a server that carries calls out and answers so: "ITS" is the id of the call, "OURS" the same as a text."""

    async def answer(asked: Asked) -> bytes:
        if asked.method != "tools/call":
            return usual(asked)
        body = json.dumps(told).replace('"OURS"', json.dumps(str(asked.message["id"])))
        return said(body.replace('"ITS"', str(asked.message["id"])).encode(), status=status)

    return Scripted(answer)


def error(code: int) -> Json:
    """Return an error that answers the request."""
    return {"jsonrpc": "2.0", "id": "ITS", "error": {"code": code, "message": "booked, and not confirmed"}}


async def wrote(federated: Federated, server: Scripted, owner: Owner) -> CommitOutcome:
    """Return how a write to a server ends."""
    async with server.running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, owner)
        ran = await house.commit(spec, "post", order(), text="one")
    return ran.outcome


async def found(federated: Federated, server: Scripted) -> ReadOutcome:
    """Return how a read from a server ends."""
    async with server.running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, Owner(name="scripted", reads=frozenset({"find"})))
        ran = await house.read(spec, "find", text="one")
    return ran.outcome


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("code", [*NOT_REACHED.values(), *AFTER_IT.values()], ids=[*NOT_REACHED, *AFTER_IT])
async def test_no_error_proves_that_a_tool_was_not_reached(federated: Federated, code: int, status: str) -> None:
    outcome = await wrote(federated, answering(error(code), status), Owner(name="scripted"))

    assert isinstance(outcome, Unknown), outcome
    assert "booked, and not confirmed" in outcome.message


@pytest.mark.parametrize("code", NOT_REACHED.values(), ids=NOT_REACHED)
async def test_an_owner_may_vouch_that_a_tool_that_refuses_did_nothing(federated: Federated, code: int) -> None:
    owner = Owner(name="scripted", refuses_definitely=frozenset({"post"}))

    outcome = await wrote(federated, answering(error(code)), owner)

    assert isinstance(outcome, Failed), outcome
    assert outcome.rpc_code == code


@pytest.mark.parametrize("code", AFTER_IT.values(), ids=AFTER_IT)
async def test_nobody_vouches_for_what_is_said_of_a_tool_that_has_answered(federated: Federated, code: int) -> None:
    owner = Owner(name="scripted", refuses_definitely=frozenset({"post"}))

    outcome = await wrote(federated, answering(error(code)), owner)

    assert isinstance(outcome, Unknown), outcome


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("told", SPOKEN.values(), ids=SPOKEN)
async def test_what_answers_something_else_leaves_a_write_in_doubt_and_fails_a_read(
    federated: Federated, told: Json, status: str
) -> None:
    outcome = await wrote(federated, answering(told, status), Owner(name="scripted"))
    read = await found(federated, answering(told, status))

    assert isinstance(outcome, Unknown), outcome
    assert isinstance(read, Failed), read


@pytest.mark.parametrize("told", ["", "no such page", {"error": "invalid_token"}, {"detail": "nothing is here"}])
async def test_a_refusal_that_no_server_of_the_protocol_gives_is_one(federated: Federated, told: Json) -> None:
    outcome = await wrote(federated, answering(told, "404 Not Found"), Owner(name="scripted"))

    assert isinstance(outcome, Failed), outcome
