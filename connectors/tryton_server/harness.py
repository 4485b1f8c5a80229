"""Owns what the contract kit is told about Tryton: a fresh one, what to try on it, and what else happens meanwhile.

`toolhub connector check tryton --on connectors.tryton_server.harness:opened` starts a Tryton of its own, and stops it.
"""

import json
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio

from connectors.sdk.errors import Conflict, Refused, Unknown
from connectors.sdk.harness import Case, Contents, SystemAnswer
from connectors.tryton_server.contents import Watch, everything
from connectors.tryton_server.installation import Installation, install
from connectors.tryton_server.office import Office
from connectors.tryton_server.server import TrytonServer

Json = Any
"""Any JSON value."""

_HOME = Path(".venvs")
"""Where `make tryton` installs it."""

_DETAILS = ["No.", "", None]
_SAYS: Mapping[str, tuple[str, Json]] = {
    "UserError": (Refused.code, _DETAILS),
    "UserWarning": (Refused.code, ["key", "Are you sure?", ""]),
    "ConcurrencyException": (Conflict.code, "Records have changed."),
    "LoginException": (Refused.code, ["password", "Password", "password"]),
}
"""How Tryton says no, at HTTP 200: the kind, what it must become, and details as Tryton gives them."""


def _answer(kind: str, code: str, details: Json, *, is_to_a_write: bool) -> SystemAnswer:
    body = json.dumps({"id": 1, "error": [kind, details]})
    return SystemAnswer(name=kind, status=200, code=code, body=body, is_to_a_write=is_to_a_write)


TO_A_READ = tuple(_answer(kind, code, details, is_to_a_write=False) for kind, (code, details) in _SAYS.items())
TO_A_WRITE = (
    *(_answer(kind, code, details, is_to_a_write=True) for kind, (code, details) in _SAYS.items()),
    _answer("AttributeError", Unknown.code, "Traceback (most recent call last): ...", is_to_a_write=True),
)

