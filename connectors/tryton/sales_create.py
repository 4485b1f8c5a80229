"""Making a draft sale."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import (
    Blast,
    Compensation,
    Context,
    Effect,
    Fidelity,
    Preview,
    Receipt,
    Refused,
    Reversal,
    Tier,
    Unknown,
    UpstreamClass,
)
from connectors.tryton.drafts import Kind, Lines, Priced, ShownLine, Totals, priced, totals
from connectors.tryton.records import Id, Line, Sale, Stage
from connectors.tryton.rows import Page, Row, check_computed, company_of_account, computed, row, rows
from connectors.tryton.sales import LINE, SALE, LineRow, SaleRow, lines_of, sale_get
from connectors.tryton.system import connector
from connectors.tryton.trials import MADE, Asked, Call, Trial, Untried, simulated_only, tried
from connectors.tryton.values import minor_units
from connectors.tryton.writing import read_back

Json = Any
"""Any JSON value."""

KIND = Kind(model=SALE, line=LINE, parent="sale")
NEW = f"{SALE}/new"
FILLED = f"{NEW}/filled in"

_DEFAULTS = ("currency", "warehouse", "invoice_method", "shipment_method")


class SaleFace(BaseModel):
    """A sale as previews of drafts show it."""

    model_config = ConfigDict(frozen=True)

    party: str
    reference: str
    stage: Stage
    payment_term: str
    lines: list[ShownLine]
    untaxed_minor: int
    tax_minor: int
    total_minor: int
    currency: str


class _Party(Row):
    rec_name: str
    active: bool


class _Pointed(BaseModel):
    rec_name: str


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
    term: _Pointed | None = Field(default=None, alias="payment_term.")


class _Currency(Row):
    code: str
    digits: int


class _Draft(BaseModel):
    """A sale as it will be created."""

    values: dict[str, Json]
    face: SaleFace


class FacedSale(SaleRow):
    """A sale as far as previews of drafts show it."""

    term: _Pointed | None = Field(alias="payment_term.")


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
    if await _created(context) is not None:  # this question also renews the session, which a write must not
        raise Refused("A sale with the reference of this call exists already.")
    draft = await _drafted(context, party_id, lines, reference or "")
    check_computed(context, FILLED, draft.values)
    company = {"company": draft.values["company"]}
    values = _as_sent(draft, note=_reference(context))
    (made,) = await context.rpc(f"model.{SALE}.create", [values], company, returns=list[int])
    return await read_back(sale_get, context, made)


@sale_create.preview
async def _(context: Context, party_id: int, lines: Lines, reference: str = "") -> Preview:
    draft = await _drafted(context, party_id, lines, reference)
    face = draft.face
    preview = Preview.create(
        NEW,
        face,
        unknown=("id",),
        blast=Blast(rows=1 + len(lines), parties=1, money_minor=abs(face.total_minor), currency=face.currency),
    )
    simulated = preview.model_copy(update={"preconditions": (computed(FILLED, draft.values),)})
    return await _executed(context, simulated, draft)


@sale_create.observe
async def _(context: Context, receipt: Receipt[Sale]) -> Mapping[str, Mapping[str, Json]]:
    made = receipt.output.id
    return {NEW: {"id": made, **(await face_of(context, made)).model_dump(mode="json")}}


@sale_create.lookup
async def _(context: Context) -> Sale | None:
    return await _created(context)


async def face_of(context: Context, sale_id: int) -> SaleFace:
    """Return a sale as previews of drafts show it."""
    sale = await row(context, SALE, FacedSale, sale_id, called="sale")
    return face_with(sale, await lines_of(context, sale_id))


def asked(sale: Json) -> list[Asked]:
    """Return what to read in a trial for `tried_face`: `sale` is an id, or stands for the one that is made."""
    operator = "in" if sale == MADE else "="
    return [
        Asked(model=SALE, clauses=[("id", operator, sale)], kind=FacedSale),
        Asked(model=LINE, clauses=[("sale", operator, sale)], kind=LineRow),
    ]


def tried_face(trial: Trial) -> SaleFace:
    """Return a sale as it would be after a trial, read by what `asked` returns."""
    (sale,) = trial.rows(0, FacedSale)
    return face_with(sale, trial.rows(1, LineRow))


def face_with(sale: FacedSale, lines: Sequence[LineRow]) -> SaleFace:
    """Return a sale with these lines as previews of drafts show it."""
    return SaleFace(
        party=sale.party.rec_name,
        reference=sale.reference or "",
        stage=sale.stage,
        payment_term=sale.term.rec_name if sale.term else "",
        lines=[line.shown(sale.minor) for line in lines if line.type == "line"],
        untaxed_minor=sale.minor(sale.untaxed_amount),
        tax_minor=sale.minor(sale.tax_amount),
        total_minor=sale.minor(sale.total_amount),
        currency=sale.currency.code,
    )


async def _executed(context: Context, simulated: Preview, draft: _Draft) -> Preview:
    """Return what a trial inside Tryton makes, or what was simulated where Tryton cannot try."""
    values = _as_sent(draft, note=None)
    call = Call(model=SALE, method="create", arguments=[[values]], company=draft.values["company"])
    trial = await tried(context, call, asked(MADE))
    if isinstance(trial, Untried):
        return simulated_only(simulated, trial)
    (change,) = simulated.changes
    made = change.model_copy(update={"after": tried_face(trial).model_dump(mode="json")})
    return simulated.model_copy(update={"changes": (made,), **trial.sureness})


def _as_sent(draft: _Draft, *, note: str | None) -> dict[str, Json]:
    """Return what is sent to Tryton to make the sale; the first line's note carries our reference.

    Notes are for colleagues: no document prints them.
    """
    first, *others = draft.values["lines"]
    return {**draft.values, "lines": [["create", [{**first, "note": note}, *others]]]}


async def _created(context: Context) -> Sale | None:
    """Return the sale that carries the reference of this call, if there is one already."""
    found = await rows(context, SALE, Row, [("lines.note", "=", _reference(context))], Page(limit=2))
    if len(found) > 1:
        raise Unknown("More than one sale in Tryton carries the reference of this call.")
    return await sale_get(context, found[0].id) if found else None


async def _drafted(context: Context, party_id: int, lines: Lines, reference: str) -> _Draft:
    """Return the sale as Tryton would fill it in now."""
    party = await row(context, "party.party", _Party, party_id, called="party")
    if not party.active:
        raise Refused(f"Party {party_id} is archived; Tryton makes no new documents for it.")
    company = await company_of_account(context)
    if company is None:
        raise Refused("The connection's account works in no company; its preferences in Tryton must name one.")
    of_company = {"company": company}
    defaults = await context.rpc(
        f"model.{SALE}.default_get", list(_DEFAULTS), False, of_company, returns=dict[str, Json]
    )
    start: dict[str, Json] = {
        **{name: defaults.get(name) for name in _DEFAULTS},
        **of_company,
        "party": party_id,
        "lines": [],
    }
    header = await context.rpc(f"model.{SALE}.on_change_party", start, of_company, returns=_Header)
    document = {**of_company, "party": party_id, "currency": header.currency, "invoice_party": header.invoice_party}
    filled = [await priced(context, KIND, document, line) for line in lines]
    sums = await totals(context, KIND, document, [line.counted for line in filled])
    currency = await row(context, "currency.currency", _Currency, header.currency, called="currency")
    values = {
        **header.model_dump(exclude={"term"}),
        **of_company,
        "party": party_id,
        "reference": reference or None,
        "lines": [dict(line.values) for line in filled],
    }
    face = _face(party.rec_name, header, filled, sums, currency)
    return _Draft(values=values, face=face.model_copy(update={"reference": reference}))


def _face(party: str, header: _Header, filled: list[Priced], sums: Totals, currency: _Currency) -> SaleFace:
    def minor(amount: Json) -> int:
        return minor_units(amount, currency.digits)

    return SaleFace(
        party=party,
        reference="",
        stage="draft",
        payment_term=header.term.rec_name if header.term else "",
        lines=[line.shown(minor) for line in filled],
        untaxed_minor=minor(sums.untaxed_amount),
        tax_minor=minor(sums.tax_amount),
        total_minor=minor(sums.total_amount),
        currency=currency.code,
    )


def _reference(context: Context) -> str:
    """Return the note under which what this call creates can be found again."""
    return f"hub:{context.key}"
