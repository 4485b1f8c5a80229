"""What the tools answer with: parties, products, sales and invoices, as agents and approvers read them."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""An id in Tryton."""

Limit = Annotated[int, Field(ge=1, le=100, description="At most so many records.")]
After = Annotated[int, Field(ge=0, le=2**31 - 1, description="Only records with a larger id: the last one of a page.")]
Text = Annotated[str, Field(max_length=200)]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")]
"""One line of text without blanks around it."""

Minor = Annotated[int, Field(description="In minor units of `currency`.")]
Stage = Literal["draft", "quotation", "confirmed", "cancelled"]
"""How far a sale has come; `confirmed` covers Tryton's confirmed, processing and done."""


class Answer(BaseModel):
    """Base of what tools answer with."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Contact(Answer):
    """A way to reach a party."""

    id: int
    party_id: int
    type: str
    value: str
    label: str


class Address(Answer):
    """A postal address of a party."""

    id: int
    street: str
    postal_code: str
    city: str
    country: str


class NewAddress(Answer):
    """The postal address of a new party."""

    street: Line | None = None
    postal_code: Line | None = None
    city: Line | None = None


class PartySummary(Answer):
    """A party as it stands in a list."""

    id: int
    code: str
    name: str
    is_active: bool


class Party(PartySummary):
    """A customer, supplier or other party. `payment_term_id` 0 means that it has none of its own."""

    contacts: list[Contact]
    addresses: list[Address]
    payment_term_id: int
    payment_term: str


class Parties(Answer):
    """A page of parties."""

    parties: list[PartySummary]
    has_more: bool


class PaymentTerm(Answer):
    """A term of payment that parties, sales and invoices may have."""

    id: int
    name: str


class PaymentTerms(Answer):
    """All terms of payment."""

    payment_terms: list[PaymentTerm]


class Product(Answer):
    """A product; `list_price` is in the company's currency, per `unit`, with the decimal places Tryton keeps."""

    id: int
    code: str
    name: str
    kind: str
    unit: str
    list_price: str
    is_salable: bool
    is_active: bool


class Products(Answer):
    """A page of products."""

    products: list[Product]
    has_more: bool


class SaleLine(Answer):
    """A line of a sale."""

    id: int
    product_id: int | None
    product: str
    quantity: str
    unit_price: str
    amount_minor: Minor


class SaleSummary(Answer):
    """A sale as it stands in a list."""

    id: int
    number: str
    reference: str
    stage: Stage
    state: str
    party_id: int
    party: str
    total_minor: Minor
    currency: str


class Sale(SaleSummary):
    """A sale with its lines and what has become of it."""

    untaxed_minor: Minor
    tax_minor: Minor
    quotation_date: date | None
    sale_date: date | None
    invoice_state: str
    shipment_state: str
    invoice_ids: list[int]
    shipment_ids: list[int]
    lines: list[SaleLine]


class Sales(Answer):
    """A page of sales."""

    sales: list[SaleSummary]
    has_more: bool


class InvoiceLine(Answer):
    """A line of an invoice."""

    id: int
    product_id: int | None
    description: str
    quantity: str
    unit_price: str
    amount_minor: Minor


class InvoiceSummary(Answer):
    """A customer invoice as it stands in a list; `reference` is the customer's own."""

    id: int
    number: str
    reference: str
    state: str
    party_id: int
    party: str
    total_minor: Minor
    currency: str
    invoice_date: date | None


class Invoice(InvoiceSummary):
    """A customer invoice with its lines; `to_pay_minor` is what is still open, 0 before it is posted."""

    untaxed_minor: Minor
    tax_minor: Minor
    to_pay_minor: Minor
    payment_term: str
    has_entry: bool
    lines: list[InvoiceLine]


class Invoices(Answer):
    """A page of customer invoices."""

    invoices: list[InvoiceSummary]
    has_more: bool
