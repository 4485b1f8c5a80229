"""Making drafts of documents: foreseen as Tryton fills them in, made once, found again by the reference of the call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from connectors.sdk import Blast, Context, Preview, Refused, Unknown
from connectors.tryton.documents import D, Face, Paper
from connectors.tryton.drafts import Kind, Lines, Priced, priced, totals
from connectors.tryton.rows import Page, Row, check_computed, company_of_account, computed, row, rows
from connectors.tryton.trials import MADE, Call, Untried, simulated_only, tried
from connectors.tryton.values import minor_units

Json = Any
"""Any JSON value."""


class Customer(Row):
    """A party to make a document for."""

    rec_name: str
    active: bool


class _Currency(Row):
    code: str
    digits: int


class Start(BaseModel):
    """What a new document has before its lines: for whom, and all that Tryton has filled in."""

    party: str
    term: str
    reference: str
    document: Mapping[str, Json]
    """What Tryton is told of it to fill in its lines."""
    values: Mapping[str, Json]
    """What it is created with, without its lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document as it will be created."""

    values: Mapping[str, Json]
    face: Face


async def customer(context: Context, party_id: int) -> tuple[Customer, int]:
    """Return a party that documents are made for, and the company that makes them.

    Raises:
        NotFound: there is no such party.
        Refused: it is archived, or the connection's account works in no company.
    """
    party = await row(context, "party.party", Customer, party_id, called="party")
    if not party.active:
        raise Refused(f"Party {party_id} is archived; Tryton makes no new documents for it.")
    company = await company_of_account(context)
    if company is None:
        raise Refused("The connection's account works in no company; its preferences in Tryton must name one.")
    return party, company


async def drafted(context: Context, kind: Kind, start: Start, lines: Lines) -> Draft:
    """Return a document with `lines` as Tryton would fill them in now; nothing is kept."""
    filled = [await priced(context, kind, start.document, line) for line in lines]
    sums = await totals(context, kind, start.document, [line.counted for line in filled])
    currency = await row(context, "currency.currency", _Currency, start.document["currency"], called="currency")

    def minor(amount: Decimal) -> int:
        return minor_units(amount, currency.digits)

    face = Face(
        party=start.party,
        reference=start.reference,
        stage="draft",
        payment_term=start.term,
        lines=[line.shown(minor) for line in filled],
        untaxed_minor=minor(sums.untaxed_amount),
        tax_minor=minor(sums.tax_amount),
        total_minor=minor(sums.total_amount),
        currency=currency.code,
    )
    return Draft(values={**start.values, "lines": _values_of(filled)}, face=face)


async def preview_of(context: Context, paper: Paper[D], draft: Draft) -> Preview:
    """Return the preview of making `draft`: tried where Tryton can, else simulated."""
    face = draft.face
    preview = Preview.create(
        new(paper.kind),
        face,
        unknown=("id",),
        blast=Blast(rows=1 + len(face.lines), parties=1, money_minor=abs(face.total_minor), currency=face.currency),
    )
    simulated = preview.model_copy(update={"preconditions": (computed(_filled(paper.kind), dict(draft.values)),)})
    call = Call(
        model=paper.kind.model,
        method="create",
        arguments=[[_as_sent(draft, note=None)]],
        company=draft.values["company"],
    )
    trial = await tried(context, call, paper.asked(MADE))
    if isinstance(trial, Untried):
        return simulated_only(simulated, trial)
    (change,) = simulated.changes
    made = change.model_copy(update={"after": paper.tried_face(trial).model_dump(mode="json")})
    return simulated.model_copy(update={"changes": (made,), **trial.sureness})


async def make(context: Context, kind: Kind, draft: Draft) -> int:
    """Make `draft` and return its id, if Tryton still fills in what it did for the preview.

    Raises:
        Conflict: it does not; nothing was made.
    """
    check_computed(context, _filled(kind), dict(draft.values))
    values, company = _as_sent(draft, note=_reference(context)), {"company": draft.values["company"]}
    (made,) = await context.rpc(f"model.{kind.model}.create", [values], company, returns=list[int])
    return made


async def made_by(context: Context, kind: Kind) -> int | None:
    """Return the document that carries the reference of this call, if there is one already.

    Raises:
        Unknown: there is more than one.
    """
    found = await rows(context, kind.model, Row, [("lines.note", "=", _reference(context))], Page(limit=2))
    if len(found) > 1:
        raise Unknown(f"More than one {kind.parent} in Tryton carries the reference of this call.")
    return found[0].id if found else None


async def require_unmade(context: Context, kind: Kind) -> None:
    """Return if this call has made nothing yet. The question also renews the session, which a write must not.

    Raises:
        Refused: it has.
    """
    if await made_by(context, kind) is not None:
        article = "An" if kind.parent[0] in "aeiou" else "A"
        raise Refused(f"{article} {kind.parent} with the reference of this call exists already.")


def new(kind: Kind) -> str:
    """Return how previews name the document that is to be made."""
    return f"{kind.model}/new"


def _as_sent(draft: Draft, *, note: str | None) -> dict[str, Json]:
    """Return what is sent to Tryton to make the document; the first line's note carries our reference.

    Notes are for colleagues: no document prints them.
    """
    first, *others = draft.values["lines"]
    return {**draft.values, "lines": [["create", [{**first, "note": note}, *others]]]}


def _values_of(filled: Sequence[Priced]) -> list[dict[str, Json]]:
    return [dict(line.values) for line in filled]


def _filled(kind: Kind) -> str:
    return f"{new(kind)}/filled in"


def _reference(context: Context) -> str:
    """Return the note under which what this call creates can be found again."""
    return f"hub:{context.key}"
