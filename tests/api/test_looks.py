"""Whoever is shown what a call says and takes no part in it needs a role for that, and leaves an event."""

import pytest
from doors.people import LogIn
from doors.working_hub import WorkingHub
from sqlalchemy import update

from hub.audit import AuditEvent, EventKind, events_of
from hub.identity.accounts import set_groups
from hub.invocations.invoke import invoke
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Call

pytestmark = pytest.mark.anyio


async def in_doubt(hub: WorkingHub) -> str:
    """Return a write of which nobody knows whether it has happened."""
    call = Call(
        caller=hub.caller, server="everything", tool="ticket_create", arguments={"title": "x"}, trace_id="0" * 32
    )
    asked = await invoke(call, hub.runtime)
    async with hub.database.transaction() as tx:
        mine = update(InvocationRow).where(InvocationRow.id == asked.id)
        await tx.execute(mine.values(state=State.IN_DOUBT.value))
    return asked.id


async def looks_at(hub: WorkingHub, subject: str) -> list[AuditEvent]:
    async with hub.database.reading() as tx:
        return [event for event in await events_of(tx, subject) if event.kind is EventKind.BODIES_READ]


async def test_an_operator_who_lists_doubts_leaves_an_event_of_each(hub: WorkingHub, log_in: LogIn) -> None:
    doubt = await in_doubt(hub)

    listed = (await (await log_in("operator")).get("/invocations/doubts")).json()["items"]

    (look,) = await looks_at(hub, doubt)
    assert [one["id"] for one in listed] == [doubt]
    assert (look.actor, look.facts["fields"]) == (hub.people["operator"].id, ["arguments", "claims", "result"])


async def test_an_operator_who_settles_a_doubt_is_on_record_as_who_settled_it(hub: WorkingHub, log_in: LogIn) -> None:
    doubt = await in_doubt(hub)
    found = {"has_happened": True, "reason": "I looked."}

    settled = await (await log_in("operator")).send("PUT", f"/invocations/{doubt}/resolution", found)

    assert settled.status_code == 200
    assert await looks_at(hub, doubt) == []
    async with hub.database.reading() as tx:
        (resolved,) = [one for one in await events_of(tx, doubt) if one.kind is EventKind.COMMIT_RESOLVED]
    assert resolved.actor == hub.people["operator"].id


async def test_an_auditor_who_opens_values_leaves_an_event(hub: WorkingHub, log_in: LogIn) -> None:
    doubt = await in_doubt(hub)
    async with hub.database.reading() as tx:
        first, *_ = await events_of(tx, doubt)

    opened = await (await log_in("auditor")).send("POST", f"/audit/events/{first.id}/values")

    (look,) = await looks_at(hub, first.id)
    assert opened.json()["values"]["arguments"] == {"title": "x"}
    assert (look.actor, "arguments" in look.facts["fields"]) == (hub.people["auditor"].id, True)


async def test_an_export_with_values_is_on_record_as_such(hub: WorkingHub, log_in: LogIn) -> None:
    await (await log_in("auditor")).send("POST", "/audit/exports", {"with_values": True})

    async with hub.database.reading() as tx:
        *_, exported = await events_of(tx, "audit")
    assert exported.kind is EventKind.LOG_EXPORTED
    assert (exported.actor, exported.facts["values"]) == (hub.people["auditor"].id, True)


async def test_whose_call_it_is_reads_it_without_an_event(hub: WorkingHub, log_in: LogIn) -> None:
    doubt = await in_doubt(hub)

    await (await log_in("requester")).get(f"/invocations/{doubt}")

    assert await looks_at(hub, doubt) == []


async def written(hub: WorkingHub) -> str:
    """Return a write that waits for an approver."""
    call = Call(
        caller=hub.caller, server="everything", tool="ticket_create", arguments={"title": "4711"}, trace_id="0" * 32
    )
    return (await invoke(call, hub.runtime)).id


async def join_approvers(hub: WorkingHub, name: str) -> None:
    person = hub.people[name]
    async with hub.database.transaction() as tx:
        await set_groups(tx, person.id, person.groups | {"approvers"}, hub.authority)


async def test_whoever_would_have_been_asked_and_reads_what_is_over_leaves_an_event(
    hub: WorkingHub, log_in: LogIn
) -> None:
    asked = await written(hub)
    await hub.vote(asked, "approver")
    await hub.let_the_worker_work()
    await join_approvers(hub, "controller")

    read = await (await log_in("controller")).get(f"/approvals/{asked}")

    assert (read.status_code, "4711" in read.text) == (200, True)
    assert [look.actor for look in await looks_at(hub, asked)] == [hub.people["controller"].id]


async def test_whoever_may_vote_or_has_voted_reads_without_an_event(hub: WorkingHub, log_in: LogIn) -> None:
    asked = await written(hub)
    await join_approvers(hub, "controller")
    voter = await log_in("approver")

    for person in (voter, await log_in("controller")):
        assert (await person.get(f"/approvals/{asked}")).status_code == 200
    await hub.vote(asked, "approver")
    await hub.let_the_worker_work()
    assert (await voter.get(f"/approvals/{asked}")).status_code == 200

    assert await looks_at(hub, asked) == []


async def test_a_look_at_what_waits_is_none_at_its_result(hub: WorkingHub, log_in: LogIn) -> None:
    asked = await written(hub)
    operator, her = await log_in("operator"), hub.people["operator"].id
    for _ in range(2):
        assert (await operator.get(f"/approvals/{asked}")).status_code == 200
    assert [look.actor for look in await looks_at(hub, asked)] == [her]
    await hub.vote(asked, "approver")
    await hub.let_the_worker_work()
    await join_approvers(hub, "operator")

    for _ in range(2):
        assert (await operator.get(f"/approvals/{asked}")).status_code == 200

    assert [look.actor for look in await looks_at(hub, asked)] == [her, her]
