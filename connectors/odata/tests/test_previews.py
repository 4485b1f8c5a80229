"""Previews: what would change, tried on a draft that is discarded, while no request could reach a live record."""

from typing import Any

import pytest
from odata_shop import Line

from connectors.sdk.run import Failed, Observed, Previewed
from connectors.sdk.vocabulary import Fidelity, Phase
from connectors.sdk.wire import WireRequest

pytestmark = pytest.mark.anyio

Json = Any

ID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
LIVE, DRAFT = f"/Notes(id={ID},IsActiveEntity=true)", f"/Notes(id={ID},IsActiveEntity=false)"
EDIT, PREPARE = f"{LIVE}/shop.draftEdit", f"{DRAFT}/shop.draftPrepare"


def note(text: str, *, is_active: bool = True, **more: Json) -> dict[str, Json]:
    return {"@odata.etag": 'W/"1"', "id": ID, "text": text, "IsActiveEntity": is_active, **more}


async def test_a_change_is_tried_on_a_draft_and_the_draft_is_discarded(line: Line) -> None:
    line.will_answer(note("old")).will_answer(note("old", is_active=False), status=201)
    line.will_answer(note("new", is_active=False)).will_answer(note("new", is_active=False))
    line.will_answer(note("new, as the service has it", is_active=False)).will_answer(status=204)

    result = await line.run(Phase.PREVIEW, "update_notes", {"id": ID, "text": "new"})

    assert isinstance(result, Previewed), result
    assert line.lines == [
        f"GET {LIVE}",
        f"POST {EDIT}",
        f"PATCH {DRAFT}",
        f"POST {PREPARE}",
        f"GET {DRAFT}",
        f"DELETE {DRAFT}",
    ]
    assert line.sent[1].headers["if-match"] == 'W/"1"'
    assert line.sent[1].body == '{"PreserveChanges":true}', "somebody's unsaved work is never thrown away"
    change = result.preview.changes[0]
    assert (change.before, change.after) == (
        {"id": ID, "text": "old"},
        {"id": ID, "text": "new, as the service has it"},
    )
    assert result.preview.fidelity is Fidelity.EXECUTED
    assert result.preview.not_covered
    assert [(one.token, one.strength) for one in result.preview.preconditions] == [('W/"1"', "strong")]


async def test_a_new_record_is_tried_as_a_draft(line: Line) -> None:
    line.will_answer(note("x", is_active=False), status=201).will_answer(note("x", is_active=False))
    line.will_answer(note("x", is_active=False)).will_answer(status=204)

    result = await line.run(Phase.PREVIEW, "create_notes", {"text": "x"})

    assert isinstance(result, Previewed), result
    assert line.lines == ["POST /Notes/shop.draftNew", f"POST {PREPARE}", f"GET {DRAFT}", f"DELETE {DRAFT}"]
    assert result.preview.changes[0].after == {"text": "x"}
    assert result.preview.changes[0].unknown == ("id",)


async def test_what_the_service_has_against_a_draft_refuses_the_write(line: Line) -> None:
    said = [
        {"numericSeverity": 4, "message": "Too rude.", "target": "/Notes/text"},
        {"numericSeverity": 2, "message": "Nice."},
    ]
    line.will_answer(note("x", is_active=False), status=201).will_answer(note("x", is_active=False))
    line.will_answer(note("x", is_active=False, DraftMessages=said)).will_answer(status=204)

    result = await line.run(Phase.PREVIEW, "create_notes", {"text": "x"})

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"
    assert "text: Too rude." in result.message
    assert "Nice" not in result.message
    assert line.lines[-1] == f"DELETE {DRAFT}"


@pytest.mark.parametrize("failing", [2, 3, 4], ids=["patch", "prepare", "read"])
async def test_a_draft_is_discarded_whatever_goes_wrong(line: Line, failing: int) -> None:
    line.will_answer(note("old")).will_answer(note("old", is_active=False), status=201)
    for _ in range(2, failing):
        line.will_answer(note("new", is_active=False))
    line.will_answer({"error": {"message": "No."}}, status=400).will_answer(status=204)

    result = await line.run(Phase.PREVIEW, "update_notes", {"id": ID, "text": "new"})

    assert isinstance(result, Failed)
    assert line.lines[-1] == f"DELETE {DRAFT}"


async def test_a_draft_that_somebody_else_has_is_left_alone(line: Line) -> None:
    line.will_answer(note("old")).will_answer({"error": {"message": "Ann is editing it."}}, status=409)

    result = await line.run(Phase.PREVIEW, "update_notes", {"id": ID, "text": "new"})

    assert isinstance(result, Failed)
    assert result.code == "upstream_conflict"
    assert line.lines == [f"GET {LIVE}", f"POST {EDIT}"]


