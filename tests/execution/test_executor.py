"""The executor with real connectors, real processes and a real system that fails on command."""

import asyncio
import json
import logging
from contextlib import ExitStack
from dataclasses import replace

import attacker
import pytest
from execution_house import ITEMS, MISBEHAVING, House, Permits, order
from structlog.testing import capture_logs
from upstream.faults import Fault
from upstream.fixtures import Upstream

from connectors.sdk.spec import AuthSpec, ConnectorSpec
from hub.execution import (
    Conflicted,
    Executor,
    Failed,
    Observed,
    Previewed,
    Ran,
    Reachable,
    Succeeded,
    Unknown,
    Unreachable,
    Violation,
)
from hub.registry import ConnectionChange, change_connection, disable_connection
from sandbox.confinement import Confinement, Layer
from sandbox.host import HostFailed

pytestmark = pytest.mark.anyio

ATTACKER: ConnectorSpec = attacker.connector.spec


async def test_a_read_is_carried_out_confined(house: House) -> None:
    ran = await house.read(ITEMS, "item_get", id=1)

    assert ran.outcome == Succeeded(output={"id": 1, "name": "pencil", "quantity": 10, "version": 1})
    assert ran.passage.sandbox_level == "full"
    (entry,) = ran.passage.transcript
    assert (entry.method, entry.path, entry.status, entry.verdict) == ("GET", "/items/1", 200, "answered")


async def test_the_story_of_a_write(house: House, upstream: Upstream) -> None:
    previewed = await house.preview(ITEMS, "item_update", id=1, quantity=7)
    assert isinstance(previewed.outcome, Previewed)
    preview = previewed.outcome.preview
    guard = {condition.target: condition.token for condition in preview.preconditions}
    permits = Permits()
    ordered = replace(order(permits, guard=guard), before={"items/1": preview.changes[0].before})

    committed = await house.commit(ITEMS, "item_update", ordered, id=1, quantity=7)
    observed = await house.executor.observe(
        house.target(ITEMS, "item_update"),
        {"id": 1, "quantity": 7},
        before=ordered.before,
        output=committed.outcome.output if isinstance(committed.outcome, Succeeded) else None,
    )
    again = await house.commit(ITEMS, "item_update", order(guard=guard), id=1, quantity=8)

    after = {"id": 1, "name": "pencil", "quantity": 7, "version": 2}
    assert committed.outcome == Succeeded(output=after)
    assert permits.asked == 1
    assert observed.outcome == Observed(records={"items/1": after})
    assert isinstance(again.outcome, Conflicted)
    assert len(upstream.store.effects()) == 1


async def test_a_lookup_finds_what_a_commit_created(house: House) -> None:
    ordered = order()
    target = house.target(ITEMS, "ticket_create")
    before = await house.executor.look_up(target, {"title": "t"}, idempotency_key=ordered.idempotency_key)
    await house.commit(ITEMS, "ticket_create", ordered, title="t")

    after = await house.executor.look_up(target, {"title": "t"}, idempotency_key=ordered.idempotency_key)

    assert isinstance(before.outcome, Failed)
    assert before.outcome.code == "not_applied"
    assert isinstance(after.outcome, Succeeded)


@pytest.mark.parametrize(("operation", "phase"), [("write_in_read", "read"), ("write_in_preview", "preview")])
async def test_a_write_where_none_may_be_is_a_violation(
    operation: str, phase: str, house: House, upstream: Upstream
) -> None:
    run: Ran[object] = await (
        house.read(MISBEHAVING, operation) if phase == "read" else house.preview(MISBEHAVING, operation, text="a")
    )

    assert run.outcome == Violation(message="It tried to send POST /notes.")
    assert upstream.store.requests() == []


# -- unclear ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", [Fault.DROP_AFTER, Fault.ERROR_AFTER, Fault.HTML, Fault.REDIRECT, Fault.CUT, Fault.TRUNCATED]
)
async def test_a_commit_whose_answer_is_lost_is_unknown(fault: Fault, house: House, upstream: Upstream) -> None:
    upstream.store.plan_fault(fault, method="POST")

    ran = await house.commit(ITEMS, "note_post", text="hello")

    assert isinstance(ran.outcome, Unknown)
    assert len(upstream.store.effects()) == 1


