"""Writes in sessions of the older protocol that their server no longer knows: done once, in another, or not done."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import pytest
from execution_house import Permits, order
from federation_servers import Federated
from scripted_servers import USUAL, Asked, Scripted, result, said, usual

from connectors.mcp_upstream import Owner
from hub.execution import Failed, Succeeded, Unknown

pytestmark = pytest.mark.anyio


@dataclass
class Forgetful:
    """A server of the older protocol that forgets its session when `forgets` says so, and `says` so of requests in it.

    `done` are the calls that it has carried out.
    """

    says: bytes
    forgets: Callable[[int], bool]
    opens: bool = True
    number: int = 0
    done: list[str] = field(default_factory=list[str])

    async def answer(self, asked: Asked) -> bytes:
        """Answer one request."""
        if asked.method != "tools/call":
            is_known = self.opens or asked.method != "initialize"
            return usual(asked, session=str(self.number)) if is_known else said(b"", status="503 Service Unavailable")
        if asked.headers["mcp-session-id"] != str(self.number) or self.forgets(len(self.done)):
            return self.says.replace(b"OURS", str(asked.message["id"]).rjust(4).encode())
        self.done.append(asked.message["params"]["arguments"]["text"])
        return said(result(asked, USUAL["tools/call"]))


def gone(body: bytes, kind: str = "application/json") -> bytes:
    """Return a 404; the id of the request may take the place of OURS in `body`, which is as long."""
    return said(body, kind, status="404 Not Found")


UNKNOWN_SESSION: Final = {
    "no words": gone(b""),
    "plain words": gone(b"session not found", "text/plain"),
    "an error of nothing": gone(b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32001, "message": "no session"}}'),
    "an error by name": gone(b'{"jsonrpc": "2.0", "id": "server-error", "error": {"code": -32600, "message": "no"}}'),
    "an error of the request": gone(b'{"jsonrpc": "2.0", "error": {"code": -32001, "message": "no"}, "id":OURS}'),
}
SOMETHING_ELSE: Final = {
    "another error": gone(b'{"jsonrpc": "2.0", "error": {"code": -32602, "message": "no"}, "id":OURS}'),
    "a result": gone(b'{"jsonrpc": "2.0", "result": {"content": []}, "id":OURS}'),
    "a page": gone(b"<p>Not found</p>", "text/html"),
}


@pytest.mark.parametrize("says", UNKNOWN_SESSION.values(), ids=UNKNOWN_SESSION)
async def test_a_write_in_a_forgotten_session_is_done_once_in_another(federated: Federated, says: bytes) -> None:
    server, permits = Forgetful(says, forgets=lambda _done: False), Permits()
    async with Scripted(server.answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, Owner(name="echo"))
        await house.commit(spec, "post", order(), text="one")

        server.number += 1
        wrote = await house.commit(spec, "post", order(permits), text="two")
        again = await house.commit(spec, "post", order(), text="three")

    assert isinstance(wrote.outcome, Succeeded), wrote
    assert isinstance(again.outcome, Succeeded), again
    assert server.done == ["one", "two", "three"]
    assert permits.asked == 1


@pytest.mark.parametrize("says", UNKNOWN_SESSION.values(), ids=UNKNOWN_SESSION)
async def test_a_write_that_no_session_is_known_for_was_not_done(federated: Federated, says: bytes) -> None:
    server = Forgetful(says, forgets=lambda _done: True)
    scripted = Scripted(server.answer)
    async with scripted.running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, Owner(name="echo"))

        wrote = await house.commit(spec, "post", order(), text="one")

    assert isinstance(wrote.outcome, Failed), wrote
    assert sum(one.method == "tools/call" for one in scripted.seen) == 2


async def test_a_write_for_which_no_other_session_opens_was_not_done(federated: Federated) -> None:
    server = Forgetful(gone(b""), forgets=lambda _done: False)
    async with Scripted(server.answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, Owner(name="echo"))
        await house.commit(spec, "post", order(), text="one")

        server.number, server.opens = 1, False
        wrote = await house.commit(spec, "post", order(), text="two")

    assert isinstance(wrote.outcome, Failed), wrote
    assert wrote.outcome.code == "upstream_unavailable"
    assert server.done == ["one"]


@pytest.mark.parametrize("says", SOMETHING_ELSE.values(), ids=SOMETHING_ELSE)
async def test_another_answer_of_the_kind_is_no_reason_to_send_a_write_again(federated: Federated, says: bytes) -> None:
    server = Forgetful(says, forgets=lambda done: done == 1)
    scripted = Scripted(server.answer)
    async with scripted.running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, Owner(name="echo"))
        await house.commit(spec, "post", order(), text="one")

        wrote = await house.commit(spec, "post", order(), text="two")

    assert isinstance(wrote.outcome, Unknown), wrote
    assert sum(one.method == "tools/call" for one in scripted.seen) == 2
