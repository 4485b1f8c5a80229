"""A connection tells programs how its last calls failed, and since when none is made with it."""

import pytest
from doors.people import LogIn
from doors.working_hub import WorkingHub

from hub.budgets import found, note_failure

pytestmark = pytest.mark.anyio


async def test_an_outage_is_told_with_its_connection_until_it_is_over(hub: WorkingHub, log_in: LogIn) -> None:
    operator, database = await log_in("operator"), hub.database
    (connection, *_) = (await operator.get("/connections")).json()["items"]
    address = f"/connections/{connection['id']}"
    assert connection["outage"] is None

    async with database.transaction() as tx:
        for _ in range(3):
            await note_failure(tx, database, connection["id"], "It answered 502.")
    failing = (await operator.get(address)).json()["outage"]
    async with database.transaction() as tx:
        await found(tx, connection["id"], "It could not be reached.", hub.runtime.authority)
    (down, *_) = (await operator.get("/connections")).json()["items"]
    async with database.transaction() as tx:
        await found(tx, connection["id"], None, hub.runtime.authority)

    assert (failing["failures"], failing["unavailable_since"]) == (3, None)
    assert down["outage"]["reason"] == "It could not be reached."
    assert down["outage"]["unavailable_since"] is not None
    assert (await operator.get(address)).json()["outage"] is None
