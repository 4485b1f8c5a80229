"""The approval page: everything is on it, exactly what it shows is decided, and looking decides nothing."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from questions import add_groups, add_person, ask_by
from sqlalchemy import update
from starlette.applications import Starlette
from web_visitor import Visitor
from world import PASSWORD, World

from connectors.sdk.vocabulary import Tier
from hub.identity.tables import SessionRow
from hub.invocations.queries import current
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.registry import find_tool, set_owner_tier
from hub.storage import Database
from hub.web import web_routes

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """Both engines: votes race and count differently on each."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def rita(world: World) -> AsyncGenerator[Visitor]:
    """The person the agent acts for, at her own browser."""
    async with at_own_browser(world, "rita") as opened:
        yield opened


@asynccontextmanager
async def at_own_browser(world: World, name: str) -> AsyncGenerator[Visitor]:
    """Yield somebody who has logged in, beside whoever else has."""
    app = Starlette(routes=web_routes(world.runtime))
    async with Visitor(app, base_url=world.runtime.public_url) as opened:
        await opened.log_in(name, PASSWORD)
        yield opened


async def asked_to_delete(world: World) -> tuple[Invocation, str]:
    """Let the agent ask for something that needs an approval; return it and the address of its page."""
    asked = await world.call("item_delete", {"id": 1})
    assert asked.state is State.AWAITING_APPROVAL
    return asked, f"/approvals/{asked.id}"


async def state_of(world: World, invocation: Invocation) -> State:
    """Return where the invocation stands."""
    return (await current(world.runtime, invocation.id)).state


async def test_the_page_tells_everything_a_decision_rests_on(world: World, ann: Visitor) -> None:
    _, page = await asked_to_delete(world)

    await ann.get(page)

    for words in (
        "Delete items/1 in upstream",
        "Bot asks for Rita",
        "Tier: High",
        "pencil not there",
        "Simulated 2 of 5",
        "No preview of this tool has been compared",
        "items/1 is unchanged since the preview — the system itself checks this",
        "Cannot be undone",
        "Writes of tier high need the approval of another person.",
        "approvers 0 of 1",
        "What the agent says claim, not checked",
        "Purpose a test",
    ):
        assert words in ann.text
    assert re.search(r'<time datetime="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"', ann.html)


async def test_an_approval_lets_the_write_happen_once(world: World, ann: Visitor) -> None:
    asked, page = await asked_to_delete(world)
    await ann.get("/approvals")
    assert page in ann.html
    await ann.get(page)

    await ann.submit(page, decision="approve", reason="Stock was counted.")
    await ann.follow()

    assert "Your approval is on record." in ann.html
    assert "Stock was counted." in ann.html
    assert 'hx-trigger="every 2s"' in ann.html  # it keeps looking how it stands
    assert (await resume(asked.id, world.runtime)).state in {State.VERIFIED, State.UNVERIFIABLE}
    await ann.get(page)
    assert 'hx-trigger="every 2s"' not in ann.html
    assert "Time allowed until" not in ann.text
    assert f'href="/invocations/{asked.id}">What came of it' in ann.html
    assert len(world.upstream.store.effects()) == 1
    assert page not in (await ann.get("/approvals")).text


async def test_a_rejection_needs_a_reason_and_ends_the_call(world: World, ann: Visitor) -> None:
    asked, page = await asked_to_delete(world)

    await ann.get(page)
    await ann.submit(page, decision="reject", reason="  ")
    assert ann.page.status_code == 400
    assert "Say why you reject it" in ann.html
    assert await state_of(world, asked) is State.AWAITING_APPROVAL
    await ann.submit(page, decision="reject", reason="We still sell it.")

    ended = await current(world.runtime, asked.id)
    assert (ended.state, ended.error_message) == (State.REJECTED, "We still sell it.")
    assert world.upstream.store.effects() == []


async def test_whom_it_is_done_for_confirms_it_on_the_same_page(world: World, rita: Visitor, ann: Visitor) -> None:
    await ask_by(world, '@confirm("requester") @require("approvers:1")')
    asked, page = await asked_to_delete(world)
    assert page not in (await ann.get("/approvals")).text
    await rita.get("/approvals")
    assert page in rita.html
    await rita.get(page)
    for words in ("Confirm", "Decline", "Bot does this in your name.", "the person it is done for", "asked now"):
        assert words in rita.text
    assert "standing-grant" not in rita.html

    await rita.submit(page, decision="approve")
    await rita.follow()

    assert "Your confirmation is on record." in rita.html
    assert "confirmed" in rita.text
    assert await state_of(world, asked) is State.AWAITING_APPROVAL
    assert page in (await ann.get("/approvals")).text


async def test_whom_it_is_done_for_declines_it_with_a_reason(world: World, rita: Visitor) -> None:
    await ask_by(world, '@confirm("requester")')
    asked, page = await asked_to_delete(world)
    await rita.get(page)

    await rita.submit(page, decision="reject", reason="I never asked for that.")

    ended = await current(world.runtime, asked.id)
    assert (ended.state, ended.error_message) == (State.REJECTED, "I never asked for that.")


