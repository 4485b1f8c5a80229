"""Services that take writes from drafts alone: one commit makes a draft, writes to it, and activates or discards it."""

from typing import Any

import pytest
from odata_shop import CSDL, Line, imported

from connectors.sdk.run import Done, Failed, PhaseResult, Previewed
from connectors.sdk.vocabulary import Phase, UpstreamClass

pytestmark = pytest.mark.anyio

Json = Any

ID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
LIVE, DRAFT = f"/Notes(id={ID},IsActiveEntity=true)", f"/Notes(id={ID},IsActiveEntity=false)"
EDIT, ACTIVATE = f"{LIVE}/shop.draftEdit", f"{DRAFT}/shop.draftActivate"
GUARD = {f"Notes/{ID}": 'W/"1"'}


def note(text: str, *, is_active: bool) -> dict[str, Json]:
    return {"@odata.etag": 'W/"1"', "id": ID, "text": text, "IsActiveEntity": is_active}


@pytest.fixture
def by_drafts() -> Line:
    """A line to the shop as it is where live records are written from drafts alone."""
    return Line(imported(writes="drafts").spec)


async def change(line: Line) -> PhaseResult:
    return await line.run(Phase.COMMIT, "update_notes", {"id": ID, "text": "new"}, guard=GUARD, idempotency_key="k")


async def create(line: Line) -> PhaseResult:
    return await line.run(Phase.COMMIT, "create_notes", {"text": "x"}, idempotency_key="k")


async def test_a_change_is_made_on_a_draft_and_activated_under_the_version_of_the_preview(by_drafts: Line) -> None:
    by_drafts.will_answer(note("old", is_active=False), status=201).will_answer(note("new", is_active=False))
    by_drafts.will_answer(note("new", is_active=True))

    result = await change(by_drafts)

    assert result == Done(output={"id": ID, "text": "new"})
    assert by_drafts.lines == [f"POST {EDIT}", f"PATCH {DRAFT}", f"POST {ACTIVATE}"]
    assert by_drafts.sent[0].headers["if-match"] == 'W/"1"'
    assert by_drafts.sent[0].body == '{"PreserveChanges":true}', "somebody's unsaved work is never thrown away"
    assert by_drafts.sent[1].body == '{"text":"new"}'


async def test_a_new_record_is_made_as_a_draft_and_activated(by_drafts: Line) -> None:
    by_drafts.will_answer(note("x", is_active=False), status=201).will_answer(note("x", is_active=True))

    result = await create(by_drafts)

    assert result == Done(output={"id": ID, "text": "x"})
    assert by_drafts.lines == ["POST /Notes/shop.draftNew", f"POST {ACTIVATE}"]


async def test_without_an_action_for_new_drafts_a_post_to_the_set_makes_one() -> None:
    without = CSDL.replace(b'<PropertyValue Property="NewAction" String="shop.draftNew"/>', b"")
    line = Line(imported(without, writes="drafts").spec)
    line.will_answer(note("x", is_active=False), status=201).will_answer(note("x", is_active=True))

    result = await create(line)

    assert isinstance(result, Done)
    assert line.lines == ["POST /Notes", f"POST {ACTIVATE}"]
    assert line.sent[0].body == '{"text":"x","IsActiveEntity":false}'


@pytest.mark.parametrize("failing", ["the change", "the activation"])
async def test_what_the_service_refuses_late_is_discarded_and_said(by_drafts: Line, failing: str) -> None:
    by_drafts.will_answer(note("old", is_active=False), status=201)
    if failing == "the activation":
        by_drafts.will_answer(note("new", is_active=False))
    by_drafts.will_answer({"error": {"message": "Too rude."}}, status=400).will_answer(status=204)

    result = await change(by_drafts)

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"
    assert "Too rude." in result.message
    assert "Its draft was discarded." in result.message
    assert by_drafts.lines[-1] == f"DELETE {DRAFT}"


async def test_a_draft_that_cannot_be_discarded_either_is_said(by_drafts: Line) -> None:
    by_drafts.will_answer(note("old", is_active=False), status=201).will_answer(note("new", is_active=False))
    by_drafts.will_answer({"error": {"message": "No."}}, status=400).will_answer(status=503)

    result = await change(by_drafts)

    assert isinstance(result, Failed)
    assert "discard it by hand" in result.message


