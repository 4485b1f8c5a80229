"""Erasing what calls said and brought back: asked by one person, granted by another, and provable ever after."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from erasures.office import BOTH_ENGINES, TELLING, Office, one
from hub.approvals import Choice
from hub.audit import EventKind, events_of, page_of_events
from hub.core.errors import Conflict, Forbidden, InputError, NotFound
from hub.erasures import NewErasure, Scope, ScopeKind, Stage, ask, erasures, refuse, survey
from hub.invocations.asking import called_with
from hub.invocations.envelope import envelope
from hub.invocations.journal import load
from hub.invocations.replay import replay
from hub.invocations.states import State
from hub.invocations.tables import SeenValueRow
from hub.invocations.undoing import undo_offer
from hub.invocations.values import Invocation

pytestmark = pytest.mark.anyio

SINCE = datetime(2020, 1, 1, tzinfo=UTC)


async def now_of(office: Office, invocation: Invocation) -> Invocation:
    async with office.database.reading() as tx:
        return await load(tx, invocation.id)


@BOTH_ENGINES
async def test_nothing_that_a_call_said_is_left_in_any_table_once_it_is_erased(office: Office) -> None:
    done = await office.written()
    assert {"approval_questions", "invocations", "previews"} <= {*await office.tables_with(TELLING)}
    sealed = (await office.proof()).opened

    erased = await office.erase(one(done))

    assert done.state is State.VERIFIED
    assert await office.tables_with(TELLING) == []
    assert (erased.stage, erased.asked_by, erased.decided_by) == (Stage.DONE, office.adam.id, office.aud.id)
    assert erased.counts["invocations"] == erased.counts["previews"] == 1
    assert (await office.proof()).erased == erased.counts["values"] < sealed


async def test_what_an_export_holds_is_still_proven_and_says_how_many_values_are_erased(office: Office) -> None:
    done = await office.written()
    before = await office.proof()

    erased = await office.erase(one(done))
    after = await office.proof()

    assert (before.is_sound, before.erased) == (True, 0)
    assert (after.is_sound, after.retired) == (True, 0)
    assert after.erased == erased.counts["values"]


async def test_ids_states_digests_votes_and_reach_stay(office: Office) -> None:
    done = await now_of(office, await office.written())

    await office.erase(one(done))
    left = await now_of(office, done)

    assert left.erased_at is not None
    kept = ("id", "state", "revision", "intent_digest", "approval_digest", "policy_digest", "approved_by", "tier")
    assert all(getattr(left, name) == getattr(done, name) for name in (*kept, "created_at", "updated_at", "sent_at"))
    assert (left.arguments, left.output, left.findings, left.claims.purpose) == ({}, None, (), None)
    assert left.question is not None
    assert [(vote.voter_id, vote.choice, vote.reason) for vote in left.question.votes] == [
        (office.world.ann.id, Choice.APPROVE, "")
    ]
    assert left.preview is not None
    assert done.preview is not None
    assert (left.preview.digest, left.preview.verdict) == (done.preview.digest, done.preview.verdict)
    assert (left.preview.preview.blast, left.preview.preview.changes) == (done.preview.preview.blast, ())


async def test_decisions_without_their_facts_are_said_to_be_erased_when_they_are_made_again(office: Office) -> None:
    done = await office.written()
    before = await replay(office.database, office.keys, SINCE)

    await office.erase(one(done))
    after = await replay(office.database, office.keys, SINCE)

    assert (before.erased, before.same) == (0, before.decisions)
    assert after.erased > 0
    assert (after.same, after.decisions + after.erased) == (after.decisions, before.decisions)


async def test_whoever_asked_may_not_grant_it(office: Office) -> None:
    asked = await office.ask(one(await office.written()), office.aud)

    with pytest.raises(Forbidden, match="Another auditor"):
        await office.grant(asked, office.aud)
    assert (await office.grant(asked, office.otto)).decided_by == office.otto.id


async def test_whose_data_it_is_may_not_grant_it(office: Office) -> None:
    asked = await office.ask(Scope(kind=ScopeKind.PERSON, subject=office.aud.id))

    with pytest.raises(Forbidden, match="about yourself"):
        await office.grant(asked, office.aud)


async def test_only_an_auditor_grants_and_only_auditors_and_administrators_ask(office: Office) -> None:
    done = await office.written()
    asked = await office.ask(one(done))

    with pytest.raises(Forbidden):
        await office.grant(asked, office.adam)
    with pytest.raises(Forbidden):
        await office.grant(asked, office.world.ann)
    with pytest.raises(Forbidden):
        await office.ask(one(done), office.world.rita)
    assert await office.tables_with(TELLING) != []


async def test_what_still_waits_must_end_first(office: Office) -> None:
    wanted = {"id": 7, "name": TELLING, "quantity": 600_000}
    waiting = await office.world.call("item_put", wanted)

    with pytest.raises(Conflict, match=f"must end first: {waiting.id}"):
        await office.ask(one(waiting))


async def test_what_began_after_it_was_asked_must_end_before_it_is_granted(office: Office) -> None:
    await office.written()
    asked = await office.ask(Scope(kind=ScopeKind.PERSON, subject=office.world.rita.id))
    wanted = {"id": 8, "name": TELLING, "quantity": 600_000}
    waiting = await office.world.call("item_put", wanted)

    with pytest.raises(Conflict, match=waiting.id):
        await office.grant(asked)
    assert "invocations" in await office.tables_with(TELLING)


@BOTH_ENGINES
async def test_erasing_a_person_erases_every_call_made_for_them_and_the_values_of_their_account(office: Office) -> None:
    rita = office.world.rita
    await office.written()
    read = await office.world.call("item_find", {"name": TELLING}, run="r2")
    async with office.database.reading() as tx:
        (created, *_) = await events_of(tx, rita.id)
        foreseen = await survey(tx, Scope(kind=ScopeKind.PERSON, subject=rita.id))

    erased = await office.erase(Scope(kind=ScopeKind.PERSON, subject=rita.id))
    proof = await office.proof()

    assert await office.tables_with(TELLING) == []
    assert erased.counts == foreseen.as_json()
    assert erased.counts["invocations"] == 2
    assert (await now_of(office, read)).erased_at is not None
    assert "name" in created.commitments
    assert (proof.is_sound, proof.erased) == (True, erased.counts["values"])


@BOTH_ENGINES
async def test_a_record_that_previews_name_finds_the_writes_to_it_and_no_others(office: Office) -> None:
    done = await office.written(7)
    other = await office.written(9)
    record = Scope(kind=ScopeKind.RECORD, subject="items/7", connection_id=office.world.connection_id)

    await office.erase(record)

    assert (await now_of(office, done)).erased_at is not None
    assert (await now_of(office, other)).erased_at is None


async def test_looking_first_changes_nothing(office: Office) -> None:
    done = await office.written()
    tables = await office.tables_with(TELLING)

    async with office.database.reading() as tx:
        found = await survey(tx, one(done))

    assert (found.invocations, found.previews, found.is_nothing) == (1, 1, False)
    assert await office.tables_with(TELLING) == tables


async def test_the_log_says_who_asked_who_granted_and_how_much_without_any_value(office: Office) -> None:
    done = await office.written()

    erased = await office.erase(one(done))

    async with office.database.reading() as tx:
        events = {event.kind: event for event in await events_of(tx, erased.id)}
    asked, granted = events[EventKind.ERASURE_ASKED], events[EventKind.ERASURE_GRANTED]
    named = events[EventKind.VALUES_ERASED]
    assert (asked.actor, granted.actor, granted.facts["asked_by"]) == (office.adam.id, office.aud.id, office.adam.id)
    assert {name: granted.facts[name] for name in erased.counts} == erased.counts
    assert named.facts["because"] == "erasure"
    assert TELLING not in str([event.facts for event in events.values()])
    assert "reason" in asked.commitments
    assert "They asked us to." not in str(asked.facts)


async def test_it_is_refused_with_a_reason_and_nothing_is_deleted(office: Office) -> None:
    asked = await office.ask(one(await office.written()))
    async with office.database.transaction() as tx:
        with pytest.raises(InputError):
            await refuse(tx, asked.id, " ", office.aud, office.authority(office.aud))
        with pytest.raises(Forbidden):
            await refuse(tx, asked.id, "No.", office.adam, office.authority(office.adam))
        refused = await refuse(tx, asked.id, "It is needed.", office.aud, office.authority(office.aud))

    assert (refused.stage, refused.answer) == (Stage.REFUSED, "It is needed.")
    with pytest.raises(Conflict, match="refused already"):
        await office.grant(asked)
    assert await office.tables_with(TELLING) != []


async def test_the_same_is_asked_for_once_and_carried_out_once(office: Office) -> None:
    done = await office.written()
    asked = await office.ask(one(done))

    with pytest.raises(Conflict, match=asked.id):
        await office.ask(one(done))
    await office.grant(asked)
    with pytest.raises(Conflict, match="done already"):
        await office.grant(asked, office.otto)
    with pytest.raises(Conflict, match="nothing to erase"):
        await office.ask(one(done))
    async with office.database.reading() as tx:
        found = await page_of_events(tx, limit=500)
        assert [one.stage for one in await erasures(tx)] == [Stage.DONE]
    assert [event.kind for event in found].count(EventKind.ERASURE_GRANTED) == 1


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        (Scope(kind=ScopeKind.INVOCATION, subject="inv_none"), NotFound),
        (Scope(kind=ScopeKind.PERSON, subject="usr_none"), NotFound),
        (Scope(kind=ScopeKind.RECORD, subject="items/1", connection_id="con_none"), NotFound),
        (Scope(kind=ScopeKind.RECORD, subject="items/1"), InputError),
        (Scope(kind=ScopeKind.PERSON, subject=""), InputError),
    ],
    ids=["invocation", "person", "connection", "record", "nothing"],
)
async def test_what_is_not_there_is_not_asked_for(office: Office, scope: Scope, error: type[Exception]) -> None:
    async with office.database.transaction() as tx:
        with pytest.raises(error):
            await ask(tx, NewErasure(scope=scope, reason="x"), office.adam, office.authority(office.adam))


async def test_an_erased_call_is_not_undone_and_a_repeat_of_it_is_not_carried_out_again(office: Office) -> None:
    done = await office.written()
    await office.erase(one(done))
    effects = office.world.upstream.store.effects()

    wanted = {"id": 7, "name": TELLING, "quantity": 600_000}
    again = await office.world.call("item_put", wanted, run="r1", key="key-7")
    left = await now_of(office, done)
    tool = await called_with(left, office.world.runtime)
    async with office.database.reading() as tx:
        offer = await undo_offer(tx, left, tool)

    assert (again.id, again.repeats) == (done.id, True)
    assert office.world.upstream.store.effects() == effects
    assert "was erased on" in envelope(again, public_url="").text
    assert "erased" in offer.refusal


async def test_values_that_a_run_was_shown_are_not_recognised_any_more(office: Office) -> None:
    async with office.database.reading() as tx:
        before = (await tx.scalars(select(SeenValueRow))).all()
    done = await office.written()
    read = await office.world.call("item_get", {"id": 7}, run="r1")
    async with office.database.reading() as tx:
        seen = (await tx.scalars(select(SeenValueRow))).all()

    await office.erase(one(done))
    await office.erase(one(read))

    async with office.database.reading() as tx:
        left = (await tx.scalars(select(SeenValueRow))).all()
    assert len(before) == len(left) < len(seen)
