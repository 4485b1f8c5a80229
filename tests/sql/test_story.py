"""Whole stories on real databases: propose, see the rows before and after, approve, commit, read back, undo."""

import pytest
from sql_desk import Desk

from connectors.sdk.vocabulary import Fidelity
from hub.execution import Reachable
from hub.invocations.states import State

pytestmark = pytest.mark.anyio


async def test_a_read_answers_rows_and_says_when_there_are_more(desk: Desk) -> None:
    found = await desk.call("customer_find")
    above = await desk.call("customers_above", least=300)
    one = await desk.call("customer_get", id=2)

    assert found.state is State.SUCCEEDED, found.error_message
    assert [row["name"] for row in found.output["rows"]] == ["Ann", "Bob", "Cyd"]
    assert found.output["more"] is True
    assert above.output == {
        "rows": [{"name": "Dan", "credit_minor": 400}, {"name": "Eve", "credit_minor": 500}],
        "more": False,
    }
    assert one.output == {"id": 2, "name": "Bob", "email": "bob@example.com", "credit_minor": 200, "version": 1}


async def test_an_update_is_tried_approved_committed_and_verified(desk: Desk) -> None:
    done = await desk.approve(await desk.call("customer_update", id=1, credit_minor=150))

    assert done.state is State.VERIFIED, (done.state, done.error_message, done.findings)
    assert done.preview is not None
    assert done.preview.preview.fidelity is Fidelity.EXECUTED
    (change,) = done.preview.preview.changes
    assert change.target == "customer/1"
    assert change.before == {"id": 1, "name": "Ann", "email": "ann@example.com", "credit_minor": 100, "version": 1}
    assert change.after == {"id": 1, "name": "Ann", "email": "ann@example.com", "credit_minor": 150, "version": 2}
    assert change.sensitive == ("email",)
    assert done.preview.preview.blast.rows == 1
    assert await desk.shop.rows("SELECT credit_minor, version FROM customer WHERE id = 1") == [(150, 2)]


async def test_a_statement_over_many_rows_waits_for_approval_and_shows_each(desk: Desk) -> None:
    untouched = await desk.shop.content()
    asked = await desk.call("credit_raise", by=10, below=250)

    assert asked.state is State.AWAITING_APPROVAL, (asked.state, asked.error_message)
    assert asked.preview is not None
    assert [change.target for change in asked.preview.preview.changes] == ["customer/1", "customer/2"]
    assert asked.preview.preview.blast.rows == 2
    assert await desk.shop.content() == untouched

    done = await desk.approve(asked)

    assert done.state is State.VERIFIED, (done.state, done.error_message, done.findings)
    assert await desk.shop.rows("SELECT credit_minor FROM customer ORDER BY id") == [
        (110,),
        (210,),
        (300,),
        (400,),
        (500,),
    ]


async def test_somebody_elses_edit_makes_an_approval_stale(desk: Desk) -> None:
    asked = await desk.call("credit_raise", by=10, below=250)
    await desk.shop.script("UPDATE customer SET secret = 'changed' WHERE id = 2")

    stale = await desk.approve(asked)
    again = await desk.go_on(stale)

    assert stale.state is State.STALE
    assert again.state is State.AWAITING_APPROVAL
    assert again.revision == 2
    assert await desk.shop.rows("SELECT credit_minor FROM customer WHERE id < 3 ORDER BY id") == [(100,), (200,)]


async def test_a_creation_gets_its_number_at_commit_and_is_undone_by_deleting(desk: Desk) -> None:
    made = await desk.call("customer_create", name="Fay", email="fay@example.com")

    assert made.preview is not None
    (change,) = made.preview.preview.changes
    if made.state is State.AWAITING_APPROVAL:
        made = await desk.approve(made)
    assert made.state is State.VERIFIED, (made.state, made.error_message, made.findings)
    assert change.target == "customer/new"
    assert "id" in change.unknown
    assert "id" not in (change.after or {})
    assert made.output["name"] == "Fay"
    assert made.output["credit_minor"] == 0

    gone = await desk.undo(made)

    assert gone.state is State.VERIFIED, (gone.state, gone.error_message)
    assert await desk.shop.rows("SELECT name FROM customer WHERE name = 'Fay'") == []


async def test_an_update_is_undone_by_itself_with_what_was_before(desk: Desk) -> None:
    done = await desk.approve(await desk.call("note_update", code="n1", body="second"))
    assert done.state is State.VERIFIED, (done.state, done.error_message)

    undone = await desk.undo(done)
    again = await desk.undo(undone)

    assert undone.state is State.VERIFIED, (undone.state, undone.error_message)
    assert again.state is State.VERIFIED, (again.state, again.error_message)
    assert await desk.shop.rows("SELECT body FROM note") == [("second",)]


async def test_a_row_that_somebody_changed_since_is_not_undone(desk: Desk) -> None:
    done = await desk.approve(await desk.call("note_update", code="n1", body="second"))
    await desk.shop.script("UPDATE note SET body = 'third'")

    refused = await desk.undo(done)

    assert refused.state is State.PREVIEW_FAILED
    (line,) = [line for line in refused.conflict if line["field"] == "body"]
    assert (line["before"], line["committed"], line["now"]) == ("'first'", "'second'", "'third'")
    assert await desk.shop.rows("SELECT body FROM note") == [("third",)]


async def test_rows_that_a_deletion_takes_with_it_count_and_are_told(desk: Desk) -> None:
    preview = await desk.preview("customer_delete", id=1)

    assert preview.blast.rows == 3
    assert [effect.kind for effect in preview.side_effects] == ["rows changed too"]
    assert preview.side_effects[0].recipient.endswith(": 2")


async def test_a_connection_says_whether_it_can_be_used(desk: Desk) -> None:
    health = await desk.runtime.executor.check_connection(desk.spec, desk.connection)

    assert not isinstance(health, Reachable)
    assert "trigger watcher" in health.message