async def test_a_stale_version_is_a_conflict_before_there_is_any_draft(by_drafts: Line) -> None:
    by_drafts.will_answer({"error": {"message": "Precondition Failed"}}, status=412)

    result = await change(by_drafts)

    assert isinstance(result, Failed)
    assert result.code == "upstream_conflict"
    assert by_drafts.lines == [f"POST {EDIT}"]


@pytest.mark.parametrize("answered", [204, 404], ids=["it was not activated", "it was"])
async def test_an_unclear_answer_to_the_activation_stays_unknown_and_no_draft_is_left(
    by_drafts: Line, answered: int
) -> None:
    by_drafts.will_answer(note("old", is_active=False), status=201).will_answer(note("new", is_active=False))
    by_drafts.will_answer(status=502).will_answer(status=answered)

    result = await change(by_drafts)

    assert isinstance(result, Failed)
    assert result.code == "upstream_unknown"
    assert by_drafts.lines[-1] == f"DELETE {DRAFT}"


async def test_what_does_not_say_that_it_is_a_draft_is_not_activated(by_drafts: Line) -> None:
    by_drafts.will_answer({"id": ID, "text": "x"}, status=201)

    result = await create(by_drafts)

    assert isinstance(result, Failed)
    assert result.code == "upstream_unknown"
    assert len(by_drafts.sent) == 1


async def previewed(line: Line) -> tuple[str, ...]:
    """Return what a preview of a change, tried on a draft, says that it cannot know."""
    line.will_answer(note("old", is_active=True)).will_answer(note("old", is_active=False), status=201)
    for _ in range(3):
        line.will_answer(note("new", is_active=False))
    line.will_answer(status=204)
    result = await line.run(Phase.PREVIEW, "update_notes", {"id": ID, "text": "new"})
    assert isinstance(result, Previewed), result
    return result.preview.not_covered


async def test_a_preview_says_that_a_late_refusal_is_looked_up(by_drafts: Line) -> None:
    said = await previewed(by_drafts)

    assert any("when it is activated" in one for one in said)
    assert not any("written to the live record" in one for one in said)


async def test_a_preview_of_a_live_write_says_that_the_service_may_want_a_draft(line: Line) -> None:
    assert any("written to the live record" in one for one in await previewed(line))


async def test_without_an_action_to_edit_the_change_is_simulated_and_says_that_nothing_was_tried() -> None:
    line = Line(imported(CSDL.replace(b'<PropertyValue Property="EditAction" String="shop.draftEdit"/>', b"")).spec)
    line.will_answer(note("old", is_active=True))

    result = await line.run(Phase.PREVIEW, "update_notes", {"id": ID, "text": "new"})

    assert isinstance(result, Previewed)
    assert result.preview.fidelity.value == "simulated"
    assert any("could be tried on a draft" in one for one in result.preview.not_covered)


def test_what_it_declares_is_what_drafts_can_keep(by_drafts: Line) -> None:
    create, update = (by_drafts.spec.operation(name) for name in ("create_notes", "update_notes"))

    assert (create.upstream_class, create.max_unsafe_requests) == (UpstreamClass.D, 3)
    assert (update.upstream_class, update.max_unsafe_requests) == (UpstreamClass.B, 4)
    assert by_drafts.spec.operation("update_products").max_unsafe_requests == 1, "it has no drafts"


@pytest.mark.parametrize(
    ("missing", "tool"),
    [("ActivationAction", "create_notes"), ("ActivationAction", "update_notes"), ("EditAction", "update_notes")],
)
def test_what_the_service_names_no_action_for_is_no_tool_and_the_report_says_why(missing: str, tool: str) -> None:
    action = {"ActivationAction": "shop.draftActivate", "EditAction": "shop.draftEdit"}[missing]
    named = f'<PropertyValue Property="{missing}" String="{action}"/>'.encode()

    compilation = imported(CSDL.replace(named, b""), writes="drafts")

    assert tool not in {one.spec.name for one in compilation.tools}
    assert any(f"names no {missing}" in refusal.reason for refusal in compilation.refusals)
