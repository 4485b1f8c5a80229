"""Numbers for Prometheus: for operators and whoever holds the token, and with nobody's name or argument in them."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest
from doors.people import API, LogIn, api_of, is_problem
from doors.working_hub import PUBLIC_URL, WorkingHub
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse
from sqlalchemy import select, update

from hub import outbox
from hub.budgets import StopKind, set_stop
from hub.budgets.tables import OutageRow
from hub.identity.secrets import hash_secret
from hub.invocations.invoke import invoke
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Call
from hub.metrics import beat
from hub.metrics.operating import RECENT, UNDER_WAY
from hub.metrics.tables import HeartbeatRow
from hub.outbox.tables import MessageRow
from hub.storage import now

pytestmark = pytest.mark.anyio

TOKEN = "a-token-for-the-collector"
TELLING = "Zacharias Quillfeather"
Numbers = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
async def collector(hub: WorkingHub) -> AsyncGenerator[httpx2.AsyncClient]:
    """A collector of numbers, where the settings name a token."""
    app, _ = api_of(replace(hub.runtime, scraper=hash_secret(TOKEN)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=PUBLIC_URL) as client:
        yield client


async def scraped(collector: httpx2.AsyncClient) -> Numbers:
    """Return what a collector reads, by name and labels."""
    answer = await collector.get(f"{API}/openmetrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200, answer.text
    return {
        (sample.name.removeprefix("toolhub_"), tuple(sample.labels.values())): sample.value
        for family in parse(answer.text)
        for sample in family.samples
    }


async def call(hub: WorkingHub, tool: str, **arguments: object) -> str:
    made = Call(caller=hub.caller, server="everything", tool=tool, arguments=arguments, trace_id="trace")
    return (await invoke(made, hub.runtime)).id


async def test_calls_are_counted_by_how_they_stand_and_what_waits_by_for_how_long(
    hub: WorkingHub, collector: httpx2.AsyncClient
) -> None:
    await call(hub, "item_get", id=1)
    await call(hub, "item_get", id=99)
    asked = await call(hub, "ticket_create", title=TELLING)
    async with hub.database.transaction() as tx:
        earlier = await now(tx) - RECENT - timedelta(hours=1)
        await tx.execute(
            update(InvocationRow).where(InvocationRow.id == asked).values(created_at=earlier, updated_at=earlier)
        )

    found = await scraped(collector)

    assert {key[1]: n for key, n in found.items() if key[0] == "invocations_recent"} == {
        ("read", "SUCCEEDED"): 1,
        ("read", "FAILED"): 1,
    }
    waiting = {key[1][0]: n for key, n in found.items() if key[0] == "invocations_waiting"}
    assert waiting == {state.value: 1 if state.value == "AWAITING_APPROVAL" else 0 for state in UNDER_WAY}
    since = {key[1][0]: n for key, n in found.items() if key[0] == "invocations_waiting_seconds"}
    assert list(since) == ["AWAITING_APPROVAL"]
    assert since["AWAITING_APPROVAL"] >= 3600


async def test_what_waits_to_leave_or_to_be_numbered_is_told(hub: WorkingHub, collector: httpx2.AsyncClient) -> None:
    before = await scraped(collector)
    async with hub.database.transaction() as tx:
        for key in ("one", "two"):
            await outbox.put(tx, topic="a", payload={}, key=key)
        long_due = await now(tx) - timedelta(hours=2)
        await tx.execute(update(MessageRow).where(MessageRow.key == "one").values(due_at=long_due))
        await tx.execute(update(MessageRow).where(MessageRow.key == "two").values(state="given_up"))
        await set_stop(tx, StopKind.HUB, "", "It loops.", hub.authority)
        at = await now(tx)
        for number, since in enumerate((at, None)):
            outage = {"failures": 3, "reason": TELLING, "look_at": at, "looks": 0, "unavailable_since": since}
            tx.add(OutageRow(connection_id=f"con_{number}", **outage))

    after = await scraped(collector)

    assert (after["messages", ("waiting",)], after["messages", ("given_up",)]) == (1, 1)
    assert (before["messages", ("waiting",)], before["messages_overdue_seconds", ()]) == (0, 0)
    assert after["messages_overdue_seconds", ()] >= 7200
    assert (after["stops", ()], after["connections_unavailable", ()]) == (1, 1)
    assert after["audit_events_unsequenced", ()] == before["audit_events_unsequenced", ()] + 1
    assert after["audit_events_total", ()] == before["audit_events_total", ()]
    assert after["audit_checkpoint_seconds", ()] >= 0
    assert after["database_connections", ("in_use",)] >= 0


async def test_workers_are_at_work_while_they_are_heard_of_and_seen_to_be_gone(
    hub: WorkingHub, collector: httpx2.AsyncClient
) -> None:
    for worker_id in ("wrk_here", "wrk_silent", "wrk_long_gone"):
        await beat(hub.database, worker_id)
    async with hub.database.transaction() as tx:
        at = await now(tx)
        for worker_id, age in (("wrk_silent", timedelta(minutes=10)), ("wrk_long_gone", timedelta(hours=2))):
            mine = update(HeartbeatRow).where(HeartbeatRow.worker_id == worker_id)
            await tx.execute(mine.values(beat_at=at - age))
    await beat(hub.database, "wrk_here")

    found = await scraped(collector)

    ages = {key[1][0]: n for key, n in found.items() if key[0] == "worker_heartbeat_seconds"}
    assert set(ages) == {"wrk_here", "wrk_silent"}
    assert ages["wrk_silent"] >= 600
    assert found["workers", ()] == 1
    async with hub.database.reading() as tx:
        began = await tx.scalar(select(HeartbeatRow.began_at).where(HeartbeatRow.worker_id == "wrk_here"))
    assert began is not None


async def test_no_name_and_nothing_of_what_was_called_is_told(hub: WorkingHub, collector: httpx2.AsyncClient) -> None:
    await call(hub, "ticket_create", title=TELLING)

    told = (await collector.get(f"{API}/openmetrics", headers={"Authorization": f"Bearer {TOKEN}"})).text

    private = [TELLING, "ticket", "upstream", hub.agent.id, hub.agent.name, hub.connection.id]
    private += [one for person in hub.people.values() for one in (person.id, person.display_name)]
    assert [one for one in private if one in told] == []


async def test_nobody_else_reads_them(hub: WorkingHub, collector: httpx2.AsyncClient, log_in: LogIn) -> None:
    agents_token = await hub.token(server="hub.api")
    wrong = [None, f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer", f"Bearer {agents_token}", "Bearer \u00e9"]
    statuses = [
        (
            await collector.get(
                f"{API}/openmetrics", headers={} if one is None else {"Authorization": one.encode("latin-1")}
            )
        ).status_code
        for one in wrong
    ]

    assert all(status in {401, 403} for status in statuses), statuses
    member, operator = await log_in("requester"), await log_in("operator")
    assert is_problem(await member.get("/openmetrics"), 403, "forbidden")
    assert (await operator.get("/openmetrics")).status_code == 200


async def test_where_the_settings_name_no_token_none_is_let_in(http: httpx2.AsyncClient) -> None:
    for token in ("", "x", hash_secret("")):
        answer = await http.get(f"{API}/openmetrics", headers={"Authorization": f"Bearer {token}"})
        assert is_problem(answer, 401, "unauthenticated")


async def test_both_formats_are_spoken_as_they_are_asked_for(collector: httpx2.AsyncClient) -> None:
    known = {"Authorization": f"Bearer {TOKEN}"}
    wanted = {**known, "Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}

    plain = await collector.get(f"{API}/openmetrics", headers=known)
    strict = await collector.get(f"{API}/openmetrics", headers=wanted)

    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert strict.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    names = [
        {one.name for one in parser(text)} for parser, text in ((parse, plain.text), (parse_openmetrics, strict.text))
    ]
    assert names[0] == names[1]
    assert "toolhub_audit_events" in names[1]
