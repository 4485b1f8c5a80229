"""Progress of a read at a federated server, as its client hears it: in its own terms, and growing only."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from doors.agents import ERAS, Connect
from doors.working_hub import ALL_SCOPES, WorkingHub
from upstream.fixtures import McpUpstream, running_mcp_upstream

from connectors.mcp_upstream import Discovery, Owner
from hub.identity.resources import EVERYTHING
from hub.mcp.relaying import Relay
from hub.registry import Environment, NewConnection, create_connection, disable_connection, get_connection
from hub.registry import register_connector as register

pytestmark = pytest.mark.anyio

SCOPES = ALL_SCOPES | {"talker:read"}


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpUpstream]:
    """A server that answers as a stream."""
    with running_mcp_upstream(tmp_path_factory.mktemp("talker"), "--sse") as server:
        yield server


@pytest.fixture
async def token(hub: WorkingHub, talker: McpUpstream) -> str:
    """A token for an agent that may read from a server that tells of its progress."""
    async with hub.database.transaction() as tx:
        probe = NewConnection(
            name="probe", connector="upstream", environment=Environment.DEV, base_url=talker.url, prefix="p_"
        )
        made = await create_connection(tx, probe, hub.authority)
        await hub.runtime.vault.put(tx, made.id, {"token": "none"}, hub.authority)
        there = await get_connection(tx, made.id)
    found = await hub.runtime.executor.discover(Owner(name="talker", reads=frozenset({"chatty"})), there)
    assert isinstance(found, Discovery), found
    async with hub.database.transaction() as tx:
        await disable_connection(tx, made.id, hub.authority, reason="only for looking")
        await register(tx, found.spec, hub.authority)
        new = NewConnection(
            name="talker", connector="talker", environment=Environment.DEV, base_url=talker.url, prefix="t_"
        )
        await create_connection(tx, new, hub.authority)
    agent = await hub.make_agent("reader", allowed=SCOPES, servers=frozenset({EVERYTHING}))
    return await hub.token(of=agent, granted=SCOPES)


@ERAS
async def test_progress_is_passed_on_to_the_client_that_asks_for_it(connect: Connect, token: str, mode: str) -> None:
    heard = list[tuple[float, float | None, str | None]]()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    async with connect(mode=mode, token=token) as client:
        result = await client.call_tool("t_chatty", {"text": "hello"}, progress_callback=note)
        quiet = await client.call_tool("t_chatty", {"text": "hello"})

    assert not result.is_error
    assert not quiet.is_error
    assert heard == [(1, 2, "step 1"), (2, 2, "step 2")]


@pytest.mark.parametrize("progress", [10**400, float("nan"), float("inf"), True, "1", None])
async def test_progress_that_is_no_number_of_a_client_is_not_passed_on(
    hub: WorkingHub,
    progress: Any,  # noqa: ANN401  # whatever a server says
) -> None:
    passed = list[tuple[float, float | None]]()

    async def send(_token: object, done: float, *, total: float | None, **_: object) -> None:
        passed.append((done, total))

    session = SimpleNamespace(send_progress_notification=send)
    context = SimpleNamespace(meta={"progress_token": 1}, session=session, request_id=1)
    relay = Relay(hub.runtime, SimpleNamespace(caller=hub.caller), context)  # type: ignore[arg-type]  # what it uses of them

    await relay.hear({"method": "notifications/progress", "params": {"progress": progress}})
    await relay.hear({"method": "notifications/progress", "params": {"progress": 1, "total": progress}})

    assert passed == [(1.0, None)]
