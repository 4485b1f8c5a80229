"""Making a draft customer invoice that no sale stands behind."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from connectors.sdk import (
    Compensation,
    Context,
    Effect,
    Fidelity,
    Preview,
    Receipt,
    Refused,
    Reversal,
    Tier,
    UpstreamClass,
)
from connectors.tryton.documents import Pointed
from connectors.tryton.drafting import Draft, Start, customer, drafted, made_by, make, new, preview_of, require_unmade
from connectors.tryton.drafts import Lines
from connectors.tryton.invoices import INVOICE, KIND, PAPER, invoice_get
from connectors.tryton.records import Id, Invoice, Line
from connectors.tryton.system import connector
from connectors.tryton.writing import read_back

Json = Any
"""Any JSON value."""

_DEFAULTS = ("currency",)


class _Header(BaseModel):
    """What Tryton fills into a new invoice of a customer."""

    journal: int | None = None
    account: int | None = None
    invoice_address: int | None = None
    party_tax_identifier: int | None = None
    payment_term: int | None = None
    term: Pointed | None = Field(default=None, alias="payment_term.")


@connector.write(
    "invoice_create",
    title="Create a draft customer invoice",
    effect=Effect.CREATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.C,
    fidelity=Fidelity.EXECUTED,
    reversal=Reversal.PARTIAL,
    # it stays in Tryton, cancelled
    residue=("account.invoice", "account.invoice.line", "account.invoice.line-account.tax", "account.invoice.tax"),
    compensation=Compensation(tool="invoice_cancel", arguments={"invoice_id": "/output/id"}, kind=Reversal.PARTIAL),
    quarantine_seconds=120,
    facts={"party_id": "/party_id"},
    examples=[{"party_id": 4, "lines": [{"product_id": 1, "quantity": "2"}], "reference": "PO 4711"}],
)
async def invoice_create(context: Context, party_id: Id, lines: Lines, reference: Line | None = None) -> Invoice:
    """Create a draft customer invoice with its lines, without a sale. It gets number and date when it is posted.

    Tryton fills in address, payment term, accounts and taxes of the customer, and list prices where none are given.
    `reference` is the customer's own number for the order.
    """
    await require_unmade(context, KIND)
    made = await make(context, KIND, await _drafted(context, party_id, lines, reference or ""))
    return await read_back(invoice_get, context, made)


@invoice_create.preview
async def _(context: Context, party_id: int, lines: Lines, reference: str = "") -> Preview:
    return await preview_of(context, PAPER, await _drafted(context, party_id, lines, reference))


@invoice_create.observe
async def _(context: Context, receipt: Receipt[Invoice]) -> Mapping[str, Mapping[str, Json]]:
    made = receipt.output.id
    return {new(KIND): {"id": made, **(await PAPER.face_of(context, made)).model_dump(mode="json")}}


@invoice_create.lookup
async def _(context: Context) -> Invoice | None:
    made = await made_by(context, KIND)
    return None if made is None else await invoice_get(context, made)


async def _drafted(context: Context, party_id: int, lines: Lines, reference: str) -> Draft:
    """Return the invoice as Tryton would fill it in now."""
    party, company = await customer(context, party_id)
    of_company = {"company": company}
    defaults = await context.rpc(
        f"model.{INVOICE}.default_get", list(_DEFAULTS), False, of_company, returns=dict[str, Json]
    )
    who = {**of_company, "type": "out", "party": party_id, "currency": defaults.get("currency")}
    header = await context.rpc(f"model.{INVOICE}.on_change_type", {**who, "lines": []}, of_company, returns=_Header)
    if header.account is None:
        raise Refused(f"Party {party_id} has no receivable account in Tryton, nor has its configuration a default.")
    if header.invoice_address is None:
        raise Refused(f"Party {party_id} has no address to send an invoice to; party_address_add gives it one.")
    start = Start(
        party=party.rec_name,
        term=header.term.rec_name if header.term else "",
        reference=reference,
        document=who,
        values={**header.model_dump(exclude={"term"}), **who, "reference": reference or None},
    )
    return await drafted(context, KIND, start, lines)
