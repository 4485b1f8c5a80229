"""Cancelling draft customer invoices."""

from collections.abc import Mapping

from pydantic import BaseModel

from connectors.sdk import Blast, Context, Effect, Preview, Receipt, Refused, Tier, UpstreamClass
from connectors.tryton.invoices import INVOICE, InvoiceRow, check_customer, invoice_get, shown
from connectors.tryton.records import Id, Invoice
from connectors.tryton.rows import row, target
from connectors.tryton.system import connector
from connectors.tryton.writing import press, read_back


@connector.write(
    "invoice_cancel",
    title="Cancel a draft customer invoice",
    effect=Effect.UPDATE,
    tier=Tier.HIGH,
    upstream_class=UpstreamClass.B,
    examples=[{"invoice_id": 4}],
)
async def invoice_cancel(context: Context, invoice_id: Id) -> Invoice:
    """Cancel a draft customer invoice that no sale has made. It cannot be undone; a posted one can only be credited."""
    await press(context, (INVOICE, invoice_id), "cancel")
    return await read_back(invoice_get, context, invoice_id)


@invoice_cancel.preview
async def _(context: Context, invoice_id: int) -> Preview:
    invoice = await row(context, INVOICE, InvoiceRow, invoice_id, called="customer invoice")
    check_customer(invoice)
    if invoice.state != "draft":
        raise Refused(f"Invoice {invoice_id} is in state {invoice.state}; only a draft can be cancelled here.")
    if invoice.sales:
        raise Refused(f"Invoice {invoice_id} comes from a sale, which would then wait for a decision; do it in Tryton.")
    before = shown(invoice)
    blast = Blast(rows=1, parties=1, money_minor=abs(before.total_minor), currency=before.currency)
    return Preview.update(
        target(INVOICE, invoice_id), before, {"state": "cancelled"}, guard=invoice.timestamp, blast=blast
    )


@invoice_cancel.observe
async def _(context: Context, receipt: Receipt[Invoice]) -> Mapping[str, BaseModel]:
    invoice = await row(context, INVOICE, InvoiceRow, receipt.input["invoice_id"], called="customer invoice")
    return {target(INVOICE, invoice.id): shown(invoice)}
