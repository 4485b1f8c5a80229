"""Between approval and commit everything is checked again: one test for each check, which fails without it."""

import ast
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import select, update
from upstream.connector import connector
from world import World

from connectors.sdk.vocabulary import Tier
from hub.approvals.tables import QuestionRow
from hub.audit import EventKind, events_of
from hub.bundles import Publication, default_bundle_text, publish_bundle
from hub.core.errors import Conflict
from hub.dryrun.tables import PreviewRow
from hub.identity.accounts import set_groups, suspend
from hub.invocations import recheck as recheck_module
from hub.invocations.commit import claim, send
from hub.invocations.queries import current
from hub.invocations.recheck import Holds, recheck
from hub.invocations.request import intent_digest
from hub.invocations.resume import expire_overdue, resume
from hub.invocations.secrecy import bind
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.taken_back import taken_back
from hub.invocations.values import Invocation
from hub.registry import (
    disable_connection,
    find_tool,
    quarantine,
    register_connector,
    set_owner_tier,
    withdraw_version,
)
from hub.storage import Tx, now

pytestmark = pytest.mark.anyio
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Change = Callable[[World, Tx], Awaitable[object]]


async def tool_changes(world: World, tx: Tx) -> None:
    spec = connector.spec
    changed = [
        one.model_copy(update={"description": "Remove an item for good."}) if one.name == "item_delete" else one
        for one in spec.operations
    ]
    release = spec.model_copy(update={"version": "1.0.1", "operations": tuple(changed)})
    await register_connector(tx, release, world.runtime.authority)


async def connection_is_signed_in_anew(world: World, tx: Tx) -> None:
    secret = {"token": world.upstream.token}
    await world.runtime.vault.put(tx, world.connection_id, secret, world.runtime.authority)


async def tool_is_quarantined(world: World, tx: Tx) -> None:
    tool = await find_tool(tx, "upstream", "item_delete")
    assert tool is not None
    await quarantine(tx, tool.id, "It misbehaved.", world.runtime.authority)


async def tier_is_raised(world: World, tx: Tx) -> None:
    tool = await find_tool(tx, "upstream", "item_delete")
    assert tool is not None
    await set_owner_tier(tx, tool.id, Tier.CRITICAL, world.runtime.authority)


def _rules() -> str:
    """The default bundle without its examples, which other rules would break."""
    return "\n".join(line for line in default_bundle_text().splitlines() if not line.startswith("//?"))


async def policy_is_tightened(world: World, tx: Tx) -> None:
    text = _rules().replace('@require("approvers:1")', '@require("approvers:2")')
    publication = Publication(environment="dev", text=text, by=None)
    await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)


async def policy_forbids_commits(world: World, tx: Tx) -> None:
    rule = '@id("stop") @why("Nothing is committed today.") forbid (principal, action == Action::"commit", resource);'
    publication = Publication(environment="dev", text=f"{_rules()}\n{rule}", by=None)
    await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)


async def voter_leaves_the_group(world: World, tx: Tx) -> None:
    await set_groups(tx, world.ann.id, frozenset(), world.runtime.authority)


async def voter_is_suspended(world: World, tx: Tx) -> None:
    await suspend(tx, world.ann.id, "left", world.runtime.authority)


async def agent_is_suspended(world: World, tx: Tx) -> None:
    await suspend(tx, world.bot.id, "out of control", world.runtime.authority)


async def requester_is_suspended(world: World, tx: Tx) -> None:
    await suspend(tx, world.rita.id, "left", world.runtime.authority)


async def arguments_are_changed_in_the_database(_world: World, tx: Tx) -> None:
    await tx.execute(update(InvocationRow).values(arguments={"id": 2}))


async def preview_is_changed_in_the_database(_world: World, tx: Tx) -> None:
    await tx.execute(update(PreviewRow).values(body={"changes": []}))


async def preview_and_its_digest_are_changed_in_the_database(_world: World, tx: Tx) -> None:
    from connectors.sdk.preview import Preview
    from hub.dryrun import preview_digest

    await tx.execute(update(PreviewRow).values(body={"changes": []}, digest=preview_digest(Preview(changes=()))))


async def terms_are_changed_in_the_database(_world: World, tx: Tx) -> None:
    row = (await tx.scalars(select(QuestionRow))).one()
    row.terms = {**row.terms, "nonce": "another"}


async def summary_is_changed_in_the_database(_world: World, tx: Tx) -> None:
    row = (await tx.scalars(select(QuestionRow))).one()
    row.summary = {**row.summary, "title": "Something harmless"}


async def obligations_are_changed_in_the_database(_world: World, tx: Tx) -> None:
    row = (await tx.scalars(select(QuestionRow))).one()
    row.obligations = [{**one, "why": "Nobody minds."} for one in row.obligations]


async def time_is_extended_in_the_database(_world: World, tx: Tx) -> None:
    await tx.execute(update(InvocationRow).values(deadline=await now(tx) + timedelta(days=900)))


