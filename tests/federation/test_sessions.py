"""The older protocol's sessions: opened once and kept, opened again when the server has forgotten them."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from execution_house import order
from federation_servers import Federated, text_of, unruly_over_http
from scripted_servers import OWNER, USUAL, Asked, Scripted, events, result, said, usual
from upstream.fixtures import running_mcp_upstream

from connectors.mcp_upstream import Owner
from connectors.sdk.auth import AuthSpec
from hub.execution import Client, Failed, News, Succeeded
from hub.registry import ConnectionChange, change_connection

pytestmark = pytest.mark.anyio


async def test_a_session_is_opened_once_for_many_calls(federated: Federated, tmp_path: Path) -> None:
    with running_mcp_upstream(tmp_path, "--era", "legacy", "--sse", "--sessions") as server:
        house = await federated.connect(server.url)
        spec = await federated.discovered(house, Owner(name="notes", reads=frozenset({"add"})))

        reads = [await house.read(spec, "add", a=1, b=number) for number in range(4)]
        written = await house.commit(spec, "notes_post", order(), text="hi")

    assert spec.operation("add").binding["opens_sessions"] is True
    assert [one.outcome.output["structuredContent"]["sum"] for one in reads if isinstance(one.outcome, Succeeded)] == [
        1,
        2,
        3,
        4,
    ]
    assert [len(one.passage.transcript) for one in reads] == [1, 1, 1, 1]
    assert isinstance(written.outcome, Succeeded), written


async def test_a_read_finds_another_session_when_the_server_has_forgotten_the_one_there_was(
    federated: Federated,
) -> None:
    with unruly_over_http("forgetful") as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house)

        reads = [await house.read(spec, "echo", text=str(number)) for number in range(3)]

    assert [text_of(one.outcome) for one in reads if isinstance(one.outcome, Succeeded)] == ["0", "1", "2"]


async def test_no_two_calls_under_way_in_a_session_have_the_same_token_of_progress(federated: Federated) -> None:
    tokens, both, heard = list[object](), asyncio.Event(), list[Mapping[str, Any]]()

    async def answer(asked: Asked) -> bytes:
        if asked.method != "tools/call":
            return usual(asked, session="s1")
        token = asked.message["params"]["_meta"]["progressToken"]
        tokens.append(token)
        if len(tokens) == 2:
            both.set()
        await both.wait()
        note = {"method": "notifications/progress", "params": {"progressToken": token, "progress": 1}}
        return events(json.dumps({"jsonrpc": "2.0", **note}).encode(), result(asked, USUAL["tools/call"]))

    async def hear(message: Mapping[str, Any]) -> None:
        heard.append(message)

    async with Scripted(answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        read = house.executor.read
        target = house.target(spec, "find")
        ran = await asyncio.gather(
            *(read(target, {"text": "a"}, deadline_seconds=20, client=Client(hear=hear)) for _ in range(2))
        )

    assert all(isinstance(one.outcome, Succeeded) for one in ran), ran
    assert len(set(tokens)) == 2
    assert sorted(one["params"]["progressToken"] for one in heard) == sorted(tokens, key=str)


@pytest.mark.parametrize(
    ("version", "session"), [("2025-11-25\u00e9", "s1"), ("2025-11-25\r\nx-more: 1", "s1"), ("2025-11-25", "s\u00e9")]
)
async def test_a_session_that_no_header_can_name_is_not_opened_and_leaves_no_doubt(
    federated: Federated, version: str, session: str
) -> None:
    opened = list[str]()

    async def answer(asked: Asked) -> bytes:
        if asked.method != "initialize":
            return usual(asked, session="s1")
        opened.append(asked.method)
        if len(opened) == 1:
            return usual(asked, session="s1")
        about = result(asked, {**USUAL["initialize"], "protocolVersion": version})
        return said(about, headers="mcp-session-id: NAMED\r\n").replace(b"NAMED", session.encode())

    scripted = Scripted(answer)
    async with scripted.running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        wrote = await house.commit(spec, "post", order(), text="x")

    assert isinstance(wrote.outcome, Failed), wrote
    assert wrote.outcome.code == "upstream_unavailable"
    assert "No header can carry" in wrote.outcome.message
    assert not any(one.method == "tools/call" for one in scripted.seen)


async def test_a_server_that_opens_no_session_for_now_is_not_asked_for_one_before_it_says(federated: Federated) -> None:
    opened = list[str]()

    async def answer(asked: Asked) -> bytes:
        if asked.method == "initialize":
            opened.append(asked.method)
        if len(opened) > 1:
            return said(b"", status="503 Service Unavailable", headers="retry-after: 60\r\n")
        return usual(asked, session="s1")

    async with Scripted(answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        wrote = [(await house.commit(spec, "post", order(), text="x")).outcome for _ in range(2)]

    assert all(isinstance(one, Failed) and one.code == "upstream_unavailable" for one in wrote), wrote
    assert isinstance(wrote[1], Failed)
    assert "try again in" in wrote[1].message
    assert len(opened) == 2  # to be met, and for the first call


class Keeping:
    """What a server of the older protocol does that gives each handshake a session, and lets clients end them."""

    def __init__(self, *, answers_the_end: bool = True) -> None:
        self.opened: list[str] = []
        self.ended: list[tuple[str, str]] = []
        self.all_ended = asyncio.Event()
        self.listened_to = asyncio.Event()
        self._answers_the_end = answers_the_end

    async def answer(self, asked: Asked) -> bytes:
        """Answer one request."""
        if asked.verb == "DELETE":
            self.ended.append((asked.headers["mcp-session-id"], asked.headers.get("authorization", "")))
            if len(self.ended) == len(self.opened):
                self.all_ended.set()
            if not self._answers_the_end:
                await asyncio.Event().wait()
            return said(b"", status="405 Method Not Allowed")
        if asked.verb == "GET":
            self.listened_to.set()
            await asyncio.Event().wait()
        if asked.method == "initialize":
            self.opened.append(f"s{len(self.opened)}")
        return usual(asked, session=self.opened[-1] if self.opened else "none")


async def test_the_session_of_a_stream_ends_with_it(federated: Federated) -> None:
    keeping = Keeping()
    async with Scripted(keeping.answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        news = News(uris=(), tell=lambda _message: None, opened=lambda: None)
        listening = asyncio.create_task(house.executor.listen(spec, house.connection, news))
        await keeping.listened_to.wait()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await house.executor._upstreams.close()
        await keeping.all_ended.wait()

    assert sorted(session for session, _ in keeping.ended) == ["s0", "s1"] == keeping.opened


@pytest.mark.parametrize("answers_the_end", [True, False])
async def test_a_session_ends_when_its_connection_becomes_another_whatever_the_server_makes_of_it(
    federated: Federated, *, answers_the_end: bool
) -> None:
    keeping = Keeping(answers_the_end=answers_the_end)
    bearer = Owner(name="scripted", reads=OWNER.reads, auth=AuthSpec(kind="bearer", secret_fields=("token",)))
    async with Scripted(keeping.answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, bearer)
        before = await house.read(spec, "find", text="x")
        async with house.database.transaction() as tx:
            change = ConnectionChange(settings={"limits": {"connections": 1}})
            house.connection = await change_connection(tx, house.connection.id, change, house.authority)
        reads = [await house.read(spec, "find", text="x") for _ in range(3)]
        await house.executor._upstreams.close()
        await keeping.all_ended.wait()

    assert all(isinstance(ran.outcome, Succeeded) for ran in (before, *reads)), reads
    assert keeping.opened == ["s0", "s1", "s2"]  # to list its tools, before the change and after it
    assert sorted(keeping.ended) == [(session, "Bearer none") for session in keeping.opened]
