"""The ticket API, imported without code, from a search to an undo: through `invoke`, policy and people."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from ticketing_desk import ServiceDesk

from connectors.openapi.report import listed_bytes
from connectors.ticketing import ticketing
from hub.core.errors import ArgumentsInvalid, NotFound
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.mcp.listing import describe_tool
from hub.storage import now

pytestmark = pytest.mark.anyio


async def settled(service_desk: ServiceDesk, invocation: Invocation) -> Invocation:
    """Return the invocation after its pause and the worker's next steps."""
    for _ in range(6):
        async with service_desk.world.runtime.database.transaction() as tx:
            past = {"not_before": await now(tx) - timedelta(seconds=1), "lease_until": None}
            await tx.execute(update(InvocationRow).where(InvocationRow.id == invocation.id).values(past))
        invocation = await resume(invocation.id, service_desk.world.runtime)
        if invocation.state.is_terminal:
            break
    return invocation


async def approved(service_desk: ServiceDesk, asked: Invocation) -> Invocation:
    """Return the invocation after ann has approved it: nobody has proven this connector's undo."""
    await service_desk.world.vote(asked, service_desk.world.ann)
    return await resume(asked.id, service_desk.world.runtime)


async def test_tickets_are_found_and_read(service_desk: ServiceDesk) -> None:
    number = service_desk.desk.put(title="The printer is on fire", state="in_progress")
    service_desk.desk.put(title="The printer is cold")

    found = await service_desk.call("find_tickets", state=["in_progress", "resolved"], words="printer")
    read = await service_desk.call("get_ticket", number=number)

    assert found.state is State.SUCCEEDED
    assert [ticket["number"] for ticket in found.output["tickets"]] == [number]
    assert read.output["title"] == "The printer is on fire"


async def test_a_ticket_is_opened_previewed_and_read_back(service_desk: ServiceDesk) -> None:
    asked = await service_desk.call("create_ticket", title="No coffee", priority="urgent")
    opened = await approved(service_desk, asked)

    assert opened.state is State.VERIFIED
    assert opened.output["number"] == "INC0000001"
    assert opened.preview is not None
    assert opened.preview.preview.changes[0].after == {"title": "No coffee", "priority": "urgent"}
    assert service_desk.desk.tickets["INC0000001"]["priority"] == "urgent"
    assert service_desk.desk.effects == 1


async def test_an_update_shows_before_and_after_and_is_undone_exactly(service_desk: ServiceDesk) -> None:
    number = service_desk.desk.put(title="No coffee", priority="low")
    before = dict(service_desk.desk.tickets[number])

    asked = await service_desk.call("update_ticket", number=number, priority="urgent", assignee="ann")
    changed = await approved(service_desk, asked)

    assert changed.state is State.VERIFIED
    assert changed.preview is not None
    change = changed.preview.preview.changes[0]
    assert change.before is not None
    assert change.after is not None
    assert (change.before["priority"], change.after["priority"]) == ("low", "urgent")
    assert changed.preview.preview.preconditions[0].token == '"1"'

    compensation = ticketing().operation("update_ticket").compensation
    assert compensation is not None
    receipt = {"input": dict(changed.arguments), "output": changed.output, "before": [dict(change.before)]}
    asked = await service_desk.call(compensation.tool, **compensation.arguments_for(receipt))
    undone = await approved(service_desk, asked)

    assert undone.state is State.VERIFIED
    assert {**service_desk.desk.tickets[number], "version": 1} == before


async def test_what_somebody_changed_meanwhile_is_not_overwritten(service_desk: ServiceDesk) -> None:
    number = service_desk.desk.put(title="No coffee")
    asked = await service_desk.call("cancel_ticket", number=number)
    await service_desk.world.vote(asked, service_desk.world.ann)
    service_desk.desk.edit(number, title="No coffee and no tea")

    stale = await resume(asked.id, service_desk.world.runtime)

    assert asked.state is State.AWAITING_APPROVAL
    assert stale.state is State.STALE
    assert service_desk.desk.tickets[number]["state"] == "new"
    assert service_desk.desk.effects == 0


async def test_what_the_desk_refuses_did_not_happen_and_says_why(service_desk: ServiceDesk) -> None:
    number = service_desk.desk.put(title="Done", state="resolved")
    asked = await service_desk.call("cancel_ticket", number=number)
    await service_desk.world.vote(asked, service_desk.world.ann)

    ended = await resume(asked.id, service_desk.world.runtime)

    assert ended.state is State.FAILED
    assert ended.error_message is not None
    assert "A resolved ticket cannot be cancelled." in ended.error_message
    assert service_desk.desk.effects == 0


async def test_a_preview_of_what_is_not_there_fails(service_desk: ServiceDesk) -> None:
    ended = await service_desk.call("update_ticket", number="INC0000404", title="x")

    assert ended.state is State.PREVIEW_FAILED
    assert service_desk.desk.effects == 0


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(service_desk: ServiceDesk) -> None:
    service_desk.desk.loses_next_answer = True

    asked = await service_desk.call("create_ticket", title="No coffee", priority="low")
    lost = await approved(service_desk, asked)
    found = await settled(service_desk, lost)

    assert lost.state is State.RESENDING
    assert found.state is State.VERIFIED
    assert len(service_desk.desk.tickets) == service_desk.desk.effects == 1


async def test_a_comment_which_nothing_can_preview_waits_for_a_person(service_desk: ServiceDesk) -> None:
    number = service_desk.desk.put(title="No coffee")

    asked = await service_desk.call("add_comment", number=number, text="On it.")
    await service_desk.world.vote(asked, service_desk.world.ann)
    done = await resume(asked.id, service_desk.world.runtime)

    assert asked.state is State.AWAITING_APPROVAL
    assert done.state in {State.COMMITTED, State.UNVERIFIABLE}
    assert service_desk.desk.comments == [f"{number}: On it."]


async def test_what_the_overlay_does_not_expose_is_not_there(service_desk: ServiceDesk) -> None:
    with pytest.raises(NotFound):
        await service_desk.call("delete_ticket", number="INC0000001")


async def test_what_only_the_desk_writes_is_no_argument(service_desk: ServiceDesk) -> None:
    with pytest.raises(ArgumentsInvalid, match="number"):
        await service_desk.call("create_ticket", title="x", priority="low", number="INC0000009")


async def test_what_the_report_calls_bytes_per_tool_is_what_a_client_gets(service_desk: ServiceDesk) -> None:
    catalog = service_desk.world.runtime.catalog
    tools = await catalog.page(server="everything", caller=service_desk.caller, after=None, limit=100)

    ours = [tool for tool in tools if tool.tool.connector == "ticketing"]
    for tool in ours:
        listed = describe_tool(tool).model_dump_json(by_alias=True, exclude_none=True)
        assert abs(len(listed.encode()) - listed_bytes(tool.operation)) <= 10  # true is shorter than false
    assert len(ours) == 6
