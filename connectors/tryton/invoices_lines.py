"""The lines of a draft customer invoice: adding, changing and taking them away."""

from collections.abc import Mapping

from pydantic import BaseModel

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
from connectors.tryton.draft_lines import (
    At,
    Given,
    LineId,
    add_line,
    added,
    change_line,
    observed,
    preview_adding,
    preview_changing,
    preview_removing,
    remove_line,
)
from connectors.tryton.drafts import NewLine, Price, Quantity
from connectors.tryton.invoices import KIND, PAPER, invoice_get
from connectors.tryton.records import Id, Invoice
from connectors.tryton.system import connector
from connectors.tryton.writing import read_back


class InvoiceWithLine(Invoice):
    """An invoice after a line was added to it; `line_id` is the new one."""

    line_id: int


@connector.write(
    "invoice_line_add",
    title="Add a line to a draft customer invoice",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    fidelity=Fidelity.EXECUTED,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="invoice_line_remove",
        arguments={"invoice_id": "/input/invoice_id", "line_id": "/output/line_id"},
        kind=Reversal.EXACT,
    ),
    facts={"product_id": "/product_id"},
    examples=[{"invoice_id": 4, "product_id": 3, "quantity": "2"}],
)
async def invoice_line_add(
    context: Context, invoice_id: Id, product_id: Id, quantity: Quantity, unit_price: Price | None = None
) -> InvoiceWithLine:
    """Add a line to a draft customer invoice. Without a unit price Tryton sets the list price."""
    line = NewLine(product_id=product_id, quantity=quantity, unit_price=unit_price)
    known = await add_line(context, PAPER, invoice_id, line)

    async def read(context: Context, invoice_id: int) -> InvoiceWithLine:
        made = await added(context, KIND, invoice_id, known)
        return InvoiceWithLine(**(await invoice_get(context, invoice_id)).model_dump(), line_id=made)

    return await read_back(read, context, invoice_id)


@invoice_line_add.preview
async def _(
    context: Context, invoice_id: int, product_id: int, quantity: str, unit_price: str | None = None
) -> Preview:
    line = NewLine(product_id=product_id, quantity=quantity, unit_price=unit_price)
    return await preview_adding(context, PAPER, invoice_id, line)


@invoice_line_add.observe
async def _(context: Context, receipt: Receipt[InvoiceWithLine]) -> Mapping[str, BaseModel | None]:
    return await observed(context, PAPER, receipt.input["invoice_id"])


@connector.write(
    "invoice_line_update",
    title="Change a line of a draft customer invoice",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    fidelity=Fidelity.EXECUTED,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="invoice_line_update",
        arguments={
            "invoice_id": "/input/invoice_id",
            "line_id": "/input/line_id",
            "quantity": "/before/0/quantity",
            "unit_price": "/before/0/unit_price",
        },
        kind=Reversal.EXACT,
    ),
    examples=[
        {"invoice_id": 1, "line_id": 1, "quantity": "3"},
        {"invoice_id": 1, "line_id": 1, "unit_price": "450.00"},
    ],
)
async def invoice_line_update(
    context: Context, invoice_id: Id, line_id: LineId, quantity: Quantity | None = None, unit_price: Price | None = None
) -> Invoice:
    """Change quantity or unit price of a line of a draft invoice. The unit price stays unless you give another."""
    at, given = At(document=invoice_id, line=line_id), Given(quantity=quantity, unit_price=unit_price)
    await change_line(context, KIND, at, given)
    return await read_back(invoice_get, context, invoice_id)


@invoice_line_update.preview
async def _(
    context: Context, invoice_id: int, line_id: int, quantity: str | None = None, unit_price: str | None = None
) -> Preview:
    at, given = At(document=invoice_id, line=line_id), Given(quantity=quantity, unit_price=unit_price)
    return await preview_changing(context, PAPER, at, given)


@invoice_line_update.observe
async def _(context: Context, receipt: Receipt[Invoice]) -> Mapping[str, BaseModel | None]:
    return await observed(context, PAPER, receipt.input["invoice_id"], receipt.input["line_id"])


@connector.write(
    "invoice_line_remove",
    title="Take a line away from a draft customer invoice",
    effect=Effect.UPDATE,
    tier=Tier.HIGH,
    upstream_class=UpstreamClass.B,
    fidelity=Fidelity.EXECUTED,
    examples=[{"invoice_id": 1, "line_id": 1}],
)
async def invoice_line_remove(context: Context, invoice_id: Id, line_id: LineId) -> Invoice:
    """Take a line away from a draft customer invoice. It is deleted; adding it again makes a new line."""
    await remove_line(context, KIND, At(document=invoice_id, line=line_id))
    return await read_back(invoice_get, context, invoice_id)


@invoice_line_remove.preview
async def _(context: Context, invoice_id: int, line_id: int) -> Preview:
    return await preview_removing(context, PAPER, At(document=invoice_id, line=line_id))


@invoice_line_remove.observe
async def _(context: Context, receipt: Receipt[Invoice]) -> Mapping[str, BaseModel | None]:
    return await observed(context, PAPER, receipt.input["invoice_id"])
