"""What customers owe: open and settled items of a customer, and the balance of all by age. Nothing here is written."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from connectors.sdk import Context, Refused
from connectors.tryton.documents import Currency
from connectors.tryton.records import After, Answer, Id, Minor
from connectors.tryton.rows import Named, Page, Row, company_of_account, fields_of, rows
from connectors.tryton.system import connector
from connectors.tryton.values import encoded_day, minor_units

Json = Any
"""Any JSON value."""

Settled = Literal["open", "settled", "any"]
Day = Annotated[date, Field(description="As seen on this day.")]
Days = Annotated[int, Field(ge=1, le=3650, description="Where an age group ends, in days overdue.")]
FINANCIAL = ("financial",)

_PAGE = 50


class _Company(BaseModel):
    currency: Currency = Field(alias="currency.")


class _Reconciled(BaseModel):
    id: int
    rec_name: str


class _Entry(BaseModel):
    id: int
    number: str | None
    company: _Company = Field(alias="company.")


class _Item(Row):
    party: Named | None = Field(alias="party.")
    entered: date = Field(alias="date")
    maturity_date: date | None
    debit: Decimal
    credit: Decimal
    description: str | None
    state: str
    move: _Entry = Field(alias="move.")
    origin: Named | None = Field(alias="move_origin.")
    reconciliation: _Reconciled | None = Field(alias="reconciliation.")


class _Balance(BaseModel):
    party: Named = Field(alias="party.")
    currency: Currency = Field(alias="currency.")
    term0: Decimal | None
    term1: Decimal | None
    term2: Decimal | None
    term3: Decimal | None
    balance: Decimal


class ReceivableItem(Answer):
    """A line in the books that says what a customer owes (positive) or has paid or was credited (negative).

    `settled_by` names the reconciliation that settled it, "" while it is open.
    """

    id: int
    party_id: int
    party: str
    entry_date: date
    due_date: date | None
    amount_minor: Minor
    currency: str
    entry: str
    origin: str
    description: str
    settled_by: str


class ReceivableItems(Answer):
    """A page of a customer's items."""

    items: list[ReceivableItem]
    has_more: bool


class Age(Answer):
    """What one customer owes by age; the parts add up to the balance."""

    party_id: int
    party: str
    not_due_minor: Minor
    overdue_1_minor: Minor
    overdue_2_minor: Minor
    overdue_3_minor: Minor
    overdue_4_minor: Minor
    balance_minor: Minor
    currency: str


class AgedBalance(Answer):
    """What each customer owes as seen on a day, grouped by the days it is overdue.

    Groups: up to `days_1` days, up to `days_2`, up to `days_3`, and longer.
    """

    day: date
    days_1: int
    days_2: int
    days_3: int
    customers: list[Age]


@connector.read(
    "receivable_find",
    title="List what a customer owes",
    data_classes=FINANCIAL,
    examples=[{"party_id": 16}, {"party_id": 16, "settled": "any"}],
)
async def receivable_find(
    context: Context, party_id: Id, settled: Settled = "open", after: After = 0
) -> ReceivableItems:
    """List the items of a customer in the receivable accounts: invoices, credit notes and payments, open or settled.

    50 at a time; for the next page give `after`: the id of the last item you have.
    """
    wanted: list[Sequence[Json]] = [
        ("id", ">", after),
        ("party", "=", party_id),
        ("account.type.receivable", "=", True),
    ]
    if settled != "any":
        wanted.append(("reconciliation", "=" if settled == "open" else "!=", None))
    found = await rows(context, "account.move.line", _Item, wanted, Page(limit=_PAGE + 1))
    return ReceivableItems(items=[_item(item) for item in found[:_PAGE]], has_more=len(found) > _PAGE)


@connector.read(
    "receivable_aged",
    title="Aged balance of customers",
    data_classes=FINANCIAL,
    examples=[{"day": "2026-12-31"}, {"day": "2026-12-31", "days_1": 14, "days_2": 28, "days_3": 56}],
)
async def receivable_aged(
    context: Context, day: Day, days_1: Days = 30, days_2: Days = 60, days_3: Days = 90
) -> AgedBalance:
    """Say what each customer owes as seen on a day, grouped by how long it is overdue; Tryton computes it."""
    if not days_1 < days_2 < days_3:
        raise Refused("The age groups must grow: days_1 < days_2 < days_3.")
    asked = {
        "company": await company_of_account(context),
        "type": "customer",
        "date": encoded_day(day),
        "term1": days_1,
        "term2": days_2,
        "term3": days_3,
        "unit": "day",
        "posted": False,
    }
    names = fields_of(_Balance)
    # Its rows are computed, and so have no version: not one of `rows`.
    found = await context.rpc(
        "model.account.aged_balance.search_read", [], 0, None, None, names, asked, returns=list[_Balance]
    )
    customers = [_age(balance) for balance in found]
    return AgedBalance(day=day, days_1=days_1, days_2=days_2, days_3=days_3, customers=customers)


def _item(item: _Item) -> ReceivableItem:
    currency = item.move.company.currency
    return ReceivableItem(
        id=item.id,
        party_id=item.party.id if item.party else 0,
        party=item.party.rec_name if item.party else "",
        entry_date=item.entered,
        due_date=item.maturity_date,
        amount_minor=minor_units(item.debit - item.credit, currency.digits),
        currency=currency.code,
        entry=item.move.number or "",
        origin=item.origin.rec_name if item.origin else "",
        description=item.description or "",
        settled_by=item.reconciliation.rec_name if item.reconciliation else "",
    )


def _age(found: _Balance) -> Age:
    def minor(amount: Decimal | None) -> int:
        return minor_units(amount or Decimal(0), found.currency.digits)

    overdue = [minor(term) for term in (found.term0, found.term1, found.term2, found.term3)]
    return Age(
        party_id=found.party.id,
        party=found.party.rec_name,
        not_due_minor=minor(found.balance) - sum(overdue),
        overdue_1_minor=overdue[0],
        overdue_2_minor=overdue[1],
        overdue_3_minor=overdue[2],
        overdue_4_minor=overdue[3],
        balance_minor=minor(found.balance),
        currency=found.currency.code,
    )
