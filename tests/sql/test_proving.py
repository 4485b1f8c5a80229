"""The contract kit on real databases: what the shop's manifest promises is kept, and what does not apply is said."""

import pytest
from sql_desk import spec_of
from sql_harness import ShopHarness
from sql_shop import Shop

from connectors.sdk.harness import Case
from hub.invocations.proving.session import check_live
from hub.registry import Badge, BadgeLine, BadgeVerdict, Promise

pytestmark = pytest.mark.anyio

TOUCHED = "UPDATE customer SET credit_minor = credit_minor + 1, version = version + 1 WHERE id = 1"
OF_ANY_WRITE = {Promise.FENCE, Promise.UNTOUCHED, Promise.DIGEST, Promise.PERMIT, Promise.PREDICTION}
OF_REQUESTS = {Promise.THROTTLING, Promise.UNKNOWN_FIELDS, Promise.ERRORS}


def failed(badge: Badge) -> list[BadgeLine]:
    return [line for line in badge.lines if line.verdict is BadgeVerdict.FAILED]


def passed(badge: Badge, operation: str) -> set[Promise]:
    return {line.promise for line in badge.of(operation) if line.verdict is BadgeVerdict.PASSED}


async def test_a_guarded_write_is_proven_with_its_undo_and_written_no_more_often_than_that(sqlite_shop: Shop) -> None:
    harness = ShopHarness(shop=sqlite_shop)
    harness.cases = [harness.write("customer_update", edit=TOUCHED, id=1, credit_minor=150)]

    badge = await check_live(await spec_of(sqlite_shop), harness)

    assert failed(badge) == []
    assert passed(badge, "customer_update") == OF_ANY_WRITE | {Promise.GUARD, Promise.ONCE, Promise.UNDO}
    assert badge.system == "a shop on SQLite"
    written = await sqlite_shop.rows("SELECT version, credit_minor FROM customer WHERE id = 1")
    assert written == [(4, 101)]  # somebody's edit, the write, its undo


@pytest.mark.more
async def test_every_tool_of_a_database_keeps_what_its_manifest_promises(shop: Shop) -> None:
    harness = ShopHarness(shop=shop)
    harness.cases = [
        Case(operation="customer_find", arguments={}),
        Case(operation="customer_get", arguments={"id": 2}),
        Case(operation="customers_above", arguments={"least": 300}),
        harness.write("customer_create", name="Fay", email="fay@example.com"),
        harness.write("customer_update", edit=TOUCHED, id=1, credit_minor=150),
        harness.write("note_create", code="n2", body="second"),
        harness.write("note_update", edit="UPDATE note SET body = 'edited' WHERE code = 'n1'", code="n1", body="new"),
        harness.write("note_delete", edit="UPDATE note SET body = 'again' WHERE code = 'n1'", code="n1"),
        harness.write("credit_raise", edit=TOUCHED, by=10, below=250),
        harness.write("order_delete", edit="UPDATE orders SET total_minor = 12 WHERE id = 1", customer_id=1),
        harness.write("customer_delete", id=3),
    ]

    badge = await check_live(await spec_of(shop), harness)

    assert failed(badge) == []
    for guarded in ("customer_update", "note_update", "note_delete"):
        assert passed(badge, guarded) - {Promise.SECRETS} == OF_ANY_WRITE | {Promise.GUARD, Promise.ONCE, Promise.UNDO}
    for irreversible in ("credit_raise", "order_delete", "customer_delete"):
        assert passed(badge, irreversible) - {Promise.SECRETS} == OF_ANY_WRITE | {Promise.GUARD, Promise.ONCE}
    assert OF_ANY_WRITE | {Promise.ONCE, Promise.UNDO} <= passed(badge, "customer_create")
    assert not [line for line in badge.lines if line.promise in OF_REQUESTS and line.verdict is BadgeVerdict.PASSED]
    has_secret = shop.engine == "postgresql"
    assert all((Promise.SECRETS in passed(badge, case.operation)) is has_secret for case in harness.cases)