async def test_a_get_never_decides(world: World, ann: Visitor) -> None:
    asked, page = await asked_to_delete(world)
    await ann.get(page)
    fields = dict(ann.form(page).fields)

    for method in ("GET", "HEAD"):
        await ann.client.request(method, page, params={**fields, "decision": "approve", "done": "approve"})
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await ann.client.request(method, page)).status_code == 405

    assert await state_of(world, asked) is State.AWAITING_APPROVAL


async def test_a_post_without_a_decision_or_with_another_one_decides_nothing(world: World, ann: Visitor) -> None:
    asked, page = await asked_to_delete(world)
    await ann.get(page)

    for pressed in ("", "yes", "APPROVE"):
        await ann.get(page)
        await ann.submit(page, decision=pressed)
        assert ann.page.status_code == 400

    assert await state_of(world, asked) is State.AWAITING_APPROVAL


async def test_the_requester_sees_the_page_without_a_form_and_cannot_forge_one(world: World, rita: Visitor) -> None:
    asked, page = await asked_to_delete(world)

    await rita.get(page)
    assert "somebody else has to decide it" in rita.html
    assert f'action="{page}"' not in rita.html
    token = dict(rita.form("/logout").fields)["csrf_token"]
    assert asked.question is not None
    forged = [("csrf_token", token), ("approval_digest", asked.question.digest), ("decision", "approve")]
    await rita.post(page, forged)

    assert rita.page.status_code == 403
    assert await state_of(world, asked) is State.AWAITING_APPROVAL


async def test_what_is_none_of_ones_business_looks_unknown(world: World, visitor: Visitor) -> None:
    asked, page = await asked_to_delete(world)
    await visitor.log_in("carl", PASSWORD)

    answers = {
        (await visitor.get(path)).text
        for path in (page, f"/invocations/{asked.id}", "/approvals/inv_nothing", "/invocations/inv_nothing")
    }

    assert len(answers) == 1
    assert visitor.page.status_code == 404
    fields = [("csrf_token", dict(visitor.form("/logout").fields)["csrf_token"]), ("decision", "approve")]
    assert (await visitor.post(page, fields)).status_code == 404


async def test_a_vote_on_an_older_preview_shows_the_difference_instead(world: World, ann: Visitor) -> None:
    asked, page = await asked_to_delete(world)
    await ann.get(page)
    outdated = ann.form(page).fields
    await world.vote(asked, world.ann)
    world.edit_by_hand(1, quantity=7)
    for _ in range(2):
        await resume(asked.id, world.runtime)
    kept = [(name, value) for name, value in outdated if name != "reason"]

    await ann.post(page, [*kept, ("reason", "Counted."), ("decision", "approve")])

    assert ann.page.status_code == 409
    assert "This has changed since you looked" in ann.html
    assert "items/1 as it stands" in ann.html
    assert re.search(r"quantity.*?changed.*?10.*?7", ann.text)
    assert dict(ann.form(page).fields)["reason"] == "Counted."
    assert dict(ann.form(page).fields)["approval_digest"] != dict(outdated)["approval_digest"]
    assert await state_of(world, asked) is State.AWAITING_APPROVAL


async def test_a_second_vote_of_the_same_person_is_not_counted(world: World, ann: Visitor) -> None:
    await make_critical(world)
    _, page = await asked_to_delete(world)
    await ann.get(page)
    fields = [*ann.form(page).fields, ("decision", "approve")]
    await ann.post(page, fields)
    await ann.follow()
    assert "You have voted. Other people still have to." in ann.html

    await ann.post(page, fields)

    assert ann.page.status_code == 409
    assert re.search(r"approvers 1 of 1.*controllers 0 of 1", ann.text)


async def test_a_critical_write_asks_for_the_password_and_comes_back_with_the_reason(
    world: World, ann: Visitor
) -> None:
    await make_critical(world)
    asked, page = await asked_to_delete(world)
    await grow_old(world)
    await ann.get(page)
    assert "You will be asked for your password first" in ann.html

    await ann.submit(page, decision="approve", reason="Counted, with Zoë.")
    assert ann.page.headers["location"].startswith("/fresh-login?next=%2Fapprovals%2F")
    await ann.follow()
    assert (await current(world.runtime, asked.id)).question.votes == ()
    await ann.submit("/fresh-login", password=PASSWORD)
    await ann.follow()

    assert dict(ann.form(page).fields)["reason"] == "Counted, with Zoë."
    await ann.submit(page, decision="approve")
    (vote,) = (await current(world.runtime, asked.id)).question.votes
    assert vote.reason == "Counted, with Zoë."


async def test_somebody_elses_draft_is_not_shown(world: World, ann: Visitor) -> None:
    _, page = await asked_to_delete(world)
    draft = {"reason": "not hers", "person": world.carl.id}
    sealed = world.runtime.keys.seal(draft, purpose="web draft of a reason", seconds=60)

    for token in (sealed, "forged"):
        assert (await ann.get(f"{page}?draft={token}")).status_code == 200
        assert dict(ann.form(page).fields)["reason"] == ""


