"""What holds for every write, proven on a real Tryton."""

from typing import Any

import pytest

from connectors.sdk import Effect, Preview
from connectors.sdk.run import Failed
from connectors.tryton import connector
from connectors.tryton.tests.desk import Bench, Case, Office
from connectors.tryton_server import Person, TrytonServer

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]

Json = Any


def foreseen(preview: Preview) -> dict[str, Json]:
    """What the preview commits itself to: every field that it does not call unknown."""
    return {
        change.target: {name: value for name, value in change.after.items() if name not in change.unknown}
        for change in preview.changes
    }


def known_of(records: dict[str, Json], preview: Preview) -> dict[str, Json]:
    return {
        target: {name: records[target][name] for name in predicted} for target, predicted in foreseen(preview).items()
    }


def version_of(person: Person, case: Case, given: dict[str, Json]) -> str:
    return person.read(case.model, next(iter(given.values())), "_timestamp")["_timestamp"]


async def test_the_cases_are_all_the_writes_but_the_creation(cases: tuple[Case, ...]) -> None:
    writes = {operation.name for operation in connector.spec.operations if operation.effect is not Effect.READ}

    assert {case.operation for case in cases} == writes - {"party_create"}


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
            assert records[change.target][name] != change.after[name], name


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
    assert again.code in {"upstream_conflict", "upstream_refused"}
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
