"""Writes in sessions of the older protocol that their server no longer knows: done once, in another, or not done."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from execution_house import Permits, order
from federation_servers import Federated
from scripted_servers import HANGS_UP, OWNER, USUAL, Asked, Scripted, result, said, usual

from connectors.mcp_upstream import Owner
from hub.execution import Failed, Ran, Succeeded, Unknown

pytestmark = pytest.mark.anyio


@dataclass
class Forgetful:
    """A server of the older protocol that forgets its session when `forgets` says so, and `says` so of requests in it.

    `done` are the calls that it has carried out. `alive` is what it answers to a ping of whoever it says so to.
    """

    says: bytes
    forgets: Callable[[int], bool]
    opens: bool = True
    alive: bytes = b""
    number: int = 0
    done: list[str] = field(default_factory=list[str])

    async def answer(self, asked: Asked) -> bytes:
        """Answer one request."""
        if asked.method not in {"tools/call", "ping"}:
            is_known = self.opens or asked.method != "initialize"
            return usual(asked, session=str(self.number)) if is_known else said(b"", status="503 Service Unavailable")
        if asked.headers["mcp-session-id"] != str(self.number) or self.forgets(len(self.done)):
            said_so = self.alive or self.says if asked.method == "ping" else self.says
            return said_so.replace(b"OURS", str(asked.message["id"]).rjust(4).encode())
        self.done.append(asked.message["params"]["arguments"]["text"])
        return said(result(asked, USUAL["tools/call"]))


def gone(body: bytes, kind: str = "application/json") -> bytes:
    """Return a 404; the id of the request may take the place of OURS in `body`, which is as long."""
    return said(body, kind, status="404 Not Found")


def bad(body: bytes, kind: str = "application/json") -> bytes:
    """Return a 400, as `gone` returns a 404."""
    return said(body, kind, status="400 Bad Request")


REFUSED: Final = {
    "no words, 400": bad(b""),
    "plain words, 400": bad(b"Bad Request: No valid session ID provided", "text/plain"),
    "other words, 400": bad("\u4f1a\u8bdd\u4e0d\u5b58\u5728".encode(), "text/plain; charset=utf-8"),
    "an error of nothing, 400": bad(
        b'{"jsonrpc": "2.0", "error": {"code": -32000, "message": "Bad Request: Server not initialized"}, "id": null}'
    ),
    "an error by name, 400": bad(b'{"jsonrpc": "2.0", "id": "server-error", "error": {"code": -32600, "message": ""}}'),
}
"""How servers refuse a session that they do not know, and other requests as well."""
UNKNOWN_SESSION: Final = {
    "no words": gone(b""),
    "plain words": gone(b"session not found", "text/plain"),
    "an error of nothing": gone(b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32001, "message": "no session"}}'),
    "an error by name": gone(b'{"jsonrpc": "2.0", "id": "server-error", "error": {"code": -32600, "message": "no"}}'),
    "an error of the request": gone(b'{"jsonrpc": "2.0", "error": {"code": -32001, "message": "no"}, "id":OURS}'),
    "an exception": gone(b'{"jsonRpcError": {"code": -32603, "message": "Session not found: 1"}, "cause": null}'),
    "a problem": gone(b'{"title": "Not Found", "detail": "There is no such session."}', "application/problem+json"),
    "a text of JSON": gone(b'"Session not found"'),
    **REFUSED,
}
SOMETHING_ELSE: Final = {
    "a result by name": gone(b'{"jsonrpc": "2.0", "id": "OURS", "result": {"content": []}}'),
    "a result of nothing": gone(b'{"jsonrpc": "2.0", "id": null, "result": {"content": []}}'),
    "an error by the name of the request": gone(b'{"jsonrpc": "2.0", "id": "OURS", "error": {"code": -32001}}'),
    "a list": gone(b'[{"jsonrpc": "2.0", "id":OURS, "result": {"content": []}}]'),
    "what is too deep to be read": gone(b"[" * 20000),
    "an internal error of nothing": gone(
        b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32603, "message": "lost"}}'
    ),
    "another error": gone(b'{"jsonrpc": "2.0", "error": {"code": -32602, "message": "no"}, "id":OURS}'),
    "a result": gone(b'{"jsonrpc": "2.0", "result": {"content": []}, "id":OURS}'),
    "a page": gone(b"<p>Not found</p>", "text/html"),
    "another error, 400": bad(b'{"jsonrpc": "2.0", "error": {"code": -32602, "message": "no"}, "id":OURS}'),
    "a result, 400": bad(b'{"jsonrpc": "2.0", "result": {"content": []}, "id":OURS}'),
    "a page, 400": bad(b"<p>Bad request</p>", "text/html"),
}
ALIVE: Final = {
    "a result": said(b'{"jsonrpc": "2.0", "result": {}, "id":OURS}'),
    "an error of it": said(b'{"jsonrpc": "2.0", "error": {"code": -32601, "message": "no"}, "id":OURS}'),
    "a refusal of it": bad(b'{"jsonrpc": "2.0", "error": {"code": -32601, "message": "no"}, "id":OURS}'),
    "a page": bad(b"<p>Bad request</p>", "text/html"),
    "another status": said(b"", status="503 Service Unavailable"),
    "nothing": b"HTTP/1.1 400 Bad Request\r\n" + HANGS_UP.encode(),
}
"""What says to a ping that the session may be there yet."""


def lines(ran: Ran[Any]) -> list[tuple[str | None, str, int | None]]:
    """Return what went out in a run: what each request asked for, what became of it, and the status of its answer."""
    return [(one.operation, one.verdict, one.status) for one in ran.passage.transcript]


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
    status = int(says.split()[1])
    assert lines(wrote) == [
        ("ping", "answered", status),
        ("tools/call/post", "turned away", status),
        ("tools/call/post", "answered", 200),
    ]


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
    assert [line[:2] for line in lines(wrote)] == [("ping", "answered"), ("tools/call/post", "turned away")] * 2


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
    assert [line[:2] for line in lines(wrote)] == [
        ("ping", "answered"),
        ("tools/call/post", "turned away"),
        ("tools/call/post", "not sent"),
    ]


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
    methods = [one.method for one in scripted.seen]
    assert (methods.count("tools/call"), methods.count("ping")) == (2, 0)


@pytest.mark.parametrize("says", UNKNOWN_SESSION.values(), ids=UNKNOWN_SESSION)
async def test_nothing_is_sent_again_where_a_ping_finds_the_session(federated: Federated, says: bytes) -> None:
    server = Forgetful(says, forgets=lambda done: done == 1, alive=ALIVE["a result"])
    scripted = Scripted(server.answer)
    async with scripted.running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, Owner(name="echo"))
        await house.commit(spec, "post", order(), text="one")

        wrote = await house.commit(spec, "post", order(), text="two")

    methods = [one.method for one in scripted.seen]
    assert (methods.count("tools/call"), methods.count("ping")) == (2, 1)
    is_input = b" 400 " in says and b"jsonrpc" not in says  # of which the protocol has 400: the server cannot accept it
    assert isinstance(wrote.outcome, Failed if is_input else Unknown), wrote


@pytest.mark.parametrize("alive", ALIVE.values(), ids=ALIVE)
async def test_a_404_in_a_session_that_may_be_there_yet_proves_nothing(federated: Federated, alive: bytes) -> None:
    """The protocol has it say that the session is over; what else said so, may have asked the tool."""
    server = Forgetful(UNKNOWN_SESSION["a problem"], forgets=lambda done: done == 1, alive=alive)
    async with Scripted(server.answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        await house.commit(spec, "post", order(), text="one")

        wrote = await house.commit(spec, "post", order(), text="two")

    assert isinstance(wrote.outcome, Unknown), wrote
    assert lines(wrote)[-1] == ("tools/call/post", "unknown", 404)


async def test_any_404_ends_a_session_for_reads_and_for_what_comes_next(federated: Federated) -> None:
    server = Forgetful(SOMETHING_ELSE["a page"], forgets=lambda _done: False)
    async with Scripted(server.answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        await house.commit(spec, "post", order(), text="one")

        server.number += 1
        wrote = [(await house.commit(spec, "post", order(), text=text)).outcome for text in ("two", "three")]
        server.number += 1
        read = await house.read(spec, "find", text="four")

    assert [type(one) for one in wrote] == [Unknown, Succeeded]
    assert isinstance(read.outcome, Succeeded), read
    assert server.done == ["one", "three", "four"]


@pytest.mark.parametrize("says", REFUSED.values(), ids=REFUSED)
async def test_a_read_in_a_session_that_is_refused_finds_another(federated: Federated, says: bytes) -> None:
    server = Forgetful(says, forgets=lambda _done: False)
    async with Scripted(server.answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        await house.read(spec, "find", text="one")

        server.number += 1
        read = await house.read(spec, "find", text="two")

    assert isinstance(read.outcome, Succeeded), read
    assert server.done == ["one", "two"]
    assert [line[:2] for line in lines(read)][-2:] == [
        ("tools/call/find", "turned away"),
        ("tools/call/find", "answered"),
    ]


@pytest.mark.parametrize("alive", ALIVE.values(), ids=ALIVE)
async def test_what_is_refused_in_a_session_that_may_be_there_yet_is_not_sent_again(
    federated: Federated, alive: bytes
) -> None:
    server = Forgetful(REFUSED["plain words, 400"], forgets=lambda done: done == 1, alive=alive)
    scripted = Scripted(server.answer)
    async with scripted.running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        await house.commit(spec, "post", order(), text="one")

        wrote = await house.commit(spec, "post", order(), text="two")
        read = await house.read(spec, "find", text="three")

    assert isinstance(wrote.outcome, Failed), wrote
    assert wrote.outcome.code == "upstream_refused"
    assert isinstance(read.outcome, Failed), read
    methods = [one.method for one in scripted.seen]
    assert methods.count("tools/call") == 3
    assert methods.count("initialize") == 2  # to be met, and for all calls


async def test_a_refusal_where_there_are_no_sessions_is_one_of_the_request(federated: Federated) -> None:
    async def answer(asked: Asked) -> bytes:
        if asked.method == "tools/call":
            return REFUSED["an error of nothing, 400"]
        return usual(asked, session="none").replace(b"mcp-session-id: none\r\n", b"")

    scripted = Scripted(answer)
    async with scripted.running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        wrote = await house.commit(spec, "post", order(), text="one")

    assert isinstance(wrote.outcome, Unknown), wrote
    methods = [one.method for one in scripted.seen]
    assert (methods.count("tools/call"), methods.count("ping")) == (1, 0)
