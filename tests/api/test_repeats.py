"""Idempotency keys on the API: once, the same answer again, and a key that nobody holds for ever."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from doors.agents import BOTH_ENGINES
from doors.people import LogIn, Person, is_problem
from doors.working_hub import WorkingHub
from sqlalchemy import select, update

from hub.api.access import API_PATH
from hub.budgets import Measure, NewLimit, Per, lift_limit, set_limit
from hub.identity.resources import API as API_SERVER
from hub.invocations.invoke import invoke
from hub.invocations.values import Call
from hub.ledger.tables import KeyedRequestRow
from hub.storage import now

pytestmark = pytest.mark.anyio

TICKET: dict[str, Any] = {"tool": "ticket_create", "arguments": {"title": "The pencil broke"}}


class Script:
    """An agent that makes calls over the API."""

    def __init__(self, person: Person, authorization: str) -> None:
        self._person, self._authorization = person, authorization

    async def create(self, key: str, body: dict[str, Any]) -> httpx2.Response:
        """Make a call under `key`."""
        headers = {"Authorization": self._authorization, "Idempotency-Key": key}
        return await self._person.http.post(f"{API_PATH}/invocations", json=body, headers=headers)


@pytest.fixture
async def script(hub: WorkingHub, log_in: LogIn) -> Script:
    agent = await hub.make_agent("script", servers=frozenset({API_SERVER, "everything"}))
    person = await log_in("nobody")
    return Script(person, f"Bearer {await hub.token(of=agent, server=API_SERVER)}")


async def interrupt(hub: WorkingHub, *, lease: timedelta) -> None:
    """Take the kept answers away, as if the process had died before it wrote them; its lease ends in `lease`."""
    async with hub.database.transaction() as tx:
        left = {"answer": None, "lease_until": await now(tx) + lease}
        await tx.execute(update(KeyedRequestRow).values(left))


@BOTH_ENGINES
async def test_the_same_key_is_answered_the_same_and_done_once(hub: WorkingHub, script: Script) -> None:
    read = {"tool": "item_get", "arguments": {"id": 1}}

    first = await script.create("k", read)
    hub.upstream.store.rows("UPDATE item SET quantity = 3 WHERE id = 1")
    again = await script.create("k", read)
    other = await script.create("another", read)

    assert again.json() == {**first.json(), "repeats": True}
    assert other.json()["result"]["quantity"] == 3


async def test_what_a_limit_refuses_says_when_to_come_again_and_leaves_the_key_free(
    hub: WorkingHub, script: Script
) -> None:
    runtime = hub.runtime
    async with runtime.database.transaction() as tx:
        new = NewLimit(per=Per.TOOL, measure=Measure.CALLS, amount=1, seconds=86_400)
        limit = await set_limit(tx, new, runtime.authority)
    read = {"tool": "item_get", "arguments": {"id": 1}}

    first = await script.create("k1", read)
    refused = await script.create("k2", read)
    async with runtime.database.transaction() as tx:
        await lift_limit(tx, limit.id, runtime.authority)
    again = await script.create("k2", read)

    assert (first.status_code, again.status_code) == (201, 201)
    assert is_problem(refused, 429, "over_budget")
    assert 1 <= int(refused.headers["Retry-After"]) <= 86_401
    assert refused.json()["retryable"] is True


@BOTH_ENGINES
async def test_requests_with_one_key_at_once_make_one_call(hub: WorkingHub, script: Script) -> None:
    answers = await asyncio.gather(*(script.create("k", TICKET) for _ in range(4)))

    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert all(is_problem(answer, 409, "request_in_flight") for answer in answers if answer.status_code != 201)
    del hub


async def test_while_the_first_is_under_way_the_second_is_told_so(hub: WorkingHub, script: Script) -> None:
    await script.create("k", TICKET)
    await interrupt(hub, lease=timedelta(seconds=30))

    assert is_problem(await script.create("k", TICKET), 409, "request_in_flight")


async def test_a_call_whose_process_died_is_found_again_under_its_key(hub: WorkingHub, script: Script) -> None:
    first = await script.create("k", TICKET)
    await interrupt(hub, lease=timedelta(seconds=-1))

    again = await script.create("k", TICKET)

    assert again.json()["id"] == first.json()["id"]


async def test_what_cannot_be_done_again_safely_is_left_to_whoever_asked(hub: WorkingHub, log_in: LogIn) -> None:
    approver = await log_in("approver")
    call = Call(caller=hub.caller, server="everything", trace_id="0" * 32, **TICKET)
    asked = await invoke(call, hub.runtime)
    body = {"like": asked.id, "reason": "Routine.", "uses": 1, "days": 1}

    async def give() -> httpx2.Response:
        return await approver.send("POST", "/standing-grants", body, **{"Idempotency-Key": "k"})

    first = await give()
    again = await give()
    await interrupt(hub, lease=timedelta(seconds=-1))
    interrupted = await give()

    assert first.status_code == 201, first.text
    assert again.json() == first.json()
    assert is_problem(interrupted, 409, "request_interrupted")
    assert len((await approver.get("/standing-grants")).json()["items"]) == 1


async def test_the_same_key_with_another_request_is_refused_and_belongs_to_its_caller(
    hub: WorkingHub, script: Script, log_in: LogIn
) -> None:
    await script.create("k", TICKET)
    requester = await log_in("requester")
    read = {"tool": "item_get", "arguments": {"id": 1}}

    other = await script.create("k", {**TICKET, "arguments": {"title": "another"}})
    somebody = await requester.send("POST", "/invocations", read, **{"Idempotency-Key": "k"})

    assert is_problem(other, 422, "idempotency_mismatch")
    assert somebody.status_code == 201
    del hub


async def test_a_refused_request_leaves_its_key_free(script: Script) -> None:
    refused = await script.create("k", {"tool": "item_get", "arguments": {"id": 0}})
    mended = await script.create("k", {"tool": "item_get", "arguments": {"id": 1}})

    assert is_problem(refused, 422, "arguments_invalid")
    assert mended.status_code == 201


async def test_an_expired_key_is_as_good_as_new(hub: WorkingHub, script: Script) -> None:
    first = await script.create("k", {"tool": "item_get", "arguments": {"id": 1}})
    async with hub.database.transaction() as tx:
        await tx.execute(update(KeyedRequestRow).values(expires_at=await now(tx)))

    second = await script.create("k", {"tool": "item_find", "arguments": {}})

    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]


async def test_nothing_that_was_asked_or_answered_can_be_read_in_the_ledger(hub: WorkingHub, script: Script) -> None:
    await script.create("key-of-mine", TICKET)

    async with hub.database.reading() as tx:
        (row,) = await tx.scalars(select(KeyedRequestRow))

    assert row.answer is not None
    for text in (b"pencil", b"key-of-mine", b"ticket_create"):
        assert text not in row.answer + row.payload.encode() + row.key.encode()


async def asked(hub: WorkingHub, title: str = "a chair") -> tuple[str, str]:
    """Let the agent ask for something; return the invocation and the digest of the question."""
    call = Call(
        caller=hub.caller, server="everything", tool="ticket_create", arguments={"title": title}, trace_id="0" * 32
    )
    waiting = await invoke(call, hub.runtime)
    assert waiting.question is not None
    return waiting.id, waiting.question.digest


async def test_a_vote_that_is_sent_again_under_its_key_is_answered_the_same_and_counts_once(
    hub: WorkingHub, log_in: LogIn
) -> None:
    approver = await log_in("approver")
    invocation_id, digest = await asked(hub)
    body = {"digest": digest, "choice": "reject", "reason": "too much"}
    path = f"/approvals/{invocation_id}/votes"

    first = await approver.send("POST", path, body, **{"Idempotency-Key": "k"})
    again = await approver.send("POST", path, body, **{"Idempotency-Key": "k"})
    without = await approver.send("POST", path, body)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert is_problem(without, 409, "conflict")


async def test_a_key_of_a_vote_is_not_good_for_a_vote_on_something_else(hub: WorkingHub, log_in: LogIn) -> None:
    approver = await log_in("approver")
    (one, digest), (other, _) = await asked(hub), await asked(hub, "a desk")
    body = {"digest": digest, "choice": "reject", "reason": "too much"}

    await approver.send("POST", f"/approvals/{one}/votes", body, **{"Idempotency-Key": "k"})
    refused = await approver.send("POST", f"/approvals/{other}/votes", body, **{"Idempotency-Key": "k"})

    assert is_problem(refused, 422, "idempotency_mismatch")


async def test_a_batch_that_is_sent_again_under_its_key_is_answered_the_same(hub: WorkingHub, log_in: LogIn) -> None:
    approver = await log_in("approver")
    (one, digest), (other, second) = await asked(hub), await asked(hub, "a desk")
    body = {
        "choice": "reject",
        "reason": "too much",
        "items": [{"invocation_id": one, "digest": digest}, {"invocation_id": other, "digest": second}],
    }

    first, again = [
        await approver.send("POST", "/approval-batches/votes", body, **{"Idempotency-Key": "k"}) for _ in range(2)
    ]

    assert [one["state"] for one in first.json()["items"]] == ["REJECTED", "REJECTED"]
    assert again.json() == first.json()


async def test_a_proposal_that_is_sent_again_under_its_key_makes_one_revision(hub: WorkingHub, log_in: LogIn) -> None:
    approver = await log_in("approver")
    invocation_id, digest = await asked(hub)
    body = {"digest": digest, "arguments": {"title": "a stool"}, "reason": "cheaper"}
    path = f"/approvals/{invocation_id}/counter-proposals"

    first, again = [await approver.send("POST", path, body, **{"Idempotency-Key": "k"}) for _ in range(2)]

    assert first.status_code == 201, first.text
    assert again.json() == first.json()
    assert (await approver.get(f"/approvals/{invocation_id}")).json()["revision"] == 2


async def test_a_deputy_is_named_once_under_a_key(hub: WorkingHub, log_in: LogIn) -> None:
    approver = await log_in("approver")
    body = {"deputy": "controller", "starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-08T00:00:00Z"}

    first, again = [await approver.send("POST", "/deputies", body, **{"Idempotency-Key": "k"}) for _ in range(2)]

    assert first.status_code == 201, first.text
    assert again.json() == first.json()
    assert len((await approver.get("/deputies")).json()["items"]) == 1
    del hub