async def test_a_draft_that_stays_behind_is_said(line: Line) -> None:
    line.will_answer(note("x", is_active=False), status=201).will_answer(note("x", is_active=False))
    line.will_answer(note("x", is_active=False)).will_answer(status=503)

    result = await line.run(Phase.PREVIEW, "create_notes", {"text": "x"})

    assert isinstance(result, Failed)
    assert "discard it by hand" in result.message


async def test_what_is_no_draft_is_never_discarded(line: Line) -> None:
    line.will_answer(note("x", is_active=True), status=201)

    result = await line.run(Phase.PREVIEW, "create_notes", {"text": "x"})

    assert isinstance(result, Failed)
    assert line.lines == ["POST /Notes/shop.draftNew"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", LIVE),
        ("DELETE", LIVE),
        ("PUT", DRAFT),
        ("POST", "/Notes"),
        ("POST", f"{LIVE}/shop.draftActivate"),
        ("POST", f"{DRAFT}/shop.draftActivate"),
        ("PATCH", f"/Notes(id={ID},IsActiveEntity=true,IsActiveEntity=false)"),
        ("PATCH", f"/Notes(id={ID},IsActiveEntity%3Dtrue,IsActiveEntity=false)"),
        ("DELETE", f"/Notes(id={ID},IsActiveEntity=false)/lines"),
        ("PATCH", "/Products(7)"),
    ],
    ids=["change", "delete", "replace", "create", "activate", "activate-draft", "both", "escaped", "beneath", "other"],
)
def test_no_preview_can_reach_a_live_record(line: Line, method: str, path: str) -> None:
    request = WireRequest.model_validate({"method": method, "path": path})

    assert not line.spec.is_safe(request, previewing=True)


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_drafts_are_made_by_previews_alone(line: Line, method: str) -> None:
    path = EDIT if method == "POST" else DRAFT
    request = WireRequest.model_validate({"method": method, "path": path})

    assert line.spec.is_safe(request, previewing=True)
    assert not line.spec.is_safe(request)


async def test_without_drafts_a_change_is_simulated_and_what_the_system_sets_stays_unknown(line: Line) -> None:
    line.will_answer({"@odata.etag": '"7"', "number": 7, "name": "Milk", "price": "1.00", "changed": "x", "home": {}})

    result = await line.run(Phase.PREVIEW, "update_products", {"number": "7", "price": "2.00", "clear": ["home"]})

    assert isinstance(result, Previewed)
    change = result.preview.changes[0]
    assert change.after == {"number": "7", "name": "Milk", "price": "2.00"}
    assert change.unknown == ("changed",)
    assert result.preview.fidelity is Fidelity.SIMULATED


async def test_where_there_is_no_version_the_hub_compares_the_record_itself(line: Line) -> None:
    for mail in ("a@x.example", "a@x.example", "b@x.example"):
        line.will_answer({"code": "A", "mail": mail})

    found = [await line.run(Phase.PREVIEW, "delete_suppliers", {"code": "A"}) for _ in range(3)]

    guards = [one.preview.preconditions[0] for one in found if isinstance(one, Previewed)]
    assert [guard.strength for guard in guards] == ["weak"] * 3
    assert guards[0].token == guards[1].token != guards[2].token


async def test_a_key_that_is_taken_refuses_a_new_record(line: Line) -> None:
    line.will_answer({"number": 7})

    result = await line.run(Phase.PREVIEW, "create_products", {"number": "7", "name": "Milk"})

    assert isinstance(result, Failed)
    assert result.message == "Products/7 is there already."


async def test_what_an_action_does_is_not_claimed_to_be_known(line: Line) -> None:
    line.will_answer({"@odata.etag": '"7"', "number": 7, "name": "Milk"})

    result = await line.run(Phase.PREVIEW, "products_retire", {"number": "7", "parameter_number": "1"})

    assert isinstance(result, Previewed)
    change = result.preview.changes[0]
    assert (change.before, change.after, change.unknown) == ({"number": "7", "name": "Milk"}, {}, ("number", "name"))
    assert result.preview.fidelity is Fidelity.CONTRACT
    assert result.preview.preconditions[0].token == '"7"'


async def test_what_a_commit_did_is_read_back(line: Line) -> None:
    line.will_answer({"number": 7, "name": "Milk"}).will_answer(status=404)

    kept = await line.run(Phase.OBSERVE, "update_products", {"number": "7"})
    gone = await line.run(Phase.OBSERVE, "delete_products", {"number": "7"})

    assert kept == Observed(records={"Products/7": {"number": "7", "name": "Milk"}})
    assert gone == Observed(records={"Products/7": None})
