"""The test connector on the test upstream: what each class promises, and what each fault may be called."""

import subprocess
import sys

import pytest
from upstream.connector import connector
from upstream.faults import Fault
from upstream.fixtures import Upstream

from connectors.sdk.preview import Preview
from connectors.sdk.run import Done, Failed, Found, NotFoundYet, Observed, PhaseCall, PhaseResult, Previewed
from connectors.sdk.vocabulary import Phase
from connectors.sdk.workbench import Workbench

pytestmark = pytest.mark.anyio


def previewed(result: PhaseResult) -> Preview:
    assert isinstance(result, Previewed), result
    return result.preview


def code_of(result: PhaseResult) -> str:
    assert isinstance(result, Failed), result
    return result.code


async def test_a_read_returns_the_typed_record(bench: Workbench) -> None:
    result = await bench.read("item_get", id=1)

    assert result == Done(output={"id": 1, "name": "pencil", "quantity": 10, "version": 1})


async def test_an_update_happens_as_previewed_and_reads_back_the_same(bench: Workbench, upstream: Upstream) -> None:
    preview = previewed(await bench.preview("item_update", id=1, quantity=7))

    done = await bench.commit("item_update", preview, id=1, quantity=7)

    (change,) = preview.changes
    assert change.before == {"id": 1, "name": "pencil", "quantity": 10, "version": 1}
    assert change.after == {"id": 1, "name": "pencil", "quantity": 7}
    assert change.unknown == ("version",)
    assert isinstance(done, Done)
    assert {name: done.output[name] for name in change.after} == change.after
    observe = PhaseCall(operation="item_update", phase=Phase.OBSERVE, arguments={"id": 1}, output=done.output)
    assert await bench.run(observe) == Observed(records={"items/1": done.output})
    assert [effect.kind for effect in upstream.store.effects()] == ["item.patch"]


async def test_a_preview_changes_nothing_and_says_the_same_twice(bench: Workbench, upstream: Upstream) -> None:
    first = await bench.preview("item_update", id=1, quantity=7)
    second = await bench.preview("item_update", id=1, quantity=7)

    assert first == second
    assert upstream.store.effects() == []
    assert {request.method for request in upstream.store.requests()} == {"GET"}


async def test_a_guard_that_moved_is_a_conflict_and_nothing_is_written(bench: Workbench, upstream: Upstream) -> None:
    preview = previewed(await bench.preview("item_update", id=1, quantity=7))
    upstream.store.rows("UPDATE item SET version = 2, quantity = 9 WHERE id = 1")

    result = await bench.commit("item_update", preview, id=1, quantity=7)

    assert code_of(result) == "upstream_conflict"
    assert upstream.store.effects() == []


async def test_one_key_creates_once_however_often_it_is_sent(bench: Workbench, upstream: Upstream) -> None:
    new = {"id": 2, "name": "ruler", "quantity": 3}
    preview = previewed(await bench.preview("item_put", **new))
    upstream.store.plan_fault(Fault.DROP_AFTER, method="PUT")

    lost = await bench.commit("item_put", preview, key="k1", **new)
    again = await bench.commit("item_put", preview, key="k1", **new)

    assert code_of(lost) == "upstream_unknown"
    assert again == Done(output={**new, "version": 1})
    assert len(upstream.store.effects("2")) == 1


async def test_a_lost_answer_is_found_by_our_reference(bench: Workbench, upstream: Upstream) -> None:
    preview = previewed(await bench.preview("ticket_create", title="Broken"))
    look = PhaseCall(operation="ticket_create", phase=Phase.LOOKUP, arguments={"title": "Broken"}, idempotency_key="k2")
    assert await bench.run(look) == NotFoundYet()
    upstream.store.plan_fault(Fault.DROP_AFTER, method="POST", path="/tickets")

    lost = await bench.commit("ticket_create", preview, key="k2", title="Broken")
    found = await bench.run(look)

    assert code_of(lost) == "upstream_unknown"
    assert found == Found(output={"id": 1, "title": "Broken", "reference": "k2"})


