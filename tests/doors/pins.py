"""What a server says otherwise than was accepted, for the tests of doors."""

from upstream.connector import connector

from doors.working_hub import WorkingHub
from hub.pins import Looked, propose
from hub.registry import newest_release


async def something_said(hub: WorkingHub) -> str:
    """Let the test system say something; return the id of what waits for the connector's owner."""
    async with hub.database.transaction() as tx:
        base = (await newest_release(tx, "upstream")).digest
        looked = Looked.at(connector.spec, connection_id=hub.connection.id, base=base, advice=())
        change = await propose(tx, looked, hub.authority)
    assert change is not None
    return change.id
