"""What sales and invoices have in common: a party, money, lines of products; and how previews of drafts show them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import Context
from connectors.tryton.drafts import Kind, ShownLine, Unit, price_text, quantity_text
from connectors.tryton.rows import Named, Row, row, rows
from connectors.tryton.trials import MADE, Asked, Trial
from connectors.tryton.values import minor_units

Json = Any
"""Any JSON value."""


class Currency(BaseModel):
    """What money needs to be told in minor units."""

    code: str
    digits: int


class DocumentRow(Row):
    """A sale or an invoice in Tryton, without its lines."""

    state: str
    company: int
    party: Named = Field(alias="party.")
    currency: Currency = Field(alias="currency.")
    untaxed_amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal

    def minor(self, amount: Decimal) -> int:
        """Return an amount of this document in minor units."""
        return minor_units(amount, self.currency.digits)


class LineRow(Row):
    """A line of a sale or an invoice in Tryton."""

    type: str
    quantity: float | None
    unit_price: Decimal | None
    amount: Decimal | None
    taxes: list[int]
    unit: Unit | None = Field(alias="unit.")
    product: Named | None = Field(alias="product.")
    rec_name: str

    def shown(self, minor: Callable[[Decimal], int]) -> ShownLine:
        """Return the line as previews show it."""
        return ShownLine(
            product_id=self.product.id if self.product else None,
            product=self.product.rec_name if self.product else self.rec_name,
            quantity=quantity_text(self.quantity),
            unit_price=price_text(self.unit_price),
            amount_minor=minor(self.amount or Decimal(0)),
        )


class Pointed(BaseModel):
    """What a document points to, by its name alone."""

    rec_name: str


class DraftRow(DocumentRow):
    """A document as far as previews of drafts show it."""

    reference: str | None
    currency_id: int = Field(alias="currency")
    term: Pointed | None = Field(alias="payment_term.")


class Face(BaseModel):
    """A document as previews of drafts show it."""

    model_config = ConfigDict(frozen=True)

    party: str
    reference: str
    stage: str
    payment_term: str
    lines: list[ShownLine]
    untaxed_minor: int
    tax_minor: int
    total_minor: int
    currency: str


D = TypeVar("D", bound=DraftRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper(Generic[D]):
    """A kind of document: how one is read, how far it has come, whether its lines may be changed."""

    kind: Kind
    row: type[D]
    stage: Callable[[D], str]
    require_draft: Callable[[D], None]
    """Returns if the lines of this one may be changed.

    Raises:
        Refused: they may not.
    """
    keeps_taxes: bool = False
    """Whether Tryton keeps the taxes with the document, and computes them anew only when it is written."""
    told: Callable[[Context, D], Awaitable[Mapping[str, Json]]]
    """Returns what Tryton needs to know of one, beside what all have, to fill in its lines."""

    async def face_of(self, context: Context, number: int) -> Face:
        """Return a document as previews of drafts show it."""
        found = await row(context, self.kind.model, self.row, number, called=self.kind.parent)
        return self.face_with(found, await lines_of(context, self.kind, number))

    def asked(self, number: Json) -> list[Asked]:
        """Return what to read in a trial for `tried_face`: `number` is an id, or stands for the one that is made."""
        operator = "in" if number == MADE else "="
        return [
            Asked(model=self.kind.model, clauses=[("id", operator, number)], kind=self.row),
            Asked(model=self.kind.line, clauses=[(self.kind.parent, operator, number)], kind=LineRow),
        ]

    def tried_face(self, trial: Trial) -> Face:
        """Return a document as it would be after a trial, read by what `asked` returns."""
        (found,) = trial.rows(0, self.row)
        return self.face_with(found, trial.rows(1, LineRow))

    def face_with(self, found: D, lines: Sequence[LineRow]) -> Face:
        """Return a document with these lines as previews of drafts show it."""
        return Face(
            party=found.party.rec_name,
            reference=found.reference or "",
            stage=self.stage(found),
            payment_term=found.term.rec_name if found.term else "",
            lines=[line.shown(found.minor) for line in lines if line.type == "line"],
            untaxed_minor=found.minor(found.untaxed_amount),
            tax_minor=found.minor(found.tax_amount),
            total_minor=found.minor(found.total_amount),
            currency=found.currency.code,
        )


async def lines_of(context: Context, kind: Kind, number: int) -> list[LineRow]:
    """Return all lines of a document, comments and subtotals among them."""
    return await rows(context, kind.line, LineRow, [(kind.parent, "=", number)])
