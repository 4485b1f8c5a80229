"""A federated server that asks the client of a read, and tokens of agents that may read from it."""

from collections.abc import Iterator
from typing import Final

import pytest
from upstream.fixtures import running

from connectors.mcp_upstream import Owner
from doors.federated import connect_federated
from doors.working_hub import ALL_SCOPES, WorkingHub
from hub.identity.resources import EVERYTHING

SCOPES: Final = ALL_SCOPES | {"asker:read", "asker:write"}
ROUNDS: Final = "test_input_required_result_multi_round"
GREETS: Final = "test_input_required_result_elicitation"
TALKS: Final = "test_tool_with_logging"
WRITES: Final = "test_input_required_result_capabilities"
"""Its owner does not say that it only reads."""
SEVERAL: Final = "test_input_required_result_multiple_inputs"
WORKS: Final = "test_tool_with_task"
"""It asks at once, and takes a second once it has been replied to."""
BREAKS: Final = "protocol_error_job"
LACKS: Final = "test_missing_capability"
OWNER: Final = Owner(name="asker", reads=frozenset({ROUNDS, GREETS, TALKS, SEVERAL, WORKS, BREAKS, LACKS}))


@pytest.fixture(scope="module")
def asker() -> Iterator[str]:
    with running("conformance.everything") as (_, port):
        yield f"http://127.0.0.1:{port}/mcp"


async def token_for(hub: WorkingHub, asker: str, name: str, *, connect: bool = False) -> str:
    """Return a token of a new agent; the server that asks is connected first, if it has not been."""
    if connect:
        await connect_federated(hub.runtime, OWNER, asker)
    agent = await hub.make_agent(name, allowed=SCOPES, servers=frozenset({EVERYTHING}))
    return await hub.token(of=agent, granted=SCOPES)