async def test_what_an_agent_or_a_record_says_is_inert_and_visibly_marked(world: World, ann: Visitor) -> None:
    hostile = "<script>alert(1)</script>\u202eevil\u200b"
    world.upstream.store.rows("UPDATE item SET name = ? WHERE id = 1", hostile)
    _, page = await asked_to_delete(world)

    await ann.get(page)

    assert "<script>alert" not in ann.html
    assert "&lt;script&gt;alert(1)" in ann.html
    assert "\u202e" not in ann.html
    assert re.search(r'<span class="mark" title="Right-to-left override">U\+202E</span>', ann.html)
    assert "Contains 2 hidden characters." in ann.html


async def make_critical(world: World) -> None:
    """Let the tool's owner set it to critical, which asks two groups and a fresh login."""
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_delete")
        assert tool is not None
        await set_owner_tier(tx, tool.id, Tier.CRITICAL, world.runtime.authority)


async def grow_old(world: World) -> None:
    """Move every login half an hour into the past."""
    earlier = datetime.now(UTC) - timedelta(minutes=30)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(SessionRow).values(authenticated_at=earlier))


async def test_the_page_shows_the_stages_and_where_the_question_stands(world: World, ann: Visitor) -> None:
    await add_groups(world, "legal")
    await ask_by(world, '@require("approvers:1, then legal:1")')
    await add_person(world, "lea", "legal")
    _, page = await asked_to_delete(world)
    async with at_own_browser(world, "lea") as lea:
        await lea.get(page)
        assert "Only approvers may decide this now; others are asked after them." in lea.html
        assert page not in (await lea.get("/approvals")).text
        await ann.get("/approvals")
        assert "stage 1 of 2 · approvers: 0 of 1" in ann.html
        await ann.get(page)
        assert re.search(r"First asked now approvers 0 of 1 Then asked later legal 0 of 1", ann.text)
        await ann.submit(page, decision="approve")
        await lea.get(page)

        assert re.search(r"First complete approvers 1 of 1 .*Then asked now legal 0 of 1", lea.text)
        await lea.submit(page, decision="approve")
        await lea.follow()
        assert "Your approval is on record." in lea.html


async def test_an_approver_proposes_other_arguments_and_others_decide(world: World, ann: Visitor) -> None:
    await add_person(world, "bob", "approvers")
    asked = await world.call("item_put", {"id": 7, "name": "stapler", "quantity": 600_000})
    page = f"/approvals/{asked.id}"
    await ann.get(page)

    await ann.submit(f"{page}/instead", arguments='{"id": 7, "name": "stapler"', reason="Fewer.")
    assert ann.page.status_code == 400
    assert "The arguments are not JSON" in ann.html
    await ann.submit(f"{page}/instead", arguments='{"id": 7, "name": "stapler", "quantity": 40}', reason="Fewer.")
    await ann.follow()

    assert "Your proposal is on record." in ann.html
    assert "You take part in this call yourself" in ann.html
    assert f'action="{page}"' not in ann.html
    async with at_own_browser(world, "bob") as bob:
        await bob.get(page)
        assert re.search(r"Not what the agent asked for .*Revision 2: Ann .*Fewer\. .*quantity.*600000.*40", bob.text)
        await bob.submit(page, decision="approve")
    assert await state_of(world, asked) is State.APPROVED


async def test_somebody_names_a_deputy_who_sees_for_whom_they_vote(world: World, ann: Visitor) -> None:
    await add_person(world, "dora")
    asked, page = await asked_to_delete(world)
    await ann.get("/deputies")
    await ann.submit("/deputies", deputy="nobody", starts="2026-01-01T00:00", ends="2126-01-01T00:00")
    assert ann.page.status_code == 400
    now = datetime.now(UTC)
    starts, ends = (f"{now + timedelta(days=days):%Y-%m-%dT%H:%M}" for days in (-1, 1))
    await ann.submit("/deputies", deputy="dora", starts=starts, ends=ends)
    await ann.follow()
    assert "Dora votes for you" in ann.text

    async with at_own_browser(world, "dora") as dora:
        await dora.get("/deputies")
        assert "You vote for Ann" in dora.text
        await dora.get(page)
        assert "You decide in the place of Ann" in dora.text
        await dora.submit(page, decision="approve")
        await dora.follow()
        assert "approved Dora for Ann for approvers" in dora.text

    assert await state_of(world, asked) is State.APPROVED
    await ann.get("/deputies")
    (end,) = re.findall(r'action="(/deputies/[^"]+/end)"', ann.html)
    await ann.submit(end)
    await ann.follow()
    assert "Nobody stands in for anybody" in ann.text


async def test_a_second_question_shows_what_is_different_from_the_first(world: World, ann: Visitor) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    world.edit_by_hand(1, quantity=7)
    await resume(asked.id, world.runtime)
    await resume(asked.id, world.runtime)

    await ann.get(f"/approvals/{asked.id}")

    assert "Different from the preview before" in ann.text
    assert "Votes on the earlier preview are void." in ann.text
    assert "items/1 as it stands" in ann.text
