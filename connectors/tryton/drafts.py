"""Drafts of sales and invoices: their lines as callers give them, and what Tryton fills in, asked without writing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import Context, NotFound, Refused
from connectors.tryton.records import Answer, Id
from connectors.tryton.rows import Page, Row, rows
from connectors.tryton.values import encoded

Json = Any
"""Any JSON value."""

Quantity = Annotated[
    str,
    Field(
        pattern=r"^([1-9]\d{0,8}(\.\d{1,4})?|0\.\d{0,3}[1-9])$",
        description="More than 0, in the product's sales unit: 2.5",
    ),
]
Price = Annotated[str, Field(pattern=r"^\d{1,12}(\.\d{1,4})?$", description="Per unit, without tax: 480.00")]
MOST_LINES = 20


class NewLine(Answer):
    """A line of a new document. Without a unit price Tryton sets its own: list price, price list, customer."""

    product_id: Id
    quantity: Quantity
    unit_price: Price | None = None


Lines = Annotated[list[NewLine], Field(min_length=1, max_length=MOST_LINES)]


class ShownLine(BaseModel):
    """A line as previews show it."""

    model_config = ConfigDict(frozen=True)

    product_id: int | None
    product: str
    quantity: str
    unit_price: str
    amount_minor: int


class Totals(BaseModel):
    """What lines add up to."""

    untaxed_amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of document: its model, that of its lines, and how they call it."""

    model: str
    line: str
    parent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A line as Tryton fills it in: `values` to create it, `counted` to add it up."""

    product: str
    price: Decimal
    amount: Decimal
    values: Mapping[str, Json]
    counted: Mapping[str, Json]

    def shown(self, minor: Callable[[Decimal], int]) -> ShownLine:
        """Return the line as previews show it."""
        return ShownLine(
            product_id=self.values["product"],
            product=self.product,
            quantity=quantity_text(self.values["quantity"]),
            unit_price=price_text(self.price),
            amount_minor=minor(self.amount),
        )


class Unit(Row):
    """A unit of measure."""

    rec_name: str
    digits: int


class _Product(Row):
    rec_name: str
    active: bool
    salable: bool
    unit: Unit | None = Field(alias="sale_uom.")


class _Added(BaseModel):
    id: int


class _List(BaseModel):
    add: list[tuple[int, _Added]] = []


class _Filled(BaseModel):
    unit_price: Decimal | None = None
    account: int | None = None
    taxes: _List | list[int] = _List()

    @property
    def tax_ids(self) -> list[int]:
        """Return the taxes of the line."""
        return self.taxes if isinstance(self.taxes, list) else sorted(tax.id for _, tax in self.taxes.add)


class _Amount(BaseModel):
    amount: Decimal


class _Offered(Row):
    sale_price_uom: Decimal | None


async def priced(context: Context, kind: Kind, document: Mapping[str, Json], line: NewLine) -> Priced:
    """Return `line` as Tryton fills it in for `document`; nothing is kept.

    Raises:
        NotFound: there is no such product.
        Refused: it is archived or not for sale.
    """
    product = await _salable(context, line.product_id)
    # Prices are per sales unit; left to itself an invoice would count in the unit that stock is kept in.
    unit = {} if product.unit is None else {"unit": product.unit.id}
    about = {"type": "line", "product": line.product_id, "quantity": float(line.quantity), **unit}
    asked = {**about, **seen(kind, document)}
    company = {"company": document["company"]}
    filled = await context.rpc(f"model.{kind.line}.on_change_product", asked, company, returns=_Filled)
    price = await _price(context, document, line, filled)
    if product.unit is not None:
        check_quantity(line.quantity, product.unit)
    amount = await amount_of(context, kind, document, (float(line.quantity), price))
    account = {} if filled.account is None else {"account": filled.account}
    values: dict[str, Json] = {**about, **account, "unit_price": encoded(price)}
    return Priced(
        product=product.rec_name,
        price=price,
        amount=amount,
        values={**values, "taxes": [["add", filled.tax_ids]]},
        counted={**values, "taxes": filled.tax_ids, "amount": encoded(amount)},
    )


def seen(kind: Kind, document: Mapping[str, Json]) -> dict[str, Json]:
    """Return what Tryton is told of `document` when it fills in one of its lines."""
    parent = {f"_parent_{kind.parent}.{name}": value for name, value in document.items()}
    return {"company": document["company"], "currency": document["currency"], **parent}


async def amount_of(context: Context, kind: Kind, document: Mapping[str, Json], line: tuple[float, Decimal]) -> Decimal:
    """Return the amount of a line of so many at such a price, with Tryton's own rounding."""
    quantity, price = line
    asked = {"type": "line", "quantity": quantity, "unit_price": encoded(price), **seen(kind, document)}
    company = {"company": document["company"]}
    found = await context.rpc(f"model.{kind.line}.on_change_with_amount", asked, company, returns=_Amount)
    return found.amount


async def totals(
    context: Context, kind: Kind, document: Mapping[str, Json], counted: Sequence[Mapping[str, Json]]
) -> Totals:
    """Return what lines of `document` add up to, with Tryton's own rounding of taxes; nothing is kept."""
    asked = {**document, "lines": [dict(line) for line in counted]}
    company = {"company": document["company"]}
    return await context.rpc(f"model.{kind.model}.on_change_lines", asked, company, returns=Totals)


def check_quantity(quantity: str, unit: Unit) -> None:
    """Return if `unit` may be divided as finely as `quantity` does.

    Raises:
        Refused: it may not.
    """
    if len(quantity.partition(".")[2]) > unit.digits:
        places = f"{unit.digits} decimal places" if unit.digits else "whole numbers only"
        raise Refused(f"Quantity {quantity} is too fine: {unit.rec_name} takes {places}.")


def price_text(price: Decimal | None) -> str:
    """Return a price as a text with the four decimal places that Tryton keeps of prices, or more if it keeps more."""
    return format((price or Decimal(0)).quantize(Decimal("0.0001")), "f")


def quantity_text(quantity: float | None) -> str:
    """Return a quantity as a text, without an exponent or zeros at the end."""
    plain = format(Decimal(str(quantity or 0)), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


async def _price(context: Context, document: Mapping[str, Json], line: NewLine, filled: _Filled) -> Decimal:
    """Return the price that the caller gave, else the one Tryton filled in, else the one it sells the product at."""
    if line.unit_price is not None:
        return Decimal(line.unit_price)
    if filled.unit_price is not None:
        return filled.unit_price
    for_whom = {"customer": document["party"], "quantity": float(line.quantity), "currency": document["currency"]}
    page = Page(company=document["company"], more=for_whom)
    offered = await rows(context, "product.product", _Offered, [("id", "=", line.product_id)], page)
    if not offered or offered[0].sale_price_uom is None:
        raise Refused(f"Tryton has no price for product {line.product_id}; give a unit_price.")
    return offered[0].sale_price_uom


async def _salable(context: Context, product_id: int) -> _Product:
    found = await rows(context, "product.product", _Product, [("id", "=", product_id)], Page(limit=1))
    if not found:
        raise NotFound(f"There is no product {product_id} in Tryton.")
    if not found[0].active or not found[0].salable:
        raise Refused(f"Product {product_id} ({found[0].rec_name}) is archived or not for sale.")
    return found[0]
