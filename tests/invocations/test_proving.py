"""The contract kit passes an honest connector, and each line catches one that breaks it (`test_proving_bad` too)."""

import base64
from collections.abc import AsyncGenerator

import pytest
from invocations.laboratories import failed, harness_of, laboratory_of, tidied, tried
from upstream.careless import connector as careless_connector
from upstream.connector import connector as honest
from upstream.fixtures import TOKEN, Upstream
from upstream.harness import UpstreamHarness, honest_cases
from upstream.shelf import connector as shelf

from connectors.sdk.harness import Case, PlainHarness, SystemAnswer
from hub.invocations.proving.kit import check, check_case
from hub.invocations.proving.laboratory import Laboratory, open_laboratory
from hub.registry import BadgeVerdict, Promise

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def careless(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncGenerator[Laboratory]:
    del anyio_backend
    async with laboratory_of(careless_connector.spec, tmp_path_factory.mktemp("careless")) as laboratory:
        yield laboratory


@pytest.fixture
def lab(careless: Laboratory) -> Laboratory:
    return tidied(careless)


async def try_change(lab: Laboratory, operation: str) -> dict[Promise, str]:
    return await tried(lab, operation, id=1, quantity=5)


async def test_an_honest_connector_passes_every_line_that_applies(upstream: Upstream) -> None:
    harness = UpstreamHarness(upstream=upstream)
    tried = {"item_get", "item_put", "item_update", "ticket_create"}
    harness.cases = [case for case in honest_cases(harness) if case.operation in tried]

    async with open_laboratory(honest.spec, harness) as laboratory:
        lines = await check(laboratory)

    assert failed(lines) == {}
    passed = {(line.operation, line.promise) for line in lines if line.verdict is BadgeVerdict.PASSED}
    assert {promise for _, promise in passed} == {*Promise}
    assert {("item_put", Promise.ONCE), ("item_update", Promise.GUARD), ("ticket_create", Promise.ONCE)} <= passed
    assert {("item_put", Promise.UNDO), ("item_update", Promise.UNDO)} <= passed


async def test_what_a_resource_derives_keeps_what_it_declares(upstream: Upstream) -> None:
    harness = UpstreamHarness(upstream=upstream)
    harness.cases = [
        harness.write("item_update", edits=1, id=1, quantity=7),
        harness.write("ticket_create", title="broken"),
    ]

    async with open_laboratory(shelf.spec, harness) as laboratory:
        lines = await check(laboratory)

    assert failed(lines) == {}
    passed = {(line.operation, line.promise) for line in lines if line.verdict is BadgeVerdict.PASSED}
    assert {("item_update", Promise.GUARD), ("item_update", Promise.UNDO), ("ticket_create", Promise.ONCE)} <= passed


async def test_a_preview_that_writes_is_caught_and_nothing_was_written(lab: Laboratory) -> None:
    found = failed(await check_case(lab, harness_of(lab).write("writes_in_its_preview", id=1)))

    assert found.keys() == {Promise.FENCE}
    assert "DELETE /items/1" in found[Promise.FENCE]
    assert harness_of(lab).upstream.store.effects() == []


async def test_a_preview_that_leaves_something_is_caught(lab: Laboratory) -> None:
    found = await try_change(lab, "leaves_a_note")

    assert "took effect" in found[Promise.UNTOUCHED]
    assert "nobody approved" in found[Promise.PERMIT]


async def test_a_preview_that_leaves_something_uncounted_is_caught_by_what_the_system_holds(lab: Laboratory) -> None:
    case = Case(operation="leaves_a_note", arguments={"id": 1, "quantity": 5})

    found = failed(await check_case(lab, case))

    assert "is new" in found[Promise.UNTOUCHED]


async def test_a_preview_that_is_never_the_same_is_caught(lab: Laboratory) -> None:
    assert Promise.DIGEST in await try_change(lab, "changes_its_mind")


async def test_a_write_that_needs_no_permit_is_caught(lab: Laboratory) -> None:
    found = failed(await check_case(lab, harness_of(lab).write("asks_nobody", title="hello")))

    assert "without asking" in found[Promise.PERMIT]


async def test_a_commit_without_its_guard_is_caught(lab: Laboratory) -> None:
    found = await try_change(lab, "ignores_its_guard")

    assert "as the condition of the write" in found[Promise.GUARD]


async def test_a_commit_without_its_guard_is_caught_by_the_write_itself_where_nobody_can_edit(lab: Laboratory) -> None:
    case = harness_of(lab).write("ignores_its_guard", id=1, quantity=5)

    found = failed(await check_case(lab, case))

    assert {Promise.GUARD, Promise.ONCE} <= found.keys()


async def test_a_wrong_prediction_is_caught(lab: Laboratory) -> None:
    found = await try_change(lab, "predicts_wrongly")

    assert "items/1: quantity is 5, the preview said 6" in found[Promise.PREDICTION]


async def test_a_repeat_that_does_it_again_is_caught(lab: Laboratory) -> None:
    found = failed(await check_case(lab, harness_of(lab).write("posts_twice", text="hello")))

    assert "Sent again with its key" in found[Promise.ONCE]


async def test_a_write_that_a_preview_could_send_is_caught(lab: Laboratory) -> None:
    found = failed(await check_case(lab, harness_of(lab).write("posts_twice", text="hello")))

    assert "POST /notes" in found[Promise.FENCE]


async def test_an_undo_that_leaves_more_than_declared_is_caught(lab: Laboratory) -> None:
    found = await try_change(lab, "leaves_more_than_it_says")

    assert found.keys() == {Promise.UNDO}
    assert "item/1 name" in found[Promise.UNDO]


async def test_a_secret_in_an_answer_is_caught(lab: Laboratory) -> None:
    encoded = base64.b64encode(TOKEN.encode()).decode()
    harness_of(lab).upstream.store.rows("UPDATE item SET name = ? WHERE id = 1", encoded)

    found = failed(await check_case(lab, Case(operation="shows_everything", arguments={"id": 1})))

    assert found.keys() == {Promise.SECRETS}
    assert encoded not in found[Promise.SECRETS]


@pytest.mark.parametrize(
    ("operation", "says"),
    [("asks_again_at_once", "again and again"), ("makes_up_an_answer", "as if nothing were the matter")],
)
async def test_who_does_not_stop_when_turned_away_is_caught(lab: Laboratory, operation: str, says: str) -> None:
    found = failed(await check_case(lab, Case(operation=operation, arguments={"id": 1})))

    assert says in found[Promise.THROTTLING]


async def test_choking_on_a_field_of_a_later_release_is_caught(lab: Laboratory) -> None:
    found = failed(await check_case(lab, Case(operation="forbids_new_fields", arguments={"id": 1})))

    assert found.keys() == {Promise.UNKNOWN_FIELDS}


async def test_an_error_that_is_not_mapped_is_caught(lab: Laboratory) -> None:
    found = failed(await check_case(lab, Case(operation="breaks_on_a_refusal", arguments={"id": 1})))

    assert found.keys() == {Promise.ERRORS}
    assert "404" in found[Promise.ERRORS]


async def test_a_documented_answer_that_is_mapped_to_something_else_is_caught(lab: Laboratory) -> None:
    moved = SystemAnswer(name="locked", status=423, code="upstream_conflict", body='{"detail": "locked"}')

    found = failed(await check_case(lab, Case(operation="shows_everything", arguments={"id": 1}, answers=[moved])))

    assert "locked should be upstream_conflict" in found[Promise.ERRORS]


async def test_without_a_view_into_the_system_it_is_judged_by_reading_back(upstream: Upstream) -> None:
    harness = PlainHarness(
        system="somewhere",
        base_url=upstream.base_url,
        secret={"token": upstream.token},
        cases=[Case(operation="item_update", arguments={"id": 1, "quantity": 12})],
    )

    async with open_laboratory(honest.spec, harness) as laboratory:
        lines = await check(laboratory)

    reasons = {line.promise: line.reason for line in lines if line.verdict is BadgeVerdict.PASSED}
    assert reasons.keys() == {*Promise}
    assert all("reading back" in reasons[promise] for promise in (Promise.UNTOUCHED, Promise.UNDO))
