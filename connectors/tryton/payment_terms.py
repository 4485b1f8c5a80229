"""The payment term that a customer has of its own."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import (
    Compensation,
    Context,
    Effect,
    NotFound,
    Preview,
    Receipt,
    Refused,
    Reversal,
    Tier,
    UpstreamClass,
)
from connectors.tryton.parties import PARTY, party_get
from connectors.tryton.records import Id, Party, PaymentTerm, PaymentTerms
from connectors.tryton.rows import Row, row, rows, target
from connectors.tryton.system import connector
from connectors.tryton.writing import changed, read_back, write

TERM = "account.invoice.payment_term"
TermOrNone = Annotated[int, Field(ge=0, le=2**31 - 1, description="0 takes the customer's own payment term away.")]


class _Term(Row):
    name: str
    active: bool


class _Pointed(BaseModel):
    id: int
    name: str


class _Customer(Row):
    name: str | None
    active: bool
    term: _Pointed | None = Field(alias="customer_payment_term.")


class _Terms(BaseModel):
    """What a change of the payment term is about."""

    model_config = ConfigDict(frozen=True)

    party: str
    payment_term_id: int
    payment_term: str


@connector.read("payment_term_find", title="List payment terms", examples=[{}])
async def payment_term_find(context: Context) -> PaymentTerms:
    """List the terms of payment that a customer may have."""
    found = await rows(context, TERM, _Term, [("active", "=", True)])
    return PaymentTerms(payment_terms=[PaymentTerm(id=term.id, name=term.name) for term in found])


@connector.write(
    "party_payment_term_set",
    title="Set a customer's payment term",
    effect=Effect.UPDATE,
    tier=Tier.HIGH,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="party_payment_term_set",
        arguments={"party_id": "/input/party_id", "payment_term_id": "/before/0/payment_term_id"},
        kind=Reversal.EXACT,
    ),
    facts={"payment_term_id": "/payment_term_id"},
    examples=[{"party_id": 3, "payment_term_id": 4}, {"party_id": 3, "payment_term_id": 0}],
)
async def party_payment_term_set(context: Context, party_id: Id, payment_term_id: TermOrNone) -> Party:
    """Give a customer a payment term of its own, for new sales and invoices; existing ones keep theirs."""
    await _name_of(context, payment_term_id)  # Tryton itself would keep the id of a term that does not exist
    await write(context, PARTY, party_id, {"customer_payment_term": payment_term_id or None})
    return await read_back(party_get, context, party_id)


@party_payment_term_set.preview
async def _(context: Context, party_id: int, payment_term_id: int) -> Preview:
    customer = await row(context, PARTY, _Customer, party_id, called="party")
    if not customer.active:
        raise Refused(f"Party {party_id} is archived; Tryton changes no payment term of an archived party.")
    after = {"payment_term_id": payment_term_id, "payment_term": await _name_of(context, payment_term_id)}
    not_covered = "how much money the new term makes due later or sooner"
    return changed(PARTY, customer, _terms(customer), after, not_covered)


@party_payment_term_set.observe
async def _(context: Context, receipt: Receipt[Party]) -> Mapping[str, BaseModel]:
    customer = await row(context, PARTY, _Customer, receipt.input["party_id"], called="party")
    return {target(PARTY, customer.id): _terms(customer)}


async def _name_of(context: Context, payment_term_id: int) -> str:
    if not payment_term_id:
        return ""
    term = await row(context, TERM, _Term, payment_term_id, called="payment term")
    if not term.active:
        raise NotFound(f"Payment term {payment_term_id} ({term.name}) is archived in Tryton.")
    return term.name


def _terms(customer: _Customer) -> _Terms:
    term = customer.term
    return _Terms(
        party=customer.name or "",
        payment_term_id=term.id if term else 0,
        payment_term=term.name if term else "",
    )