async def arguments_and_their_digest_are_changed_in_the_database(world: World, tx: Tx) -> None:
    """As somebody would who can write to the database and knows how digests are made."""
    tool = await world.runtime.catalog.resolve("item_delete", server="everything", caller=world.caller)
    other = bind(tool, {"id": 2}, world.runtime.keys)
    intended = intent_digest(tool, agent_id=world.bot.id, on_behalf_of_id=world.rita.id, arguments=other, undoes=None)
    await tx.execute(update(InvocationRow).values(arguments={"id": 2}, intent_digest=intended))


async def another_connection_is_used(_world: World, tx: Tx) -> None:
    await tx.execute(update(InvocationRow).values(connection_id="con_another"))


async def record_is_changed_by_somebody_else(world: World, _tx: Tx) -> None:
    world.edit_by_hand(1, quantity=99)


async def approval_is_exchanged_in_the_database(_world: World, tx: Tx) -> None:
    await tx.execute(update(InvocationRow).values(approval_digest="0" * 64))


REASONS: Final[dict[Change, str]] = {
    tool_changes: "the tool has a new version",
    another_connection_is_used: "the tool now uses another connection",
    connection_is_signed_in_anew: "the connection has been changed or signed in anew",
    tool_is_quarantined: "'item_delete' is held back until its owner has looked: It misbehaved.",
    tier_is_raised: "its risk tier is now critical",
    policy_is_tightened: "policy now asks for more approvals",
    policy_forbids_commits: "policy no longer allows it",
    voter_leaves_the_group: "somebody who approved it may no longer do so",
    voter_is_suspended: "somebody who approved it may no longer do so",
    agent_is_suspended: "Bot is suspended",
    requester_is_suspended: "Rita is suspended",
    arguments_are_changed_in_the_database: "the arguments on record are not the ones that were approved",
    arguments_and_their_digest_are_changed_in_the_database: "the approval on record is for something else",
    preview_is_changed_in_the_database: "the preview on record is not the one that was approved",
    preview_and_its_digest_are_changed_in_the_database: "the approval on record is for something else",
    terms_are_changed_in_the_database: "the approval on record is for something else",
    summary_is_changed_in_the_database: "the approval on record is for something else",
    obligations_are_changed_in_the_database: "the approval on record is for something else",
    time_is_extended_in_the_database: "the approval on record is for something else",
    approval_is_exchanged_in_the_database: "the approval on record is for something else",
    record_is_changed_by_somebody_else: (
        "items/1: quantity is not what it was; items/1: version is not what it was; "
        "items/1: somebody has changed it since"
    ),
}
"""Each change with the one re-check that notices it: without that check another reason, or none, is given."""


def test_every_sentence_of_the_re_checks_is_provoked_here() -> None:
    """A re-check that nobody tests says something that no test waits for."""
    said = {
        one.value
        for one in ast.walk(ast.parse(Path(recheck_module.__file__).read_text()))
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and " " in one.value and "\n" not in one.value
    }
    elsewhere = {
        "the connector's own check says no: ",  # test_demands: the connector's own check is asked again before sending
        "the preview can no longer be taken: ",
        "policy no longer allows one of its steps",  # plans/test_plan_rechecks
        "the approval of its plan is for something else",
    }
    without_docstrings = {one for one in said if not one.endswith((".", "?"))}

    unprovoked = {
        one for one in without_docstrings - elsewhere if not any(one in reason for reason in REASONS.values())
    }

    assert unprovoked == {"there is no preview to compare with"}  # what only a changed database could bring about


@on_sqlite
@pytest.mark.parametrize("change", REASONS)
async def test_an_approval_is_void_when(world: World, change: Change) -> None:
    asked = await world.call("item_delete", {"id": 1})
    approved = await world.vote(asked, world.ann)
    assert approved.state is State.APPROVED
    async with world.runtime.database.transaction() as tx:
        await change(world, tx)

    after = await resume(asked.id, world.runtime)

    assert (after.state, after.error_message) == (State.STALE, REASONS[change])
    assert world.upstream.store.effects() == []


@on_sqlite
async def test_what_has_expired_is_never_committed_however_late_the_timer_is(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(deadline=await now(tx) - timedelta(milliseconds=1)))

    await resume(asked.id, world.runtime)

    assert (await current(world.runtime, asked.id)).state is State.EXPIRED
    assert world.upstream.store.effects() == []


@on_sqlite
async def test_what_expires_after_its_claim_is_not_sent_any_more(world: World) -> None:
    claimed, held = await checked_again(world)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(deadline=await now(tx) - timedelta(milliseconds=1)))

    after = await send(claimed, held.tool, world.runtime)

    assert after.state is State.EXPIRED
    assert world.upstream.store.effects() == []


async def version_is_withdrawn(world: World, tx: Tx) -> None:
    tool = await world.runtime.catalog.resolve("item_delete", server="everything", caller=world.caller)
    await withdraw_version(tx, tool.version.id, "It misbehaved.", world.runtime.authority)


