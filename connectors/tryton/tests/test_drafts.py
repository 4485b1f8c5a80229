"""Drafts of sales: made, found again, priced as Tryton prices them; and what is only read, on a real Tryton."""

from typing import Any

import pytest

from connectors.sdk.run import Done, Failed, Found, NotFoundYet
from connectors.tryton.tests.desk import Bench
from connectors.tryton_server import Person
from connectors.tryton_server.office import Office

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]

Json = Any

LINES: list[Json] = [{"product_id": 1, "quantity": "2"}, {"product_id": 3, "quantity": "10", "unit_price": "35.00"}]


async def test_a_draft_sale_comes_as_it_was_foreseen_with_the_customers_terms_and_taxes(bench: Bench) -> None:
    given: dict[str, Json] = {"party_id": 4, "lines": LINES, "reference": "PO 4711"}
    preview = await bench.foresee("sale_create", **given)

    sale = await bench.carry_out("sale_create", preview, key="sale-1", **given)
    records = await bench.observe("sale_create", preview, sale, **given)

    (change,) = preview.changes
    assert change.after == {name: value for name, value in records[change.target].items() if name != "id"}
    assert (change.after["untaxed_minor"], change.after["tax_minor"], change.after["total_minor"]) == (
        131_000,
        26_200,
        157_200,
    )
    assert change.after["payment_term"] == "Net 30 days"
    assert preview.blast.money_minor == 157_200


async def test_a_draft_sale_is_found_again_by_the_reference_of_its_call(bench: Bench) -> None:
    given: dict[str, Json] = {"party_id": 5, "lines": LINES}
    preview = await bench.foresee("sale_create", **given)
    assert await bench.look_up("sale_create", "sale-2", **given) == NotFoundYet()

    sale = await bench.carry_out("sale_create", preview, key="sale-2", **given)
    found = await bench.look_up("sale_create", "sale-2", **given)
    again = await bench.refusal("sale_create", preview, key="sale-2", **given)

    assert isinstance(found, Found)
    assert found.output == sale
    assert again.code == "upstream_refused"


async def test_a_price_that_changed_since_the_preview_stops_the_sale(bench: Bench, clerk: Person) -> None:
    template = clerk.read("product.product", 2, "template")["template"]
    given: dict[str, Json] = {"party_id": 5, "lines": [{"product_id": 2, "quantity": "1"}]}
    preview = await bench.foresee("sale_create", **given)

    clerk.write("product.template", template, list_price={"__class__": "Decimal", "decimal": "216.50"})
    try:
        refusal = await bench.refusal("sale_create", preview, **given)
    finally:
        clerk.write("product.template", template, list_price={"__class__": "Decimal", "decimal": "215.50"})

    assert refusal.code == "upstream_conflict"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"product_id": 999_999, "quantity": "1"}, "There is no product 999999"),
        ({"product_id": 1, "quantity": "1.5"}, "whole numbers only"),
    ],
)
async def test_a_line_that_cannot_be_is_refused_before_anything_is_sent(bench: Bench, line: Json, said: str) -> None:
    result = await bench.preview("sale_create", party_id=5, lines=[line])

    assert isinstance(result, Failed)
    assert said in result.message


async def test_a_line_changed_behind_the_sales_back_stops_the_change_of_that_line_inside_tryton(
    bench: Bench, office: Office, clerk: Person
) -> None:
    sale = office.sale()
    line = office.first_of("sale.sale", sale, "lines")
    given: dict[str, Json] = {"sale_id": sale, "line_id": line, "quantity": "3"}
    preview = await bench.foresee("sale_line_update", **given)
    order = bench.order("sale_line_update", preview, key="key-1", **given)

    result = await bench.run_meddled(order, before=lambda: clerk.write("sale.line", line, quantity=9.0))

    assert isinstance(result, Failed)
    assert result.code == "upstream_conflict"
    assert clerk.read("sale.line", line, "quantity")["quantity"] == 9.0


async def test_a_line_of_another_sale_is_not_found(bench: Bench, office: Office) -> None:
    other = office.first_of("sale.sale", office.sale(), "lines")

    result = await bench.preview("sale_line_update", sale_id=office.sale(), line_id=other, quantity="1")

    assert isinstance(result, Failed)
    assert result.code == "upstream_not_found"


async def test_a_price_is_told_with_its_unit(bench: Bench) -> None:
    price = await bench.answer("product_price", product_id=1, party_id=4, quantity="10")

    assert (price["unit_price"], price["unit"], price["price_list_id"]) == ("480.0000", "Unit", 0)


async def test_shipments_are_found_and_read_with_their_goods(bench: Bench) -> None:
    found = await bench.answer("shipment_find", state="waiting")
    first = found["shipments"][0]

    shipment = await bench.answer("shipment_get", shipment_id=first["id"])

    assert [goods["quantity"] for goods in shipment["goods"]] == ["5"]
    assert shipment["goods"][0]["product"].endswith("Desk lamp")
    assert shipment["delivery_address"]


async def test_what_a_customer_owes_stands_in_the_items_and_in_the_aged_balance(bench: Bench, office: Office) -> None:
    invoice = office.invoice()
    office.clerk.press("account.invoice", invoice, "post")
    party = office.clerk.read("account.invoice", invoice, "party", "total_amount")
    owed = int(party["total_amount"]["decimal"].replace(".", ""))

    items = (await bench.answer("receivable_find", party_id=party["party"]))["items"]
    aged = await bench.answer("receivable_aged", day="2027-12-31")

    assert items[-1]["amount_minor"] == owed
    assert items[-1]["settled_by"] == ""
    (of_party,) = [age for age in aged["customers"] if age["party_id"] == party["party"]]
    groups = [name for name in of_party if name.startswith(("not_due", "overdue"))]
    assert sum(of_party[name] for name in groups) == of_party["balance_minor"] == sum(i["amount_minor"] for i in items)
    assert of_party["overdue_4_minor"] == of_party["balance_minor"]


async def test_age_groups_that_do_not_grow_are_refused(bench: Bench) -> None:
    result = await bench.read("receivable_aged", day="2027-12-31", days_1=30, days_2=30)

    assert not isinstance(result, Done)
