"""The lines of a draft sale: adding, changing and taking them away."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, Field

from connectors.sdk import (
    Blast,
    Change,
    Compensation,
    Context,
    Effect,
    Fidelity,
    NotFound,
    Precondition,
    Preview,
    Receipt,
    Refused,
    Reversal,
    Tier,
    UpstreamClass,
)
from connectors.tryton.drafts import (
    NewLine,
    Price,
    Quantity,
    ShownLine,
    Totals,
    amount_of,
    check_quantity,
    priced,
    totals,
)
from connectors.tryton.records import Id, Sale
from connectors.tryton.rows import check_computed, check_weak, computed, row, strong, target, weak
from connectors.tryton.sales import LINE, SALE, LineRow, SaleRow, lines_of, sale_get
from connectors.tryton.sales_create import KIND, SaleFace, asked, face_of, tried_face
from connectors.tryton.system import connector
from connectors.tryton.trials import Call, Untried, simulated_only, tried
from connectors.tryton.values import encoded
from connectors.tryton.writing import read_back, write

Json = Any
"""Any JSON value."""

LineId = Annotated[int, Field(ge=1, le=2**31 - 1, description="sale_get lists the ids of the lines.")]


class SaleWithLine(Sale):
    """A sale after a line was added to it; `line_id` is the new one."""

    line_id: int


class _Draft(BaseModel):
    """A draft sale and its lines as they were read."""

    sale: SaleRow
    lines: list[LineRow]

    @property
    def document(self) -> dict[str, Json]:
        """Return what Tryton needs to know of the sale to fill in a line."""
        sale = self.sale
        return {
            "company": sale.company,
            "party": sale.party.id,
            "currency": sale.currency_id,
            "invoice_party": sale.invoice_party,
        }

    def line(self, line_id: int) -> LineRow:
        """Return one line.

        Raises:
            NotFound: the sale has no such line.
        """
        for line in self.lines:
            if line.id == line_id and line.type == "line":
                return line
        raise NotFound(f"Sale {self.sale.id} has no line {line_id}; sale_get lists its lines.")

    def guards(self, *more: Precondition) -> tuple[Precondition, ...]:
        """Return the guards of a change of the lines: the sale itself, weakly all lines, and `more`."""
        return (strong(SALE, self.sale), weak(_all_lines(self.sale.id), self.lines), *more)


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
    draft = await _draft(context, sale_id)
    check_weak(context, _all_lines(sale_id), draft.lines)
    line = NewLine(product_id=product_id, quantity=quantity, unit_price=unit_price)
    values = dict((await priced(context, KIND, draft.document, line)).values)
    check_computed(context, _filled(sale_id), values)
    await write(context, SALE, sale_id, {"lines": [["create", [values]]]})
    known = {line.id for line in draft.lines}

    async def added(context: Context, sale_id: int) -> SaleWithLine:
        made = max(line.id for line in await lines_of(context, sale_id) if line.id not in known)
        return SaleWithLine(**(await sale_get(context, sale_id)).model_dump(), line_id=made)

    return await read_back(added, context, sale_id)


@sale_line_add.preview
async def _(context: Context, sale_id: int, product_id: int, quantity: str, unit_price: str | None = None) -> Preview:
    draft = await _draft(context, sale_id)
    line = NewLine(product_id=product_id, quantity=quantity, unit_price=unit_price)
    new = await priced(context, KIND, draft.document, line)
    sums = await totals(context, KIND, draft.document, [*map(_counted, draft.lines), new.counted])
    before = await face_of(context, sale_id)
    change = _change(draft.sale, before, [*before.lines, new.shown(draft.sale.minor)], sums)
    simulated = _preview((change,), draft.guards(computed(_filled(sale_id), dict(new.values))))
    return await _executed(context, simulated, draft, ["create", [dict(new.values)]])


@sale_line_add.observe
async def _(context: Context, receipt: Receipt[SaleWithLine]) -> Mapping[str, BaseModel]:
    return {target(SALE, receipt.input["sale_id"]): await face_of(context, receipt.input["sale_id"])}


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
    check_weak(context, _all_lines(sale_id), await lines_of(context, sale_id))
    values = _given(quantity, unit_price)
    await write(context, SALE, sale_id, {"lines": [["write", [line_id], values]]}, with_it=(LINE, line_id))
    return await read_back(sale_get, context, sale_id)


@sale_line_update.preview
async def _(
    context: Context, sale_id: int, line_id: int, quantity: str | None = None, unit_price: str | None = None
) -> Preview:
    draft = await _draft(context, sale_id)
    line = draft.line(line_id)
    counted = {**_counted(line), **_given(quantity, unit_price)}
    if quantity is not None and line.unit is not None:
        check_quantity(quantity, line.unit)
    price = (line.unit_price or Decimal(0)) if unit_price is None else Decimal(unit_price)
    amount = await amount_of(context, KIND, draft.document, (counted["quantity"], price))
    changed = line.model_copy(
        update={
            "quantity": counted["quantity"],
            "unit_price": price,
            "amount": amount,
        }
    )
    after = [changed if other.id == line_id else other for other in draft.lines]
    sums = await totals(context, KIND, draft.document, [*map(_counted, after)])
    minor, before = draft.sale.minor, await face_of(context, sale_id)
    changes = (
        Change(
            target=target(LINE, line_id),
            effect=Effect.UPDATE,
            before=line.shown(minor).model_dump(mode="json"),
            after=changed.shown(minor).model_dump(mode="json"),
        ),
        _change(draft.sale, before, [other.shown(minor) for other in after if other.type == "line"], sums),
    )
    preview = _preview(changes, draft.guards(strong(LINE, line)))
    covered = () if unit_price is not None else ("prices that depend on the quantity: the unit price stays as it is",)
    simulated = preview.model_copy(update={"not_covered": covered})
    return await _executed(context, simulated, draft, ["write", [line_id], _given(quantity, unit_price)])


@sale_line_update.observe
async def _(context: Context, receipt: Receipt[Sale]) -> Mapping[str, BaseModel | None]:
    sale_id, line_id = receipt.input["sale_id"], receipt.input["line_id"]
    sale = await row(context, SALE, SaleRow, sale_id, called="sale")
    lines = {line.id: line.shown(sale.minor) for line in await lines_of(context, sale_id)}
    return {target(LINE, line_id): lines.get(line_id), target(SALE, sale_id): await face_of(context, sale_id)}


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
    check_weak(context, _all_lines(sale_id), await lines_of(context, sale_id))
    await write(context, SALE, sale_id, {"lines": [["delete", [line_id]]]}, with_it=(LINE, line_id))
    return await read_back(sale_get, context, sale_id)


@sale_line_remove.preview
async def _(context: Context, sale_id: int, line_id: int) -> Preview:
    draft = await _draft(context, sale_id)
    line = draft.line(line_id)
    left = [other for other in draft.lines if other.id != line_id]
    sums = await totals(context, KIND, draft.document, [*map(_counted, left)])
    before = await face_of(context, sale_id)
    shown = [other.shown(draft.sale.minor) for other in left if other.type == "line"]
    simulated = _preview((_change(draft.sale, before, shown, sums),), draft.guards(strong(LINE, line)))
    return await _executed(context, simulated, draft, ["delete", [line_id]])


@sale_line_remove.observe
async def _(context: Context, receipt: Receipt[Sale]) -> Mapping[str, BaseModel]:
    return {target(SALE, receipt.input["sale_id"]): await face_of(context, receipt.input["sale_id"])}


async def _draft(context: Context, sale_id: int) -> _Draft:
    # The lines come first: a line changed between the two reads then makes the guard stale, never the amounts.
    lines = await lines_of(context, sale_id)
    sale = await row(context, SALE, SaleRow, sale_id, called="sale")
    if sale.state != "draft":
        raise Refused(f"Sale {sale_id} is in state {sale.state}; only the lines of a draft can be changed.")
    return _Draft(sale=sale, lines=lines)


async def _executed(context: Context, simulated: Preview, draft: _Draft, what: list[Json]) -> Preview:
    """Return what a trial of the change of lines shows, or what was simulated where Tryton cannot try."""
    sale = draft.sale
    call = Call(
        model=SALE,
        method="write",
        arguments=[[sale.id], {"lines": [what]}],
        guards=simulated.preconditions,
        company=sale.company,
        rests_on=asked(sale.id)[1:],
    )
    trial = await tried(context, call, asked(sale.id))
    if isinstance(trial, Untried):
        return simulated_only(simulated, trial)
    lines = {target(LINE, line.id): line.shown(sale.minor) for line in trial.rows(1, LineRow)}
    found: dict[str, BaseModel] = {target(SALE, sale.id): tried_face(trial), **lines}
    changes = [
        change.model_copy(update={"after": found[change.target].model_dump(mode="json")})
        for change in simulated.changes
    ]
    executed = _preview(tuple(changes), simulated.preconditions)
    return executed.model_copy(update={"not_covered": simulated.not_covered, **trial.sureness})


def _preview(changes: tuple[Change, ...], guards: tuple[Precondition, ...]) -> Preview:
    whole = changes[-1]
    before, after = whole.before or {}, whole.after or {}
    moved = abs(after["total_minor"] - before["total_minor"])
    blast = Blast(rows=2, parties=1, money_minor=moved, currency=before["currency"])
    return Preview(changes=changes, preconditions=guards, blast=blast)


def _change(sale: SaleRow, before: SaleFace, lines: Sequence[ShownLine], sums: Totals) -> Change:
    after = before.model_copy(
        update={
            "lines": list(lines),
            "untaxed_minor": sale.minor(sums.untaxed_amount),
            "tax_minor": sale.minor(sums.tax_amount),
            "total_minor": sale.minor(sums.total_amount),
        }
    )
    return Change(
        target=target(SALE, sale.id),
        effect=Effect.UPDATE,
        before=before.model_dump(mode="json"),
        after=after.model_dump(mode="json"),
    )


def _given(quantity: str | None, unit_price: str | None) -> dict[str, Json]:
    if quantity is None and unit_price is None:
        raise Refused("Give a quantity or a unit price, or both; else nothing would change.")
    given = {} if quantity is None else {"quantity": float(quantity)}
    return given if unit_price is None else {**given, "unit_price": encoded(Decimal(unit_price))}


def _counted(line: LineRow) -> dict[str, Json]:
    return {
        "id": line.id,
        "type": line.type,
        "quantity": line.quantity,
        "unit_price": None if line.unit_price is None else encoded(line.unit_price),
        "amount": None if line.amount is None else encoded(line.amount),
        "taxes": line.taxes,
    }


def _all_lines(sale_id: int) -> str:
    return f"{SALE}/{sale_id}/lines"


def _filled(sale_id: int) -> str:
    return f"{SALE}/{sale_id}/filled in"