async def test_the_named_compensation_restores_what_was_there(bench: Workbench, upstream: Upstream) -> None:
    preview = previewed(await bench.preview("item_update", id=1, name="crayon"))
    done = await bench.commit("item_update", preview, id=1, name="crayon")
    assert isinstance(done, Done)
    compensation = connector.spec.operation("item_update").compensation
    assert compensation is not None

    arguments = compensation.arguments_for(
        {"input": {"id": 1, "name": "crayon"}, "output": done.output, "before": [preview.changes[0].before]}
    )
    undo = previewed(await bench.preview(compensation.tool, **arguments))
    await bench.commit(compensation.tool, undo, **arguments)

    assert upstream.store.row("SELECT name, quantity FROM item") == {"name": "pencil", "quantity": 10}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.DROP_BEFORE, "upstream_unknown"),
        (Fault.DROP_AFTER, "upstream_unknown"),
        (Fault.ERROR_BEFORE, "upstream_unknown"),
        (Fault.ERROR_AFTER, "upstream_unknown"),
        (Fault.UNAVAILABLE, "upstream_unknown"),
        (Fault.THROTTLED, "upstream_unavailable"),
        (Fault.HTML, "upstream_unknown"),
        (Fault.REDIRECT, "upstream_unknown"),
        (Fault.TRUNCATED, "upstream_unknown"),
        (Fault.CUT, "upstream_unknown"),
        (Fault.HUGE, "upstream_unknown"),
        (Fault.ENDLESS, "upstream_unknown"),
        (Fault.GARBAGE, "upstream_unknown"),
    ],
)
async def test_no_fault_of_a_write_is_called_not_done_unless_it_is(
    bench: Workbench, upstream: Upstream, fault: Fault, code: str
) -> None:
    preview = previewed(await bench.preview("note_post", text="hello"))
    upstream.store.plan_fault(fault, method="POST")

    result = await bench.commit("note_post", preview, text="hello")

    assert code_of(result) == code
    assert len(upstream.store.effects("hello")) == int(fault.is_processed)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.DROP_BEFORE, "upstream_unavailable"),
        (Fault.ERROR_BEFORE, "upstream_unavailable"),
        (Fault.UNAVAILABLE, "upstream_unavailable"),
        (Fault.THROTTLED, "upstream_unavailable"),
        (Fault.HTML, "upstream_unreadable"),
        (Fault.REDIRECT, "upstream_unreadable"),
        (Fault.TRUNCATED, "upstream_unreadable"),
    ],
)
async def test_no_fault_of_a_read_leaves_a_doubt(bench: Workbench, upstream: Upstream, fault: Fault, code: str) -> None:
    upstream.store.plan_fault(fault, method="GET")

    assert code_of(await bench.read("item_get", id=1)) == code


async def test_a_delayed_answer_is_an_answer(bench: Workbench, upstream: Upstream) -> None:
    upstream.store.plan_fault(Fault.DELAY, argument=0.05)

    assert isinstance(await bench.read("item_get", id=1), Done)


async def test_a_missing_record_and_a_refusal_come_with_the_reason(bench: Workbench) -> None:
    missing = await bench.read("item_get", id=404)

    assert missing == Failed(
        code="upstream_not_found", message="The system refused the request (404). It says: item 404 does not exist"
    )


async def test_a_system_that_is_down_was_never_reached(bench: Workbench, upstream: Upstream) -> None:
    preview = previewed(await bench.preview("note_post", text="hello"))
    upstream.kill()

    assert code_of(await bench.commit("note_post", preview, text="hello")) == "upstream_unavailable"


async def test_requests_without_the_account_are_refused(upstream: Upstream) -> None:
    async with Workbench(connector, upstream.base_url) as bench:
        assert code_of(await bench.read("item_get", id=1)) == "upstream_refused"


def test_the_upstream_ends_with_whoever_started_it(upstream: Upstream) -> None:
    assert upstream.process.stdin is not None

    upstream.process.stdin.close()

    assert upstream.process.wait(timeout=10) == 0


def test_the_test_connector_is_importable_in_a_process_of_its_own() -> None:
    code = "import connectors.sdk.connector as c; print(c.load('upstream.connector:connector').spec.artefact_digest)"

    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd="/").stdout

    assert printed.strip() == connector.spec.artefact_digest