async def test_a_commit_that_runs_out_of_time_after_sending_is_unknown(house: House, upstream: Upstream) -> None:
    upstream.store.plan_fault(Fault.HANG_AFTER, method="POST")

    ran = await house.commit(ITEMS, "note_post", order(seconds=1), text="hello")

    assert isinstance(ran.outcome, Unknown)
    assert ran.passage.transcript[-1].verdict == "unknown"


async def test_a_commit_that_cannot_reach_the_system_failed(house: House, upstream: Upstream) -> None:
    upstream.kill()

    ran = await house.commit(ITEMS, "note_post", text="hello")

    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.code == "upstream_unavailable"
    assert ran.passage.transcript[-1].verdict == "not sent"


async def test_a_commit_whose_permit_is_refused_raises_and_sends_nothing(house: House, upstream: Upstream) -> None:
    async def refuse() -> None:
        raise LookupError("the lease is lost")

    with pytest.raises(LookupError, match="the lease is lost"):
        await house.commit(ITEMS, "note_post", order(Permits(then=refuse)), text="hello")

    assert upstream.store.requests() == []


async def test_a_connector_that_denies_what_it_did_is_not_believed(house: House, upstream: Upstream) -> None:
    ran = await house.commit(MISBEHAVING, "deny_the_deed", text="hello")

    assert isinstance(ran.outcome, Unknown)
    assert len(upstream.store.effects()) == 1


async def test_more_writes_than_declared_are_stopped_and_unknown(house: House, upstream: Upstream) -> None:
    ran = await house.commit(MISBEHAVING, "write_too_often", text="hello", times=9)

    assert isinstance(ran.outcome, Unknown)
    assert len(upstream.store.effects()) == 1


async def test_a_connector_that_hangs_after_sending_leaves_it_unknown(house: House, upstream: Upstream) -> None:
    ran = await house.commit(MISBEHAVING, "hang_in_commit", order(seconds=2), text="hello")

    assert isinstance(ran.outcome, Unknown)
    assert len(upstream.store.effects()) == 1


# -- foreign code -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "arguments", "code"),
    [
        ("hang", {}, "out_of_time"),
        ("spin", {}, "out_of_time"),
        ("garbage", {}, "out_of_time"),
        ("exit_silently", {}, "connector_failed"),
        ("huge_answer", {"megabytes": 20}, "connector_failed"),
        ("flood", {"requests": 1000}, "connector_failed"),
        ("break_down", {}, "connector_broken"),
    ],
)
async def test_a_connector_that_misbehaves_fails_alone(
    operation: str, arguments: dict[str, int], code: str, house: House
) -> None:
    seconds = 1 if code == "out_of_time" else 20
    other = asyncio.create_task(house.read(ITEMS, "item_get", id=1))

    ran = await house.read(MISBEHAVING, operation, seconds, **arguments)

    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.code == code
    assert "hunter2" not in ran.outcome.message
    assert isinstance((await other).outcome, Succeeded)
    assert isinstance((await house.read(ITEMS, "item_get", id=1)).outcome, Succeeded)


async def test_memory_ends_before_the_hubs_does(house: House) -> None:
    ran = await house.read(MISBEHAVING, "allocate", megabytes=4000)

    assert isinstance(ran.outcome, Succeeded)
    assert ran.outcome.output["verdict"] == "refused"


@pytest.mark.parametrize(
    "path",
    ["/..;/admin", "/a%2Fb", "/a%00"],
)
async def test_a_request_that_leads_elsewhere_is_fenced(path: str, house: House, upstream: Upstream) -> None:
    ran = await house.read(MISBEHAVING, "request", path=path)

    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.code == "fenced"
    assert upstream.store.requests() == []


async def test_code_that_changed_since_it_was_registered_is_not_run(house: House) -> None:
    changed = ITEMS.model_copy(update={"artefact_digest": "0" * 64})

    ran = await house.read(changed, "item_get", id=1)

    assert isinstance(ran.outcome, Failed)
    assert "register the connector again" in ran.outcome.message


async def test_below_the_minimum_nothing_is_run(house: House) -> None:
    strict = Executor(house.database, house.vault, minimum="full")

    with pytest.raises(HostFailed, match=r"here it is partial\(no own user\)"):
        strict._hosts.refuse_below(Confinement(missing=(Layer.USER,)))

    strict._hosts.refuse_below(Confinement(missing=()))


