"""A federated server that asks the client of a read, and tokens of agents that may read from it."""

from collections.abc import Iterator
from typing import Final

import pytest
from upstream.fixtures import running

from connectors.mcp_upstream import Discovery, Owner
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

SCOPES: Final = ALL_SCOPES | {"asker:read", "asker:write"}
ROUNDS: Final = "test_input_required_result_multi_round"
GREETS: Final = "test_input_required_result_elicitation"
TALKS: Final = "test_tool_with_logging"
WRITES: Final = "test_input_required_result_capabilities"
"""Its owner does not say that it only reads."""
OWNER: Final = Owner(name="asker", reads=frozenset({ROUNDS, GREETS, TALKS, "test_missing_capability"}))


@pytest.fixture(scope="module")
def asker() -> Iterator[str]:
    with running("conformance.everything") as (_, port):
        yield f"http://127.0.0.1:{port}/mcp"


async def token_for(hub: WorkingHub, asker: str, name: str, *, connect: bool = False) -> str:
    """Return a token of a new agent; the server that asks is connected first, if it has not been."""
    if connect:
        async with hub.database.transaction() as tx:
            looking = NewConnection(
                name="looking", connector="upstream", environment=Environment.DEV, base_url=asker, prefix="l_"
            )
            made = await create_connection(tx, looking, hub.authority)
            await hub.runtime.vault.put(tx, made.id, {"token": "none"}, hub.authority)
            there = await get_connection(tx, made.id)
        found = await hub.runtime.executor.discover(OWNER, there)
        assert isinstance(found, Discovery), found
        async with hub.database.transaction() as tx:
            await disable_connection(tx, made.id, hub.authority, reason="only for looking")
            await register_connector(tx, found.spec, hub.authority)
            new = NewConnection(name="asker", connector="asker", environment=Environment.DEV, base_url=asker)
            await create_connection(tx, new, hub.authority)
    agent = await hub.make_agent(name, allowed=SCOPES, servers=frozenset({EVERYTHING}))
    return await hub.token(of=agent, granted=SCOPES)
