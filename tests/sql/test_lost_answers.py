"""A line that is cut at COMMIT, before the server has it and after: what is said is true, and nothing happens twice."""

import pytest
from sql_desk import Desk, Permits, spec_of
from sql_settling import settled
from sql_shop import Shop

from connectors.sdk.vocabulary import UpstreamClass
from hub.execution import Conflicted, Succeeded, Unknown
from hub.invocations.states import State

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("shop", ["postgresql"], indirect=True)]


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_line_cut_at_commit_leaves_the_outcome_unknown(desk: Desk, cut: str) -> None:
    preview = await desk.preview("customer_update", id=1, credit_minor=150)
    guard = {one.target: one.token for one in preview.preconditions}
    assert desk.shop.wire is not None
    desk.shop.wire.cut = cut
    permits = Permits()

    lost = await desk.commit("customer_update", permits, guard=guard, id=1, credit_minor=150)
    again = await desk.commit("customer_update", permits, guard=guard, id=1, credit_minor=150)

    assert isinstance(lost, Unknown), lost
    assert desk.shop.wire.cuts == 1
    # class B: the same condition holds only if nothing had happened
    assert isinstance(again, Succeeded if cut == "before" else Conflicted), again
    assert permits.asked == (2 if cut == "before" else 1)
    assert await desk.shop.rows("SELECT credit_minor, version FROM customer WHERE id = 1") == [(150, 2)]


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_an_update_whose_answer_was_lost_is_settled_without_a_second_effect(desk: Desk, cut: str) -> None:
    asked = await desk.call("credit_raise", by=10, below=250)
    assert desk.shop.wire is not None
    desk.shop.wire.cut = cut

    await desk.approve(asked)

    assert desk.shop.wire.cuts == 1
    assert await settled(desk, asked.id) is State.VERIFIED
    assert await desk.shop.rows("SELECT credit_minor FROM customer WHERE id < 3 ORDER BY id") == [(110,), (210,)]


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_creation_with_a_reference_happens_once(desk: Desk, cut: str) -> None:
    assert desk.spec.operation("customer_create").upstream_class is UpstreamClass.A
    assert desk.shop.wire is not None
    desk.shop.wire.cut = cut

    lost = await desk.commit("customer_create", key="k1", name="Fay", credit_minor=0)
    again = await desk.commit("customer_create", key="k1", name="Fay", credit_minor=0)

    assert isinstance(lost, Unknown)
    assert isinstance(again, Succeeded), again
    assert again.output["name"] == "Fay"
    assert await desk.shop.rows("SELECT reference FROM customer WHERE name = 'Fay'") == [("k1",)]


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_with_receipts_every_write_happens_once_and_answers_the_same(desk: Desk, cut: str) -> None:
    text = desk.shop.manifest.replace("limits:", "receipts: toolhub_receipt\nlimits:")
    desk.spec = await spec_of(desk.shop, text)
    assert desk.spec.operation("credit_raise").upstream_class is UpstreamClass.A
    preview = await desk.preview("credit_raise", by=10, below=250)
    guard = {one.target: one.token for one in preview.preconditions}
    assert desk.shop.wire is not None
    desk.shop.wire.cut = cut

    lost = await desk.commit("credit_raise", key="k1", guard=guard, by=10, below=250)
    again = await desk.commit("credit_raise", key="k1", guard=guard, by=10, below=250)

    assert isinstance(lost, Unknown)
    assert isinstance(again, Succeeded), again
    assert [row["credit_minor"] for row in again.output["rows"]] == [110, 210]
    assert await desk.shop.rows("SELECT credit_minor FROM customer WHERE id < 3 ORDER BY id") == [(110,), (210,)]


async def test_an_insert_that_nothing_tells_from_another_is_of_class_d(shop: Shop) -> None:
    text = shop.manifest.replace("    reference: reference\n", "")

    spec = await spec_of(shop, text)

    assert spec.operation("customer_create").upstream_class is UpstreamClass.D