async def test_a_direct_connector_cannot_bring_its_code_into_the_hub(house: House) -> None:
    intruder = ITEMS.model_copy(update={"runs": "direct", "entry": "upstream.connector:connector"})

    ran = await house.read(intruder, "item_get", id=1)

    assert isinstance(ran.outcome, Failed)
    assert ran.passage.sandbox_level == "not run"


# -- processes --------------------------------------------------------------------------------------------------


async def test_waiting_for_a_place_counts_towards_the_deadline(house: House, upstream: Upstream) -> None:
    places = house.executor._places.of(house.connection)
    for _ in range(house.connection.limits.calls_at_once):
        await places.acquire()

    ran = await house.read(ITEMS, "item_get", 0.1, id=1)

    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.code == "out_of_time"
    assert upstream.store.requests() == []


# -- credentials ------------------------------------------------------------------------------------------------


async def test_a_credential_never_goes_where_it_was_not_entered_for(house: House, upstream: Upstream) -> None:
    """Who still holds the connection as it was must not carry the new credential to the old address."""
    authority = house.authority
    async with house.database.transaction() as tx:
        change = ConnectionChange(base_url="http://127.0.0.1:1/elsewhere")
        await change_connection(tx, house.connection.id, change, authority)
        await house.vault.put(tx, house.connection.id, {"token": "for elsewhere alone"}, authority)

    ran = await house.read(ITEMS, "item_get", id=1)

    assert isinstance(ran.outcome, Failed)
    assert "has changed meanwhile" in ran.outcome.message
    assert upstream.store.requests() == []


async def test_a_disabled_connection_opens_no_credential(house: House, upstream: Upstream) -> None:
    async with house.database.transaction() as tx:
        await disable_connection(tx, house.connection.id, house.authority, reason="a test")

    ran = await house.read(ITEMS, "item_get", id=1)

    assert isinstance(ran.outcome, Failed)
    assert upstream.store.requests() == []


async def test_a_secret_appears_nowhere(house: House, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[object] = []
    with ExitStack() as stack:
        logs = stack.enter_context(capture_logs())
        shown.append(await house.read(ITEMS, "item_get", id=1))
        shown.append(await house.commit(ITEMS, "note_post", text="hello"))
        upstream.store.plan_fault(Fault.DROP_AFTER, method="POST")
        shown.append(await house.commit(ITEMS, "note_post", text="hello"))
        await house.connect(secret={"token": "wrong " + upstream.token + "\r\n"})
        shown.append(await house.read(ITEMS, "item_get", id=1))
        shown.append(await house.executor.check_connection(ITEMS, house.connection))
        upstream.kill()
        shown.append(await house.read(ITEMS, "item_get", id=1))

    kept = json.dumps([one.passage.transcript_json() for one in shown if isinstance(one, Ran)])
    assert upstream.token not in f"{shown!r} {kept} {logs!r} {caplog.text}"


# -- health -----------------------------------------------------------------------------------------------------


async def test_a_connection_that_works_is_reachable(house: House) -> None:
    none = ITEMS.model_copy(update={"auth": AuthSpec()})

    with_token = await house.executor.check_connection(ITEMS, house.connection)
    without = await house.executor.check_connection(none, house.connection)

    assert isinstance(with_token, Reachable)
    assert without == Unreachable(message="It does not accept the credential (401).", is_there=True)


async def test_a_connection_that_does_not_work_says_why(house: House, upstream: Upstream) -> None:
    upstream.store.plan_fault(Fault.UNAVAILABLE, method="GET")
    unavailable = await house.executor.check_connection(ITEMS, house.connection)
    await house.connect(secret={"other": "field"})
    lacking = await house.executor.check_connection(ITEMS, house.connection)
    upstream.kill()
    await house.connect()
    gone = await house.executor.check_connection(ITEMS, house.connection)

    assert unavailable == Unreachable(message="It is there, but cannot answer at the moment (503).", is_there=True)
    assert isinstance(lacking, Unreachable)
    assert "has no token" in lacking.message
    assert isinstance(gone, Unreachable)
    assert "check the base URL" in gone.message
    assert not lacking.is_there
    assert not gone.is_there


async def test_a_system_that_breaks_off_is_there(house: House, upstream: Upstream) -> None:
    upstream.store.plan_fault(Fault.DROP_AFTER, method="GET")

    health = await house.executor.check_connection(ITEMS, house.connection)

    assert isinstance(health, Unreachable)
    assert health.is_there
