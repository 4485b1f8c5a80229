"""What the tools that archive, rename and take back refuse, proven on a real Tryton."""

from collections.abc import Callable
from typing import Any

import pytest

from connectors.sdk.run import Failed
from connectors.tryton.tests.desk import Bench
from connectors.tryton_server import Person, TrytonSays
from connectors.tryton_server.office import Office

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]

Json = Any
Given = Callable[[Office], dict[str, Json]]

REFUSALS: list[tuple[str, Given, str]] = [
    ("invoice_cancel", lambda office: {"invoice_id": office.cancelled_invoice()}, "is in state cancelled"),
    ("invoice_cancel", lambda office: {"invoice_id": office.suppliers_invoice()}, "is a supplier's"),
    ("party_contact_archive", lambda office: {"contact_id": office.archived_contact()}, "is archived already"),
    ("party_contact_restore", lambda office: {"contact_id": office.contact()}, "is in use already"),
    ("party_contact_update", lambda office: {"contact_id": office.archived_contact(), "value": "x@y.example"}, "back"),
    ("party_rename", lambda office: {"party_id": office.archived_customer(), "name": "Umber"}, "is archived"),
    ("party_contact_add", lambda office: {"party_id": office.customer(), "kind": "phone", "value": "no"}, "phone"),
]


@pytest.mark.parametrize(("operation", "given", "says"), REFUSALS, ids=[f"{one[0]}: {one[2]}" for one in REFUSALS])
async def test_what_makes_no_sense_is_refused_in_the_preview(
    bench: Bench, office: Office, operation: str, given: Given, says: str
) -> None:
    result = await bench.preview(operation, **given(office))

    assert isinstance(result, Failed), result
    assert result.code == "upstream_refused"
    assert says in result.message


async def test_the_invoice_of_a_sale_is_not_cancelled_behind_its_back(
    bench: Bench, office: Office, clerk: Person
) -> None:
    sale = office.sale("quote", "confirm")
    invoice = office.first_of("sale.sale", sale, "invoices")

    result = await bench.preview("invoice_cancel", invoice_id=invoice)

    assert isinstance(result, Failed), result
    assert "comes from a sale" in result.message
    assert clerk.read("account.invoice", invoice, "state")["state"] == "draft"


def test_tryton_lets_nobody_bring_a_cancelled_invoice_back(office: Office, clerk: Person) -> None:
    """With its module `sale`, in 8.0: why cancelling is not declared to have an undo. If this fails, it can be."""
    with pytest.raises(TrytonSays, match="not allowed to modify"):
        clerk.press("account.invoice", office.cancelled_invoice(), "draft")


async def test_an_added_contact_is_found_at_its_party(bench: Bench, office: Office) -> None:
    party = office.customer()
    given: dict[str, Json] = {"party_id": party, "kind": "email", "value": "b@umber.example"}
    preview = await bench.foresee("party_contact_add", **given)

    added = await bench.carry_out("party_contact_add", preview, **given)
    found = await bench.answer("party_get", party_id=party)

    assert added["id"] in {contact["id"] for contact in found["contacts"]}
