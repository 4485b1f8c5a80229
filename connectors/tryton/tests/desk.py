"""What tests put on the desk: a colleague's records, a bench for the connector, and every write with its arguments."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from connectors.sdk import Preview, Unknown
from connectors.sdk.run import (
    Done,
    Failed,
    Found,
    NotFoundYet,
    Observed,
    PhaseCall,
    PhaseResult,
    Previewed,
    run_phase,
)
from connectors.sdk.vocabulary import Phase
from connectors.sdk.wire import Transport, WireRequest, WireResponse
from connectors.sdk.workbench import PlainTransport, Workbench
from connectors.tryton import connector
from connectors.tryton_server.office import Office

Json = Any


class Meddled:
    """A transport on which things happen: somebody is quicker than a write, or its answer is lost on the way back."""

    def __init__(self, transport: Transport, *, before: Callable[[], None] | None, loses_answers: bool) -> None:
        self._transport = transport
        self._before = before
        self._loses_answers = loses_answers

    async def send(self, request: WireRequest) -> WireResponse:
        """Send `request`, and do what was asked for around a write."""
        if connector.spec.is_safe(request):
            return await self._transport.send(request)
        if self._before is not None:
            self._before()
        answer = await self._transport.send(request)
        if self._loses_answers:
            raise Unknown("The answer was lost.")
        return answer


class Bench(Workbench):
    """A bench whose answers are unwrapped: what was expected, or a failing test."""

    async def answer(self, operation: str, **arguments: Json) -> Json:
        """Return what a read answers."""
        result = await self.read(operation, **arguments)
        assert isinstance(result, Done), result
        return result.output

    async def foresee(self, operation: str, **arguments: Json) -> Preview:
        """Return the preview of a write."""
        result = await self.preview(operation, **arguments)
        assert isinstance(result, Previewed), result
        return result.preview

    async def carry_out(self, operation: str, preview: Preview, *, key: str = "key-1", **arguments: Json) -> Json:
        """Return what a commit answers."""
        result = await self.commit(operation, preview, key=key, **arguments)
        assert isinstance(result, Done), result
        assert not result.findings
        return result.output

    async def refusal(self, operation: str, preview: Preview, **arguments: Json) -> Failed:
        """Return how a commit failed."""
        result = await self.commit(operation, preview, **arguments)
        assert isinstance(result, Failed), result
        return result

    async def run_meddled(
        self, order: PhaseCall, *, before: Callable[[], None] | None = None, loses_answers: bool = False
    ) -> PhaseResult:
        """Run a commit while `before` happens just before it writes, or its answer is lost."""
        plain = PlainTransport(connector.spec, self._client, self._base_url, order.phase)
        return await run_phase(connector, order, Meddled(plain, before=before, loses_answers=loses_answers))

    async def observe(self, operation: str, preview: Preview, output: Json, **arguments: Json) -> dict[str, Json]:
        """Return the records that the preview named, as they are now."""
        order = self.order(operation, preview, key="key-1", **arguments)
        result = await self.run(order.model_copy(update={"phase": Phase.OBSERVE, "output": output}))
        assert isinstance(result, Observed), result
        return dict(result.records)

    async def look_up(self, operation: str, key: str, **arguments: Json) -> Found | NotFoundYet | Failed:
        """Return what the commit with `key` created, if anything."""
        call = PhaseCall(operation=operation, phase=Phase.LOOKUP, arguments=arguments, idempotency_key=key)
        result = await self.run(call)
        assert isinstance(result, Found | NotFoundYet | Failed), result
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A write to try on a fresh record, somebody else's edit of what it would change, and which row it changes."""

    operation: str
    arguments: Callable[[Office], dict[str, Json]]
    meddle: Callable[[Office, dict[str, Json]], None]
    model: str
    is_alike: bool = False
    """Whether another case shows the same way of writing: then its tests run with those that take minutes."""

    def __str__(self) -> str:
        return self.operation


def of_party(operation: str, party: Callable[[Office], int], **more: Json) -> Case:
    return Case(
        operation=operation,
        arguments=lambda office: {"party_id": party(office), **more},
        meddle=lambda office, given: office.clerk.write("party.party", given["party_id"], name="Umber & Sons"),
        model="party.party",
    )


def of_sale(operation: str, *buttons: str) -> Case:
    return Case(
        operation=operation,
        arguments=lambda office: {"sale_id": office.sale(*buttons)},
        meddle=lambda office, given: office.clerk.write("sale.sale", given["sale_id"], reference="PO 7"),
        model="sale.sale",
    )


def of_sale_with(operation: str, **more: Json) -> Case:
    plain = of_sale(operation)
    return replace(plain, arguments=lambda office: {**plain.arguments(office), **more})


