"""Deciding and judging over the API: batches and reviews tell all that a question tells, and nothing that is masked."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import httpx2
import pytest
from doors.mailing import asked_to_send, connect_mailing, let_go
from doors.people import API, api_of
from doors.working_hub import PUBLIC_URL
from personal import ASK, MARKER, NOT_APPROVERS, caller_of, open_personal
from settled import settled_by
from upstream.fixtures import Upstream
from upstream.mailing import ATTACHED
from world import World, settle

from hub.api.access import Acting
from hub.api.approvals import all_shown_to
from hub.audit import EventKind, events_of
from hub.core.errors import NotFound
from hub.identity.accounts import suspend
from hub.identity.sessions import SESSION_COOKIE, open_session
from hub.invocations.batch import waiting_together
from hub.invocations.queries import look_at
from hub.invocations.states import State
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio
SAMPLE = """@id("look") @review("approvers:100%")
permit (principal, action == Action::"autocommit", resource);
"""
sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    """The names of items are personal."""
    async with open_personal(database, keys, upstream) as opened:
        yield opened


@pytest.fixture
async def ann(world: World) -> AsyncGenerator[httpx2.AsyncClient]:
    """The approver, logged in."""
    app, _ = api_of(world.runtime)
    async with world.runtime.database.transaction() as tx:
        cookie = await open_session(tx, world.ann.id)
    headers = {"Cookie": f"{SESSION_COOKIE}={cookie}"}
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url=f"{PUBLIC_URL}{API}/", headers=headers
    ) as opened:
        yield opened


async def test_a_batch_tells_of_each_question_what_the_question_itself_tells(
    world: World, ann: httpx2.AsyncClient
) -> None:
    await connect_mailing(world)
    asked = [await asked_to_send(world, "attached: the bill", to) for to in ("ann@example.org", "thief@evil.example")]
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, world.bot.id, "strange behaviour", world.runtime.authority)

    (batch,) = (await ann.get("approval-batches")).json()["items"]

    alone = [(await ann.get(f"approvals/{one.id}")).json() for one in asked]
    assert batch["items"] == alone
    last = batch["items"][-1]
    assert last["preview"]["side_effects"][0]["recipient"] == "thief@evil.example"
    assert last["preview"]["not_covered"] == [ATTACHED]
    assert last["invocation"]["arguments"] == {"text": "attached: the bill", "recipient": "thief@evil.example"}
    assert last["is_agent_suspended"]


async def test_a_list_leaves_out_what_nobody_may_look_at_any_more(world: World) -> None:
    await connect_mailing(world)
    asked = [await asked_to_send(world, "hello", to) for to in ("ann@example.org", "rita@example.org")]
    async with world.runtime.database.reading() as tx:
        ((first, last),) = await waiting_together(tx, world.ann)
    ann = Acting(caller=caller_of(world.ann), session=None, trace_id="")

    shown = await all_shown_to(ann, [first, replace(first, invocation_id="inv_gone"), last], world.runtime)

    assert [one.invocation_id for one in shown] == [one.id for one in asked]


async def test_a_batch_shows_nobody_what_policy_hides_from_them(world: World, ann: httpx2.AsyncClient) -> None:
    await world.decide_by(NOT_APPROVERS, ASK)
    asked = [await world.call("item_put", {"id": 7 + one, "name": "Ada Lovelace", "quantity": 1}) for one in range(2)]

    got = await ann.get("approval-batches")

    assert "Ada Lovelace" not in got.text
    (batch,) = got.json()["items"]
    assert [one["invocation_id"] for one in batch["items"]] == [one.id for one in asked]
    assert [one["invocation"]["masked"] for one in batch["items"]] == [["personal"]] * 2
    assert MARKER in got.text


async def test_a_review_tells_what_went_and_to_whom(world: World, ann: httpx2.AsyncClient) -> None:
    await connect_mailing(world)
    gone = await let_go(world, await asked_to_send(world, "attached: the bill", "thief@evil.example"))

    (listed,) = (await ann.get("reviews")).json()["items"]
    told = (await ann.get(f"reviews/{listed['id']}")).json()

    assert {name: told[name] for name in listed} == listed
    assert told["invocation"]["id"] == gone.id
    assert told["invocation"]["arguments"] == {"text": "attached: the bill", "recipient": "thief@evil.example"}
    assert told["preview"]["side_effects"][0]["recipient"] == "thief@evil.example"
    assert told["preview"]["not_covered"] == [ATTACHED]


async def test_what_was_never_asked_is_shown_to_its_reviewers_masked_and_noted_and_to_nobody_else(
    world: World, ann: httpx2.AsyncClient
) -> None:
    await world.decide_by(NOT_APPROVERS, SAMPLE)
    await world.call("item_update", {"id": 1, "name": "Ada Lovelace"})
    done = await world.call("item_update", {"id": 1, "name": "Grace Hopper"})
    assert done.state is State.VERIFIED

    *_, listed = (await ann.get("reviews")).json()["items"]
    told = await ann.get(f"reviews/{listed['id']}")

    assert told.json()["invocation"]["id"] == done.id
    assert MARKER in told.text
    assert not any(name in told.text for name in ("Ada Lovelace", "Grace Hopper"))
    async with world.runtime.database.reading() as tx:
        looks = [one for one in await events_of(tx, done.id) if one.kind is EventKind.BODIES_READ]
    assert [look.actor for look in looks] == [world.ann.id]
    assert (await look_at(world.runtime, caller_of(world.ann), done.id)).id == done.id
    with pytest.raises(NotFound):
        await look_at(world.runtime, caller_of(world.carl), done.id)
