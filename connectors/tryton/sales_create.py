"""Making a draft sale."""

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
    Reversal,
    Tier,
    UpstreamClass,
)
from connectors.tryton.documents import Pointed
from connectors.tryton.drafting import Draft, Start, customer, drafted, made_by, make, new, preview_of, require_unmade
from connectors.tryton.drafts import Lines
from connectors.tryton.records import Id, Line, Sale
from connectors.tryton.sales import KIND, PAPER, SALE, sale_get
from connectors.tryton.system import connector
from connectors.tryton.writing import read_back

Json = Any
"""Any JSON value."""

_DEFAULTS = ("currency", "warehouse", "invoice_method", "shipment_method")


class _Header(BaseModel):
    """What Tryton fills into a new sale of a customer."""

    invoice_party: int | None = None
    shipment_party: int | None = None
    payment_term: int | None = None
    invoice_method: str
    shipment_method: str
    warehouse: int | None = None
    invoice_address: int | None = None
    shipment_address: int | None = None
    currency: int
    term: Pointed | None = Field(default=None, alias="payment_term.")


@connector.write(
    "sale_create",
    title="Create a draft sale",
    effect=Effect.CREATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.C,
    fidelity=Fidelity.EXECUTED,
    reversal=Reversal.PARTIAL,
    residue=("sale.sale", "sale.line", "sale.line-account.tax"),  # it stays in Tryton, cancelled
    compensation=Compensation(tool="sale_cancel", arguments={"sale_id": "/output/id"}, kind=Reversal.PARTIAL),
    quarantine_seconds=120,
    facts={"party_id": "/party_id"},
    examples=[{"party_id": 4, "lines": [{"product_id": 1, "quantity": "2"}], "reference": "PO 4711"}],
)
async def sale_create(context: Context, party_id: Id, lines: Lines, reference: Line | None = None) -> Sale:
    """Create a draft sale with its lines. Tryton fills in addresses, payment term, prices and taxes of the customer.

    `reference` is the customer's own number for the order.
    """
    await require_unmade(context, KIND)
    made = await make(context, KIND, await _drafted(context, party_id, lines, reference or ""))
    return await read_back(sale_get, context, made)


@sale_create.preview
async def _(context: Context, party_id: int, lines: Lines, reference: str = "") -> Preview:
    return await preview_of(context, PAPER, await _drafted(context, party_id, lines, reference))


@sale_create.observe
async def _(context: Context, receipt: Receipt[Sale]) -> Mapping[str, Mapping[str, Json]]:
    made = receipt.output.id
    return {new(KIND): {"id": made, **(await PAPER.face_of(context, made)).model_dump(mode="json")}}


@sale_create.lookup
async def _(context: Context) -> Sale | None:
    made = await made_by(context, KIND)
    return None if made is None else await sale_get(context, made)


async def _drafted(context: Context, party_id: int, lines: Lines, reference: str) -> Draft:
    """Return the sale as Tryton would fill it in now."""
    party, company = await customer(context, party_id)
    of_company = {"company": company}
    defaults = await context.rpc(
        f"model.{SALE}.default_get", list(_DEFAULTS), False, of_company, returns=dict[str, Json]
    )
    asked: dict[str, Json] = {
        **{name: defaults.get(name) for name in _DEFAULTS},
        **of_company,
        "party": party_id,
        "lines": [],
    }
    header = await context.rpc(f"model.{SALE}.on_change_party", asked, of_company, returns=_Header)
    who = {**of_company, "party": party_id}
    start = Start(
        party=party.rec_name,
        term=header.term.rec_name if header.term else "",
        reference=reference,
        document={**who, "currency": header.currency, "invoice_party": header.invoice_party},
        values={**header.model_dump(exclude={"term"}), **who, "reference": reference or None},
    )
    return await drafted(context, KIND, start, lines)
