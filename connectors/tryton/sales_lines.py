"""The lines of a draft sale: adding, changing and taking them away."""

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
from connectors.tryton.records import Id, Sale
from connectors.tryton.sales import KIND, PAPER, sale_get
from connectors.tryton.system import connector
from connectors.tryton.writing import read_back


class SaleWithLine(Sale):
    """A sale after a line was added to it; `line_id` is the new one."""

    line_id: int


@connector.write(
    "sale_line_add",
    title="Add a line to a draft sale",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    fidelity=Fidelity.EXECUTED,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="sale_line_remove",
        arguments={"sale_id": "/input/sale_id", "line_id": "/output/line_id"},
        kind=Reversal.EXACT,
    ),
    facts={"product_id": "/product_id"},
    examples=[{"sale_id": 1, "product_id": 3, "quantity": "2"}],
)
async def sale_line_add(
    context: Context, sale_id: Id, product_id: Id, quantity: Quantity, unit_price: Price | None = None
) -> SaleWithLine:
    """Add a line to a draft sale. Without a unit price Tryton sets its own for this customer and quantity."""
    line = NewLine(product_id=product_id, quantity=quantity, unit_price=unit_price)
    known = await add_line(context, PAPER, sale_id, line)

    async def read(context: Context, sale_id: int) -> SaleWithLine:
        made = await added(context, KIND, sale_id, known)
        return SaleWithLine(**(await sale_get(context, sale_id)).model_dump(), line_id=made)

    return await read_back(read, context, sale_id)


@sale_line_add.preview
async def _(context: Context, sale_id: int, product_id: int, quantity: str, unit_price: str | None = None) -> Preview:
    line = NewLine(product_id=product_id, quantity=quantity, unit_price=unit_price)
    return await preview_adding(context, PAPER, sale_id, line)


@sale_line_add.observe
async def _(context: Context, receipt: Receipt[SaleWithLine]) -> Mapping[str, BaseModel | None]:
    return await observed(context, PAPER, receipt.input["sale_id"])


@connector.write(
    "sale_line_update",
    title="Change a line of a draft sale",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    fidelity=Fidelity.EXECUTED,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="sale_line_update",
        arguments={
            "sale_id": "/input/sale_id",
            "line_id": "/input/line_id",
            "quantity": "/before/0/quantity",
            "unit_price": "/before/0/unit_price",
        },
        kind=Reversal.EXACT,
    ),
    examples=[{"sale_id": 1, "line_id": 1, "quantity": "3"}, {"sale_id": 1, "line_id": 1, "unit_price": "450.00"}],
)
async def sale_line_update(
    context: Context, sale_id: Id, line_id: LineId, quantity: Quantity | None = None, unit_price: Price | None = None
) -> Sale:
    """Change quantity or unit price of a line of a draft sale. The unit price stays unless you give another."""
    at, given = At(document=sale_id, line=line_id), Given(quantity=quantity, unit_price=unit_price)
    await change_line(context, KIND, at, given)
    return await read_back(sale_get, context, sale_id)


@sale_line_update.preview
async def _(
    context: Context, sale_id: int, line_id: int, quantity: str | None = None, unit_price: str | None = None
) -> Preview:
    at, given = At(document=sale_id, line=line_id), Given(quantity=quantity, unit_price=unit_price)
    return await preview_changing(context, PAPER, at, given)


@sale_line_update.observe
async def _(context: Context, receipt: Receipt[Sale]) -> Mapping[str, BaseModel | None]:
    return await observed(context, PAPER, receipt.input["sale_id"], receipt.input["line_id"])


@connector.write(
    "sale_line_remove",
    title="Take a line away from a draft sale",
    effect=Effect.UPDATE,
    tier=Tier.HIGH,
    upstream_class=UpstreamClass.B,
    fidelity=Fidelity.EXECUTED,
    examples=[{"sale_id": 1, "line_id": 1}],
)
async def sale_line_remove(context: Context, sale_id: Id, line_id: LineId) -> Sale:
    """Take a line away from a draft sale. It is deleted; adding it again makes a new line."""
    await remove_line(context, KIND, At(document=sale_id, line=line_id))
    return await read_back(sale_get, context, sale_id)


@sale_line_remove.preview
async def _(context: Context, sale_id: int, line_id: int) -> Preview:
    return await preview_removing(context, PAPER, At(document=sale_id, line=line_id))


@sale_line_remove.observe
async def _(context: Context, receipt: Receipt[Sale]) -> Mapping[str, BaseModel | None]:
    return await observed(context, PAPER, receipt.input["sale_id"])