async def connection_is_disabled(world: World, tx: Tx) -> None:
    await disable_connection(tx, world.connection_id, world.runtime.authority, reason="It misbehaved.")


async def checked_again(world: World) -> tuple[Invocation, Holds]:
    """Return a write that is approved and claimed, and the result of its re-check: next it is marked as sent."""
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    claimed = await claim(asked.id, world.runtime)
    assert claimed is not None
    held = await recheck(claimed, world.runtime)
    assert isinstance(held, Holds)
    return claimed, held


TAKEN_BACK: Final[dict[Change, str]] = {
    agent_is_suspended: "Bot is suspended.",
    requester_is_suspended: "Rita is suspended.",
    tool_is_quarantined: "The tool is held back until its owner has looked: It misbehaved.",
    version_is_withdrawn: "This version of the tool was withdrawn: It misbehaved.",
    connection_is_disabled: "Its connection is disabled.",
    connection_is_signed_in_anew: "The connection has been changed or signed in anew.",
    voter_is_suspended: "Somebody who approved it may no longer do so.",
    voter_leaves_the_group: "Somebody who approved it may no longer do so.",
}
"""What may still be taken back once everything was checked again, and what is said of it."""


@on_sqlite
@pytest.mark.parametrize("change", TAKEN_BACK)
async def test_what_is_taken_back_after_the_re_check_still_comes_before_the_first_byte(
    world: World, change: Change
) -> None:
    claimed, held = await checked_again(world)
    async with world.runtime.database.transaction() as tx:
        assert await taken_back(tx, claimed, public_url=world.runtime.public_url) == ""
        await change(world, tx)
        assert await taken_back(tx, claimed, public_url=world.runtime.public_url) == TAKEN_BACK[change]

    after = await send(claimed, held.tool, world.runtime)

    async with world.runtime.database.reading() as tx:
        events = await events_of(tx, claimed.id)
    assert after.state is State.APPROVED  # nothing was sent; the next re-check says what has changed
    assert EventKind.COMMIT_SENT not in {one.kind for one in events}
    assert events[-1].kind is EventKind.COMMIT_RELEASED
    found = await resume(claimed.id, world.runtime)
    assert found.state is State.STALE
    assert world.upstream.store.effects() == []


@on_sqlite
@pytest.mark.parametrize("change", [policy_is_tightened, policy_forbids_commits])
async def test_a_policy_that_is_published_after_the_re_check_is_asked_before_the_first_byte(
    world: World, change: Change
) -> None:
    claimed, held = await checked_again(world)
    async with world.runtime.database.transaction() as tx:
        await change(world, tx)

    after = await send(claimed, held.tool, world.runtime, held.decided)
    found = await resume(claimed.id, world.runtime)

    assert after.state is State.APPROVED
    assert (found.state, found.error_message) == (State.STALE, REASONS[change])
    assert world.upstream.store.effects() == []


@on_sqlite
async def test_a_vote_after_the_deadline_is_refused(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    async with world.runtime.database.transaction() as tx:
        past = await now(tx) - timedelta(milliseconds=1)
        await tx.execute(update(InvocationRow).values(deadline=past))

    assert await expire_overdue(world.runtime) == 1
    with pytest.raises(Conflict):
        await world.vote(asked, world.ann)


@on_sqlite
async def test_a_third_stale_preview_is_the_last(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    for quantity in (11, 12, 13):
        asked = await current(world.runtime, asked.id)
        await world.vote(asked, world.ann)
        world.edit_by_hand(1, quantity=quantity)
        assert (await resume(asked.id, world.runtime)).state is State.STALE
        asked = await resume(asked.id, world.runtime)

    assert asked.state is State.EXPIRED
    assert asked.revision == 3
    assert world.upstream.store.effects() == []


async def arguments_of_the_tool_change(world: World, tx: Tx) -> None:
    spec = connector.spec
    [deletion] = [one for one in spec.operations if one.name == "item_delete"]
    schema = {**deletion.input_schema, "properties": {"id": {"type": "integer", "minimum": 100, "maximum": 2**31}}}
    others = [one for one in spec.operations if one.name != "item_delete"]
    stricter = deletion.model_copy(update={"input_schema": schema, "examples": ()})
    release = spec.model_copy(update={"version": "1.0.1", "operations": (*others, stricter)})
    await register_connector(tx, release, world.runtime.authority)


@on_sqlite
async def test_a_call_is_not_carried_over_to_a_version_that_takes_other_arguments(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    async with world.runtime.database.transaction() as tx:
        await arguments_of_the_tool_change(world, tx)

    stale = await resume(asked.id, world.runtime)
    ended = await resume(asked.id, world.runtime)

    assert stale.error_message == "the tool has a new version"
    assert ended.state is State.EXPIRED
    assert "call it again" in (ended.error_message or "")
    assert world.upstream.store.effects() == []
