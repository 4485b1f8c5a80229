"""What holds for every write, proven on a real Tryton."""

from typing import Any

import pytest

from connectors.sdk import Effect, Preview, Reversal
from connectors.sdk.run import Failed
from connectors.tryton import connector
from connectors.tryton.tests.desk import Bench, Case
from connectors.tryton_server import Person, TrytonServer
from connectors.tryton_server.office import Office

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]

Json = Any


CREATIONS = {"party_create", "sale_create", "invoice_create"}
"""What changes nothing that exists; each has its own tests."""

FOR_GOOD = {
    "sale_confirm",
    "sale_draft",
    "sale_line_remove",
    "invoice_post",
    "invoice_cancel",
    "invoice_line_remove",
}
"""What nothing undoes."""


def foreseen(preview: Preview) -> dict[str, Json]:
    return {change.target: dict(change.after or {}) for change in preview.changes}


def known_of(records: dict[str, Json], preview: Preview) -> dict[str, Json]:
    return {
        target: {name: records[target][name] for name in predicted} for target, predicted in foreseen(preview).items()
    }


def version_of(person: Person, case: Case, given: dict[str, Json]) -> str:
    record = next(iter(given.values()))
    if case.model == "product.template":
        record = person.read("product.product", record, "template")["template"]
    return str(person.read(case.model, record, "_timestamp")["_timestamp"])


async def test_the_cases_are_all_the_writes_but_the_creation(cases: tuple[Case, ...]) -> None:
    writes = {operation.name for operation in connector.spec.operations if operation.effect is not Effect.READ}

    assert {case.operation for case in cases} == writes - CREATIONS


async def test_the_real_record_is_the_foreseen_one(bench: Bench, office: Office, case: Case) -> None:
    given = case.arguments(office)
    preview = await bench.foresee(case.operation, **given)

    output = await bench.carry_out(case.operation, preview, **given)
    records = await bench.observe(case.operation, preview, output, **given)

    assert known_of(records, preview) == foreseen(preview)
    assert any(change.before != change.after for change in preview.changes)


async def test_what_a_preview_calls_unknown_really_is_for_tryton_to_fill_in(
    bench: Bench, office: Office, case: Case
) -> None:
    given = case.arguments(office)
    preview = await bench.foresee(case.operation, **given)

    output = await bench.carry_out(case.operation, preview, **given)
    records = await bench.observe(case.operation, preview, output, **given)

    for change in preview.changes:
        for name in change.unknown:
            assert records[change.target][name] not in {(change.before or {})[name], None, ""}, name


async def test_a_preview_leaves_the_database_as_it_was(
    bench: Bench, office: Office, case: Case, tryton: TrytonServer
) -> None:
    given = case.arguments(office)
    before = tryton.snapshot()

    first = await bench.foresee(case.operation, **given)
    second = await bench.foresee(case.operation, **given)

    assert tryton.snapshot() == before
    assert first == second


async def test_a_commit_is_seen_in_the_snapshot(bench: Bench, office: Office, case: Case, tryton: TrytonServer) -> None:
    given = case.arguments(office)
    preview = await bench.foresee(case.operation, **given)
    before = tryton.snapshot()

    await bench.carry_out(case.operation, preview, **given)

    assert tryton.snapshot() != before


async def test_somebody_elses_edit_after_the_preview_stops_the_commit(
    bench: Bench, office: Office, clerk: Person, case: Case
) -> None:
    given = case.arguments(office)
    preview = await bench.foresee(case.operation, **given)
    case.meddle(office, given)
    version = version_of(clerk, case, given)

    refusal = await bench.refusal(case.operation, preview, **given)

    assert refusal.code == "upstream_conflict"
    assert version_of(clerk, case, given) == version