def line_of(office: Office) -> dict[str, Json]:
    sale = office.sale()
    return {"sale_id": sale, "line_id": office.first_of("sale.sale", sale, "lines")}


def of_line(operation: str, **more: Json) -> Case:
    return Case(
        operation=operation,
        arguments=lambda office: {**line_of(office), **more},
        meddle=lambda office, given: office.clerk.write("sale.line", given["line_id"], quantity=7.0),
        model="sale.sale",
    )


def line_of_invoice(office: Office) -> dict[str, Json]:
    invoice = office.invoice()
    return {"invoice_id": invoice, "line_id": office.first_of("account.invoice", invoice, "lines")}


def of_invoice_line(operation: str, **more: Json) -> Case:
    return Case(
        operation=operation,
        arguments=lambda office: {**line_of_invoice(office), **more},
        meddle=lambda office, given: office.clerk.write("account.invoice.line", given["line_id"], quantity=7.0),
        model="account.invoice",
        is_alike=True,
    )


def of_address(operation: str, address: Callable[[Office], int], **more: Json) -> Case:
    return Case(
        operation=operation,
        arguments=lambda office: {"address_id": address(office), **more},
        meddle=lambda office, given: office.clerk.write("party.address", given["address_id"], city="Gouda"),
        model="party.address",
        is_alike=True,
    )


CONTACT = "party.contact_mechanism"


def of_contact(operation: str, contact: Callable[[Office], int], **more: Json) -> Case:
    return Case(
        operation=operation,
        arguments=lambda office: {"contact_id": contact(office), **more},
        meddle=lambda office, given: office.clerk.write(CONTACT, given["contact_id"], value="c@umber.example"),
        model=CONTACT,
        is_alike=True,
    )


def of_invoice(operation: str, invoice: Callable[[Office], int]) -> Case:
    return Case(
        operation=operation,
        arguments=lambda office: {"invoice_id": invoice(office)},
        meddle=lambda office, given: office.clerk.write("account.invoice", given["invoice_id"], reference="PO 7"),
        model="account.invoice",
    )


CASES = (
    replace(
        of_party("party_address_add", Office.customer, address={"street": "1 Quay", "city": "Delft"}), is_alike=True
    ),
    of_address("party_address_update", Office.address, street="2 Quay", postal_code="2611", city=""),
    of_address("party_address_archive", Office.address),
    Case(
        operation="party_address_restore",
        arguments=lambda office: {"address_id": office.archived_address()},
        meddle=lambda office, given: office.clerk.write("party.address", given["address_id"], active=True),
        model="party.address",
        is_alike=True,
    ),
    of_sale_with("sale_line_add", product_id=3, quantity="3"),
    of_line("sale_line_update", quantity="3", unit_price="450.00"),
    replace(of_line("sale_line_remove"), is_alike=True),
    replace(of_contact("party_contact_update", Office.contact, value="b@umber.example"), is_alike=False),
    replace(of_party("party_contact_add", Office.customer, kind="phone", value="+372 640 0199"), is_alike=True),
    of_contact("party_contact_archive", Office.contact),
    Case(
        operation="party_contact_restore",
        arguments=lambda office: {"contact_id": office.archived_contact()},
        meddle=lambda office, given: office.clerk.write(CONTACT, given["contact_id"], active=True),
        model=CONTACT,
        is_alike=True,
    ),
    replace(of_party("party_rename", Office.customer, name="Umber & Daughters"), is_alike=True),
    of_party("party_payment_term_set", Office.customer, payment_term_id=4),
    of_party("party_deactivate", Office.customer),
    Case(
        operation="party_activate",
        arguments=lambda office: {"party_id": office.archived_customer()},
        meddle=lambda office, given: office.clerk.write("party.party", given["party_id"], active=True),
        model="party.party",
    ),
    of_sale("sale_quote"),
    of_sale("sale_confirm", "quote"),
    of_sale("sale_cancel"),
    of_sale("sale_draft", "quote"),
    Case(
        operation="product_price_set",
        arguments=lambda office: {"product_id": office.product(), "list_price": "495.00"},
        meddle=lambda office, given: office.price(given["product_id"], "12.5000"),
        model="product.template",
    ),
    of_invoice("invoice_post", Office.invoice),
    of_invoice("invoice_cancel", Office.invoice),
    replace(
        of_invoice("invoice_line_add", Office.invoice),
        arguments=lambda office: {"invoice_id": office.invoice(), "product_id": 3, "quantity": "3"},
    ),
    of_invoice_line("invoice_line_update", quantity="2", unit_price="450.00"),
    of_invoice_line("invoice_line_remove"),
)
"""Every write but those that only make something new, which change nothing that exists."""
