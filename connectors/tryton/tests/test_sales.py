"""Sales and customer invoices on a real Tryton."""

from typing import Any

import pytest

from connectors.sdk.run import Failed
from connectors.tryton.tests.desk import Bench
from connectors.tryton_server import Person, TrytonSays
from connectors.tryton_server.office import Office, decimal

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]

Json = Any


async def test_a_sale_is_read_with_its_lines_and_its_money_in_minor_units(bench: Bench, office: Office) -> None:
    sale = office.sale()

    found = await bench.answer("sale_get", sale_id=sale)

    assert (found["untaxed_minor"], found["tax_minor"], found["total_minor"]) == (96_000, 0, 96_000)
    assert found["currency"] == "EUR"
    (line,) = found["lines"]
    assert (line["quantity"], line["unit_price"], line["amount_minor"]) == ("2", "480.0000", 96_000)


@pytest.mark.parametrize("stage", ["draft", "quotation", "confirmed", "cancelled"])
async def test_sales_are_found_by_stage(bench: Bench, stage: str) -> None:
    found = await bench.answer("sale_find", stage=stage)

    assert found["sales"]
    assert {sale["stage"] for sale in found["sales"]} == {stage}


async def test_sales_are_found_by_customer_and_number(bench: Bench, office: Office, clerk: Person) -> None:
    sale = office.sale("quote")
    values = clerk.read("sale.sale", sale, "number", "party")

    of_customer = await bench.answer("sale_find", party_id=values["party"])
    of_number = await bench.answer("sale_find", number=values["number"])

    assert [item["id"] for item in of_customer["sales"]] == [sale]
    assert [item["id"] for item in of_number["sales"]] == [sale]


async def test_a_changed_line_stops_a_quote_although_tryton_would_not_notice(
    bench: Bench, office: Office, clerk: Person
) -> None:
    sale = office.sale()
    preview = await bench.foresee("sale_quote", sale_id=sale)
    version = clerk.read("sale.sale", sale, "_timestamp")
    clerk.write("sale.line", office.first_of("sale.sale", sale, "lines"), quantity=200.0)

    refusal = await bench.refusal("sale_quote", preview, sale_id=sale)

    assert refusal.code == "upstream_conflict"
    assert clerk.read("sale.sale", sale, "_timestamp") == version, "the sale's own version says nothing of its lines"
    assert clerk.read("sale.sale", sale, "state")["state"] == "draft"


async def test_an_added_line_stops_a_quote(bench: Bench, office: Office, clerk: Person) -> None:
    sale = office.sale()
    preview = await bench.foresee("sale_quote", sale_id=sale)
    clerk.create("sale.line", sale=sale, type="comment", description="urgent")

    refusal = await bench.refusal("sale_quote", preview, sale_id=sale)

    assert refusal.code == "upstream_conflict"


@pytest.mark.parametrize("buttons", [("quote",), ("cancel",)])
async def test_once_a_sale_is_no_draft_tryton_lets_nobody_change_its_lines(
    bench: Bench, office: Office, clerk: Person, buttons: tuple[str, ...]
) -> None:
    sale = office.sale(*buttons)
    line = office.first_of("sale.sale", sale, "lines")

    with pytest.raises(TrytonSays, match="not allowed to modify"):
        clerk.write("sale.line", line, quantity=200.0)
    with pytest.raises(TrytonSays):
        clerk.create("sale.line", sale=sale, type="comment", description="urgent")

    preview = await bench.foresee("sale_draft", sale_id=sale)
    assert [(guard.target, guard.strength) for guard in preview.preconditions] == [(f"sale.sale/{sale}", "strong")]


async def test_confirming_makes_the_invoice_and_the_shipment_that_the_preview_announced(
    bench: Bench, office: Office
) -> None:
    sale = office.sale("quote")
    preview = await bench.foresee("sale_confirm", sale_id=sale)

    output = await bench.carry_out("sale_confirm", preview, sale_id=sale)

    assert [effect.kind for effect in preview.side_effects] == ["draft invoice", "shipment of the goods"]
    assert (preview.blast.money_minor, preview.blast.currency) == (96_000, "EUR")
    assert len(output["invoice_ids"]) == 1
    assert len(output["shipment_ids"]) == 1
    assert (output["stage"], output["state"]) == ("confirmed", "processing")


@pytest.mark.parametrize(
    ("operation", "buttons"),
    [
        ("sale_quote", ("quote",)),
        ("sale_confirm", ()),
        ("sale_cancel", ("quote", "confirm")),
        ("sale_draft", ()),
    ],
)
async def test_a_button_that_is_not_for_this_state_is_refused_in_the_preview(
    bench: Bench, office: Office, operation: str, buttons: tuple[str, ...]
) -> None:
    sale = office.sale(*buttons)

    result = await bench.preview(operation, sale_id=sale)

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"
    assert f"Sale {sale} is in state" in result.message