READS: Sequence[tuple[str, Mapping[str, Json]]] = (
    ("party_find", {"text": "bakery"}),
    ("party_get", {"party_id": 3}),
    ("payment_term_find", {}),
    ("product_find", {"text": "desk"}),
    ("product_get", {"product_id": 1}),
    ("product_price", {"party_id": 3, "product_id": 1, "quantity": "2"}),
    ("sale_find", {"stage": "quotation"}),
    ("sale_get", {"sale_id": 1}),
    ("shipment_find", {}),
    ("shipment_get", {"shipment_id": 1}),
    ("invoice_find", {"state": "draft"}),
    ("invoice_get", {"invoice_id": 4}),
    ("receivable_find", {"party_id": 16}),
    ("receivable_aged", {"day": "2026-12-31"}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrytonHarness:
    """A running Tryton to try the connector on."""

    server: TrytonServer
    office: Office
    cases: Sequence[Case] = ()
    system: str = "Tryton 8.2 on SQLite"
    watch: Watch | None = None
    """Looks into the database; without it every look is at all of it."""

    @property
    def base_url(self) -> str:
        """Where its JSON-RPC is."""
        return self.server.base_url

    @property
    def secret(self) -> Mapping[str, str]:
        """The connection's account: no administrator."""
        return {"login": "hub", "password": self.server.passwords["hub"]}

    async def contents(self) -> Contents:
        """Return every row of every table."""
        if self.watch is not None:
            return await anyio.to_thread.run_sync(self.watch.everything)
        return await anyio.to_thread.run_sync(everything, self.server.database_file)

    def write(self, operation: str, edit: Callable[[], None] | None = None, /, **arguments: Json) -> Case:
        """Return the case of a write; `edit` is what a colleague may do in Tryton meanwhile."""

        async def edited() -> None:
            if edit is not None:
                await anyio.to_thread.run_sync(edit)

        return Case(
            operation=operation,
            arguments=arguments,
            edit=None if edit is None else edited,
            answers=TO_A_READ + TO_A_WRITE,
        )


@asynccontextmanager
async def opened() -> AsyncGenerator[TrytonHarness]:
    """Yield a harness with a fresh Tryton, and a case for every tool of the connector."""
    with tempfile.TemporaryDirectory(prefix="toolhub-tryton-") as folder:
        server = TrytonServer(await anyio.to_thread.run_sync(_installed), Path(folder), with_trial=True)
        await anyio.to_thread.run_sync(server.start)
        try:
            clerk = await anyio.to_thread.run_sync(server.person, "clerk")
            try:
                with closing(Watch(server.database_file)) as watch:
                    harness = TrytonHarness(server=server, office=Office(clerk), watch=watch)
                    yield replace(harness, cases=await anyio.to_thread.run_sync(every_case, harness))
            finally:
                clerk.close()
        finally:
            await anyio.to_thread.run_sync(server.stop)


@asynccontextmanager
async def opened_briefly() -> AsyncGenerator[TrytonHarness]:
    """Yield the same with one write."""
    async with opened() as harness:
        yield replace(harness, cases=[case for case in harness.cases if case.operation == "sale_quote"])


def every_case(harness: TrytonHarness) -> list[Case]:
    """Return the reads and the writes to try, each write on records of its own, which are made here."""
    reads = [Case(operation=name, arguments=arguments, answers=TO_A_READ) for name, arguments in READS]
    return [*reads, *_of_parties(harness), *_of_drafts(harness), *_of_documents(harness)]


def _of_parties(harness: TrytonHarness) -> list[Case]:
    office, write = harness.office, harness.write
    party, renamed, archived = office.customer(), office.customer(), office.archived_customer()
    address, contact = office.address(), office.contact()

    def rename() -> None:
        office.clerk.write("party.party", party, name="Umber & Sons")

    def rename_too() -> None:
        office.clerk.write("party.party", renamed, name="Umber & Sons")

    def move() -> None:
        office.clerk.write("party.address", address, city="Gouda")

    def redial() -> None:
        office.clerk.write("party.contact_mechanism", contact, name="office")

    def bring_back_and_archive() -> None:
        office.clerk.write("party.party", archived, active=True)
        office.clerk.write("party.party", archived, active=False)

    restorable, contactable = office.archived_address(), office.archived_contact()
    new = {"street": "5 Harbour Street", "city": "Bergen"}
    everything_given = {"email": "e@ochre.example", "phone": "+372 640 0199", "address": new}
    return [
        write("party_create", name="Ochre Paints", **everything_given),
        write("party_contact_update", redial, contact_id=contact, value="b@umber.example"),
        write("party_address_add", rename, party_id=party, address=new),
        write("party_address_update", move, address_id=address, street="2 Quay", postal_code="2611", city="Delft"),
        write("party_address_archive", move, address_id=address),
        write("party_address_restore", address_id=restorable),
        write("party_contact_add", rename, party_id=party, kind="email", value="b@umber.example"),
        write("party_contact_archive", redial, contact_id=contact),
        write("party_contact_restore", contact_id=contactable),
        write("party_rename", rename_too, party_id=renamed, name="Umber & Daughters"),
        write("party_payment_term_set", rename, party_id=party, payment_term_id=4),
        write("party_deactivate", rename, party_id=party),
        write("party_activate", bring_back_and_archive, party_id=archived),
    ]


def _of_drafts(harness: TrytonHarness) -> list[Case]:
    office, write = harness.office, harness.write
    sale = office.sale()
    line = office.first_of("sale.sale", sale, "lines")

    def change_the_line() -> None:
        office.clerk.write("sale.line", line, quantity=7.0)

    ordered = [{"product_id": 1, "quantity": "2"}, {"product_id": 3, "quantity": "5", "unit_price": "35.00"}]
    return [
        write("sale_create", party_id=office.customer(), lines=ordered, reference="PO 4711"),
        write("sale_line_add", change_the_line, sale_id=sale, product_id=3, quantity="3"),
        write("sale_line_update", change_the_line, sale_id=sale, line_id=line, quantity="4", unit_price="450.00"),
        write("sale_line_remove", change_the_line, sale_id=sale, line_id=line),
        *_of_draft_invoices(harness, ordered),
    ]


def _of_draft_invoices(harness: TrytonHarness, ordered: Sequence[Json]) -> list[Case]:
    office, write = harness.office, harness.write
    invoice = office.invoice()
    line = office.first_of("account.invoice", invoice, "lines")

    def change_the_line() -> None:  # through its invoice, which computes the taxes anew
        office.clerk.write("account.invoice", invoice, lines=[["write", [line], {"quantity": 7.0}]])

    at = {"invoice_id": invoice, "line_id": line}
    return [
        write("invoice_create", party_id=office.customer(), lines=ordered, reference="PO 4711"),
        write("invoice_line_add", change_the_line, invoice_id=invoice, product_id=3, quantity="3"),
        write("invoice_line_update", change_the_line, **at, quantity="4", unit_price="450.00"),
        write("invoice_line_remove", change_the_line, **at),
    ]


def _of_documents(harness: TrytonHarness) -> list[Case]:
    office, write = harness.office, harness.write

    def refer(model: str, record: int) -> Callable[[], None]:
        return lambda: office.clerk.write(model, record, reference="PO 7")

    def of_sale(operation: str, *buttons: str) -> Case:
        sale = office.sale(*buttons)
        return write(operation, refer("sale.sale", sale), sale_id=sale)

    def reprice(model: str, line: int) -> Callable[[], None]:
        return lambda: office.clerk.write(model, line, quantity=7.0)

    def of_invoice(operation: str, invoice: int) -> Case:
        return write(operation, refer("account.invoice", invoice), invoice_id=invoice)

    product = office.product()
    quoted = office.sale()
    line = office.first_of("sale.sale", quoted, "lines")
    invoice_line = office.first_of("account.invoice", office.invoice(), "lines")
    behind = int(office.clerk.read("account.invoice.line", invoice_line, "invoice")["invoice"])
    return [
        of_sale("sale_quote"),
        write("sale_quote", reprice("sale.line", line), sale_id=quoted),  # the document's own version stays
        of_sale("sale_confirm", "quote"),
        of_sale("sale_cancel", "quote"),
        of_sale("sale_draft", "quote"),
        write("product_price_set", lambda: office.price(product, "12.5000"), product_id=product, list_price="495.00"),
        of_invoice("invoice_cancel", office.invoice()),
        of_invoice("invoice_post", office.invoice()),
        write("invoice_post", reprice("account.invoice.line", invoice_line), invoice_id=behind),
    ]


def _installed() -> Installation:
    return install(_HOME, lambda _sentence: None)
