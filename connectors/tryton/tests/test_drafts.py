"""Drafts of sales: made, found again, priced as Tryton prices them; and what is only read, on a real Tryton."""

from typing import Any

import pytest

from connectors.sdk.run import Done, Failed, Found, NotFoundYet
from connectors.tryton.tests.desk import Bench
from connectors.tryton_server import Person
from connectors.tryton_server.office import Office, decimal

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]

Json = Any

LINES: list[Json] = [{"product_id": 1, "quantity": "2"}, {"product_id": 3, "quantity": "10", "unit_price": "35.00"}]


CATEGORY = "default_uom_category"
DOZEN = {"name": "Dozen", "symbol": "dz", "rate": round(1 / 12, 12), "factor": 12.0, "rounding": 1.0, "digits": 0}


@pytest.mark.parametrize("operation", ["sale_create", "invoice_create"])
async def test_a_draft_comes_as_it_was_foreseen_with_the_customers_terms_and_taxes(
    bench: Bench, operation: str
) -> None:
    given: dict[str, Json] = {"party_id": 4, "lines": LINES, "reference": "PO 4711"}
    preview = await bench.foresee(operation, **given)

    made = await bench.carry_out(operation, preview, key=f"{operation}-1", **given)
    records = await bench.observe(operation, preview, made, **given)

    (change,) = preview.changes
    assert change.after == {name: value for name, value in records[change.target].items() if name != "id"}
    assert (change.after["untaxed_minor"], change.after["tax_minor"], change.after["total_minor"]) == (
        131_000,
        26_200,
        157_200,
    )
    assert change.after["payment_term"] == "Net 30 days"
    assert preview.blast.money_minor == 157_200


@pytest.mark.parametrize("operation", ["sale_create", "invoice_create"])
async def test_a_draft_is_found_again_by_the_reference_of_its_call(bench: Bench, operation: str) -> None:
    given: dict[str, Json] = {"party_id": 5, "lines": LINES}
    preview = await bench.foresee(operation, **given)
    assert await bench.look_up(operation, f"{operation}-2", **given) == NotFoundYet()

    made = await bench.carry_out(operation, preview, key=f"{operation}-2", **given)
    found = await bench.look_up(operation, f"{operation}-2", **given)
    again = await bench.refusal(operation, preview, key=f"{operation}-2", **given)

    assert isinstance(found, Found)
    assert found.output == made
    assert again.code == "upstream_refused"


async def test_a_draft_invoice_can_be_posted_as_it_stands(bench: Bench) -> None:
    given: dict[str, Json] = {"party_id": 4, "lines": LINES}
    preview = await bench.foresee("invoice_create", **given)
    made = await bench.carry_out("invoice_create", preview, key="invoice-3", **given)

    posting = await bench.foresee("invoice_post", invoice_id=made["id"])
    posted = await bench.carry_out("invoice_post", posting, invoice_id=made["id"])

    assert (posted["state"], posted["total_minor"], posted["to_pay_minor"]) == ("posted", 157_200, 157_200)


async def test_an_invoice_counts_in_the_unit_that_the_price_is_for(bench: Bench, office: Office, clerk: Person) -> None:
    product = office.product()
    template = clerk.read("product.product", product, "template")["template"]
    (dozen,) = clerk.call(
        "model.product.uom.create",
        [{**DOZEN, "category": clerk.read("product.template", template, CATEGORY)[CATEGORY]}],
    )
    clerk.write("product.template", template, sale_uom=dozen)
    given: dict[str, Json] = {"party_id": 4, "lines": [{"product_id": product, "quantity": "1"}]}

    sale = await bench.foresee("sale_create", **given)
    invoice = await bench.foresee("invoice_create", **given)

    amounts = [(preview.changes[0].after or {})["lines"][0]["amount_minor"] for preview in (sale, invoice)]
    assert amounts == [576_000, 576_000]


async def test_who_has_no_address_gets_no_invoice(bench: Bench, clerk: Person) -> None:
    nowhere = clerk.create("party.party", name="Nowhere Ltd", addresses=[])

    result = await bench.preview("invoice_create", party_id=nowhere, lines=LINES)

    assert isinstance(result, Failed)
    assert "has no address" in result.message


async def test_lines_of_an_invoice_that_a_sale_has_made_stay_as_they_are(bench: Bench, office: Office) -> None:
    sale = office.sale("quote", "confirm")
    invoice = office.first_of("sale.sale", sale, "invoices")
    line = office.first_of("account.invoice", invoice, "lines")

    result = await bench.preview("invoice_line_update", invoice_id=invoice, line_id=line, quantity="1")

    assert isinstance(result, Failed)
    assert "comes from a sale" in result.message


async def test_an_invoice_whose_taxes_are_not_those_of_its_lines_is_left_alone(
    bench: Bench, office: Office, clerk: Person
) -> None:
    invoice = office.invoice()
    line = office.first_of("account.invoice", invoice, "lines")
    clerk.write("account.invoice.line", line, quantity=7.0)

    result = await bench.preview("invoice_line_add", invoice_id=invoice, product_id=3, quantity="3")

    assert isinstance(result, Failed)
    assert "are not those of its lines" in result.message


async def test_a_tax_that_somebody_entered_by_hand_counts_in_what_is_foreseen(
    bench: Bench, office: Office, clerk: Person
) -> None:
    invoice = office.invoice()
    line = office.first_of("account.invoice", invoice, "lines")
    first = office.first_of("account.invoice", invoice, "taxes")
    account = clerk.read("account.invoice.tax", first, "account")["account"]
    by_hand = {"manual": True, "description": "Stamp", "account": account, "base": decimal("0.00")}
    clerk.create("account.invoice.tax", invoice=invoice, amount=decimal("5.00"), **by_hand)
    given: dict[str, Json] = {"invoice_id": invoice, "line_id": line, "quantity": "1"}

    preview = await bench.foresee("invoice_line_update", **given)
    changed = await bench.carry_out("invoice_line_update", preview, **given)

    assert (preview.changes[1].after or {})["total_minor"] == changed["total_minor"]


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
