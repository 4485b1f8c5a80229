"""A federated library with everything beside tools, which can be connected under several names."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from upstream.fixtures import running

from connectors.mcp_upstream import Discovery, Owner
from connectors.sdk.vocabulary import SERVES
from doors.working_hub import ALL_SCOPES, WorkingHub
from hub.identity.resources import EVERYTHING
from hub.registry import (
    Environment,
    NewConnection,
    create_connection,
    disable_connection,
    get_connection,
    register_connector,
)
from hub.registry.differing import registered

Listed = dict[str, list[dict[str, Any]]]

SCOPES = ALL_SCOPES | {"library:read", "archive:read"}
OWNER = Owner(name="library", reads=frozenset({"quote"}))


@pytest.fixture(scope="module")
def library() -> Iterator[str]:
    with running("upstream.library") as (_, port):
        yield f"http://127.0.0.1:{port}/mcp"


async def library_token(hub: WorkingHub, library: str) -> str:
    """Connect the library; return a token for an agent that may read it."""
    await connect_library(hub, library, "library")
    agent = await hub.make_agent("reader", allowed=SCOPES, servers=frozenset({EVERYTHING}))
    return await hub.token(of=agent, granted=SCOPES)


async def connect_library(hub: WorkingHub, url: str, name: str) -> str:
    """Connect a library under a name; return the connection's id."""
    async with hub.database.transaction() as tx:
        probe = NewConnection(
            name=f"probe-{name}", connector="upstream", environment=Environment.DEV, base_url=url, prefix=f"{name[0]}_"
        )
        made = await create_connection(tx, probe, hub.authority)
        await hub.runtime.vault.put(tx, made.id, {"token": "none"}, hub.authority)
        there = await get_connection(tx, made.id)
    found = await hub.runtime.executor.discover(Owner(name=name, reads=OWNER.reads), there)
    assert isinstance(found, Discovery), found
    async with hub.database.transaction() as tx:
        await disable_connection(tx, made.id, hub.authority, reason="only for looking")
        await register_connector(tx, found.spec, hub.authority)
        new = NewConnection(
            name=name,
            connector=name,
            environment=Environment.DEV,
            base_url=url,
            prefix="" if name == "library" else "a_",
        )
        return (await create_connection(tx, new, hub.authority)).id


async def lists_also(hub: WorkingHub, connector: str, more: dict[str, list[dict[str, str]]]) -> None:
    """Let a server list more than it has, in these lists by their names."""
    await _lists(hub, connector, lambda listed: {name: [*listed[name], *more.get(name, [])] for name in listed})


async def lists_alone(hub: WorkingHub, connector: str, instead: dict[str, list[dict[str, str]]]) -> None:
    """Let a server list these things in place of what it has, in these lists by their names."""
    await _lists(hub, connector, lambda listed: {name: instead.get(name, kept) for name, kept in listed.items()})


async def lists_nothing(hub: WorkingHub, connector: str) -> None:
    """Let a server offer its tools alone."""
    async with hub.database.transaction() as tx:
        spec = await registered(tx, connector)
        assert spec is not None
        tools = tuple(one for one in spec.operations if SERVES not in one.binding)
        await register_connector(tx, spec.model_copy(update={"operations": tools}), hub.authority)


async def _lists(hub: WorkingHub, connector: str, changed: Callable[[Listed], Listed]) -> None:
    async with hub.database.transaction() as tx:
        spec = await registered(tx, connector)
        assert spec is not None
        bindings = [{**one.binding, "listed": changed(one.binding.get("listed", {}))} for one in spec.operations]
        pairs = zip(spec.operations, bindings, strict=True)
        operations = tuple(one.model_copy(update={"binding": binding}) for one, binding in pairs)
        await register_connector(tx, spec.model_copy(update={"operations": operations}), hub.authority)
