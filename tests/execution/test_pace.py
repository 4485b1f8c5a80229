"""A connector's declared rate is kept for each connection, whoever calls."""

import pytest
from execution_house import ITEMS, House
from upstream.fixtures import Upstream

from connectors.sdk import RateLimit
from hub.execution import Failed, Succeeded

pytestmark = pytest.mark.anyio

SLOW = ITEMS.model_copy(update={"rate": RateLimit(2, per="hour", burst=2)})


async def test_calls_beyond_the_rate_are_told_when_to_try_again_and_never_sent(
    house: House, upstream: Upstream
) -> None:
    allowed = [(await house.read(SLOW, "item_get", id=1)).outcome for _ in range(2)]

    ran = await house.read(SLOW, "item_get", id=1)
    other = await house.connect()
    on_another_connection = await house.read(SLOW, "item_get", id=1)

    assert all(isinstance(outcome, Succeeded) for outcome in (*allowed, on_another_connection.outcome))
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.code == "upstream_unavailable"
    assert "The system may not be asked so often; try again in" in ran.outcome.message
    assert [entry.verdict for entry in ran.passage.transcript] == ["not sent"]
    assert len(upstream.store.requests()) == 3
    assert other.id == house.connection.id