async def test_tryton_itself_checks_the_guard_inside_the_write(bench: Bench, office: Office, case: Case) -> None:
    """What is read before a write is a courtesy: an edit after those reads must be refused too."""
    given = case.arguments(office)
    preview = await bench.foresee(case.operation, **given)
    order = bench.order(case.operation, preview, key="key-1", **given)

    result = await bench.run_meddled(order, before=lambda: case.meddle(office, given))

    assert isinstance(result, Failed), result
    assert result.code == "upstream_conflict"


async def test_a_lost_answer_and_a_second_try_have_one_effect(
    bench: Bench, office: Office, clerk: Person, case: Case
) -> None:
    given = case.arguments(office)
    preview = await bench.foresee(case.operation, **given)
    order = bench.order(case.operation, preview, key="key-1", **given)

    lost = await bench.run_meddled(order, loses_answers=True)
    version = version_of(clerk, case, given)
    again = await bench.run(order)

    assert isinstance(lost, Failed)
    assert lost.code == "upstream_unknown"
    assert isinstance(again, Failed)
    assert again.code == "upstream_conflict"
    assert version_of(clerk, case, given) == version


async def test_after_a_lost_answer_the_record_can_be_compared_with_the_prediction(
    bench: Bench, office: Office, case: Case
) -> None:
    given = case.arguments(office)
    preview = await bench.foresee(case.operation, **given)
    order = bench.order(case.operation, preview, key="key-1", **given)
    await bench.run_meddled(order, loses_answers=True)

    records = await bench.observe(case.operation, preview, None, **given)

    assert known_of(records, preview) == foreseen(preview)


async def test_undo_brings_back_what_the_preview_had_found(bench: Bench, office: Office, case: Case) -> None:
    undo = connector.spec.operation(case.operation).compensation
    if undo is None:
        assert case.operation in FOR_GOOD
        return
    given = case.arguments(office)
    preview = await bench.foresee(case.operation, **given)
    output = await bench.carry_out(case.operation, preview, **given)
    receipt = {"input": given, "output": output, "before": [dict(change.before or {}) for change in preview.changes]}

    arguments = undo.arguments_for(receipt)
    backwards = await bench.foresee(undo.tool, **arguments)
    await bench.carry_out(undo.tool, backwards, **arguments)
    records = await bench.observe(case.operation, preview, output, **given)

    found = {change.target: change.before for change in preview.changes}
    if undo.kind is Reversal.EXACT:
        assert records == found
    else:
        assert left_behind(records, found) <= set(connector.spec.operation(case.operation).residue)


def left_behind(records: dict[str, Json], found: dict[str, Json]) -> set[str]:
    return {name for target, before in found.items() for name in before if records[target][name] != before[name]}


async def test_undo_is_refused_when_somebody_changed_the_record_since(
    bench: Bench, office: Office, clerk: Person
) -> None:
    given: dict[str, Json] = {"contact_id": office.contact(), "value": "b@umber.example"}
    preview = await bench.foresee("party_contact_update", **given)
    await bench.carry_out("party_contact_update", preview, **given)
    back: dict[str, Json] = {"contact_id": given["contact_id"], "value": "a@umber.example"}
    backwards = await bench.foresee("party_contact_update", **back)
    clerk.write("party.contact_mechanism", given["contact_id"], value="c@umber.example")

    refusal = await bench.refusal("party_contact_update", backwards, **back)

    assert refusal.code == "upstream_conflict"
    assert clerk.read("party.contact_mechanism", given["contact_id"], "value")["value"] == "c@umber.example"


async def test_a_write_that_no_longer_fits_the_record_is_a_conflict_not_a_refusal(
    bench: Bench, office: Office, clerk: Person
) -> None:
    sale = office.sale("quote")
    preview = await bench.foresee("sale_confirm", sale_id=sale)
    clerk.press("sale.sale", sale, "cancel")

    refusal = await bench.refusal("sale_confirm", preview, sale_id=sale)

    assert refusal.code == "upstream_conflict"
    assert 'You can not call "confirm"' in refusal.message