async def test_a_sale_without_lines_is_refused_in_the_preview(bench: Bench, office: Office, clerk: Person) -> None:
    sale = clerk.create("sale.sale", party=office.customer(), company=1, currency=1)

    result = await bench.preview("sale_quote", sale_id=sale)

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"


async def test_what_tryton_refuses_is_told_in_its_words_and_nothing_is_done(
    bench: Bench, office: Office, clerk: Person
) -> None:
    sale = office.sale()
    clerk.write("sale.sale", sale, invoice_address=None)
    preview = await bench.foresee("sale_quote", sale_id=sale)

    refusal = await bench.refusal("sale_quote", preview, sale_id=sale)

    assert refusal.code == "upstream_refused"
    assert "invoice address" in refusal.message.lower()
    assert clerk.read("sale.sale", sale, "state")["state"] == "draft"


async def test_a_posted_invoice_has_number_entry_and_something_to_pay(bench: Bench, office: Office) -> None:
    invoice = office.invoice()
    preview = await bench.foresee("invoice_post", invoice_id=invoice)

    output = await bench.carry_out("invoice_post", preview, invoice_id=invoice)

    assert preview.blast.money_minor == output["total_minor"] == output["to_pay_minor"]
    assert output["number"]
    assert output["has_entry"]
    assert output["state"] == "posted"


async def test_a_changed_line_stops_the_posting_although_tryton_would_not_notice(
    bench: Bench, office: Office, clerk: Person
) -> None:
    invoice = office.invoice()
    preview = await bench.foresee("invoice_post", invoice_id=invoice)
    clerk.write("account.invoice.line", office.first_of("account.invoice", invoice, "lines"), quantity=50.0)

    refusal = await bench.refusal("invoice_post", preview, invoice_id=invoice)

    assert refusal.code == "upstream_conflict"
    assert clerk.read("account.invoice", invoice, "state")["state"] == "draft"


async def test_taxes_that_posting_would_compute_anew_are_not_foreseen(
    bench: Bench, office: Office, clerk: Person
) -> None:
    invoice = office.invoice()
    clerk.write("account.invoice.line", office.first_of("account.invoice", invoice, "lines"), quantity=50.0)

    preview = await bench.foresee("invoice_post", invoice_id=invoice)
    output = await bench.carry_out("invoice_post", preview, invoice_id=invoice)

    assert {"tax_minor", "total_minor"} <= set(preview.changes[0].unknown)
    assert output["total_minor"] != (preview.changes[0].before or {})["total_minor"]
    assert output["untaxed_minor"] == (preview.changes[0].after or {})["untaxed_minor"]


async def test_a_question_that_only_a_person_can_answer_is_a_refusal(bench: Bench, clerk: Person) -> None:
    in_future = clerk.ids("account.invoice", ["state", "=", "draft"], ["invoice_date", "!=", None])[0]
    preview = await bench.foresee("invoice_post", invoice_id=in_future)

    refusal = await bench.refusal("invoice_post", preview, invoice_id=in_future)

    assert refusal.code == "upstream_refused"
    assert "date in the future" in refusal.message
    assert clerk.read("account.invoice", in_future, "state")["state"] == "draft"


async def test_an_invoice_of_nothing_is_foreseen_as_paid(bench: Bench, office: Office, clerk: Person) -> None:
    invoice = office.invoice()
    line = office.first_of("account.invoice", invoice, "lines")
    clerk.write("account.invoice", invoice, lines=[["write", [line], {"unit_price": decimal("0")}]])
    preview = await bench.foresee("invoice_post", invoice_id=invoice)

    output = await bench.carry_out("invoice_post", preview, invoice_id=invoice)

    assert (preview.changes[0].after or {})["state"] == output["state"]


async def test_a_posted_invoice_cannot_be_posted_again(bench: Bench, office: Office, clerk: Person) -> None:
    invoice = office.invoice()
    clerk.press("account.invoice", invoice, "post")

    result = await bench.preview("invoice_post", invoice_id=invoice)

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"


async def test_a_suppliers_invoice_is_none_of_this_connectors_business(bench: Bench, office: Office) -> None:
    suppliers = office.suppliers_invoice()

    found = await bench.answer("invoice_find", after=suppliers - 1)
    read = await bench.read("invoice_get", invoice_id=suppliers)
    preview = await bench.preview("invoice_post", invoice_id=suppliers)

    assert suppliers not in [invoice["id"] for invoice in found["invoices"]]
    assert isinstance(read, Failed)
    assert isinstance(preview, Failed)


async def test_invoices_are_found_by_state_and_customer(bench: Bench, office: Office, clerk: Person) -> None:
    invoice = office.invoice()
    party = clerk.read("account.invoice", invoice, "party")["party"]

    found = await bench.answer("invoice_find", state="draft", party_id=party, after=invoice - 1)

    assert invoice in [item["id"] for item in found["invoices"]]
    assert {item["party_id"] for item in found["invoices"]} == {party}
