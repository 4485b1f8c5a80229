"""Events to append, and ways to append them."""

from collections.abc import Awaitable, Callable

import pytest

from hub.audit import Event, EventKind, append_many
from hub.keys import Keyring
from hub.storage import Database

Append = Callable[[int], Awaitable[list[str]]]


def sample_event(number: int) -> Event:
    """Return an event with a plain fact and two private values."""
    return Event(
        kind=EventKind.COMMIT_SENT,
        subject=f"inv_{number}",
        actor="prn_agent",
        run_id="run_1",
        facts={"number": number, "tool": "sale_confirm"},
        private={"arguments": {"party": f"Müller {number}"}, "email": f"a{number}@example.org"},
    )


@pytest.fixture
def append_events(database: Database, keys: Keyring) -> Append:
    """Append so many sample events in one transaction; returns their ids."""

    async def append_events(count: int) -> list[str]:
        async with database.transaction() as tx:
            return await append_many(tx, [sample_event(number) for number in range(count)], keys)

    return append_events
