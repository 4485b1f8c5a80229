"""One of each thing that an operation of the API can be about."""

from doors.grants import grant_like
from doors.pins import something_said
from doors.working_hub import WorkingHub
from hub import audit
from hub.invocations.invoke import invoke
from hub.invocations.promoting import ask_for
from hub.invocations.values import Call
from hub.metrics import NewCentre, open_centre
from hub.promotions import Wish
from hub.registry import (
    Environment,
    NewServer,
    Offer,
    ServerDefinition,
    create_server,
    find_tool,
    propose_server,
    publish,
)


async def things(hub: WorkingHub) -> dict[str, str]:
    """Make one of each thing an operation can be about, and return what they are called."""
    async with hub.database.transaction() as tx:
        await create_server(tx, NewServer(name="sales", environment=Environment.DEV, title="Sales"), hub.authority)
        tool, other = await find_tool(tx, "upstream", "item_get"), await find_tool(tx, "upstream", "item_find")
        assert tool is not None
        assert other is not None
        offer = Offer(server="sales", tool_id=other.id, connection_id=hub.connection.id)
        await publish(tx, offer, hub.authority)
    call = Call(
        caller=hub.caller, server="everything", tool="ticket_create", arguments={"title": "x"}, trace_id="0" * 32
    )
    asked = await invoke(call, hub.runtime)
    grant = await grant_like(hub, asked.id)
    async with hub.database.transaction() as tx:
        new = NewCentre(code="0815", title="Sales", owner=hub.people["owner"].name)
        centre = await open_centre(tx, new, hub.people["administrator"], hub.authority)
    live = ServerDefinition(name="live", environment=Environment.PROD, title="Live")
    async with hub.database.transaction() as tx:
        proposal = await propose_server(tx, live, "It is time.", hub.authority)
    wish = Wish(connector="upstream", environment=Environment.STAGING, reason="It works.")
    promotion = await ask_for(wish, hub.runtime, hub.authority)
    async with hub.database.reading() as tx:
        first, *_ = await audit.events_of(tx, asked.id)
    await audit.sequence(hub.database, hub.runtime.keys)
    return {
        "event_id": first.id,
        "tool_id": tool.id,
        "connector": "upstream",
        "runner_id": "rnr_06dvh3x5m8qk2v7c1n4pz9tbwr",
        "name": "item_get",
        "connection_id": hub.connection.id,
        "server": "sales",
        "user_id": hub.people["nobody"].id,
        "issuer": "acme",
        "agent_id": hub.agent.id,
        "environment": "dev",
        "server_proposal_id": proposal.id,
        "proposal_id": "bdl_06dvh3x5m8qk2v7c1n4pz9tbwr",
        "secret_id": "sec_06dvh3x5m8qk2v7c1n4pz9tbwr",
        "invocation_id": asked.id,
        "promotion_id": promotion.id,
        "pin_id": await something_said(hub),
        "grant_id": grant.id,
        "centre_id": centre.id,
        "deputyship_id": "dep_06dvh3x5m8qk2v7c1n4pz9tbwr",
        "review_id": "rev_06dvh3x5m8qk2v7c1n4pz9tbwr",
        "erasure_id": "ers_06dvh3x5m8qk2v7c1n4pz9tbwr",
        "hold_id": "hld_06dvh3x5m8qk2v7c1n4pz9tbwr",
        "limit_id": "lim_06dvh3x5m8qk2v7c1n4pz9tbwr",
        "kind": "agent",
    }
