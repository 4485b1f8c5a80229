"""The list price of a product: changing it, and changing it back."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import (
    Blast,
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
from connectors.tryton.drafts import Price
from connectors.tryton.products import PRODUCT, product_get
from connectors.tryton.records import Id, Product
from connectors.tryton.rows import (
    Named,
    Page,
    Row,
    check_computed,
    company_of_account,
    computed,
    rows,
    strong,
    target,
)
from connectors.tryton.system import connector
from connectors.tryton.values import encoded
from connectors.tryton.writing import read_back, write

Json = Any
"""Any JSON value."""

TEMPLATE = "product.template"

_NOT_COVERED = ("documents that have their prices already: they keep them", "price lists that rest on the list price")


class _Template(Row):
    rec_name: str
    list_price: Decimal | None
    products: list[int]


class _Variant(Row):
    rec_name: str
    active: bool
    list_price: Decimal | None
    template: Named = Field(alias="template.")


class _Face(BaseModel):
    """A list price as previews show it: for how many products it counts."""

    model_config = ConfigDict(frozen=True)

    product: str
    list_price: str
    products: int


class _Priced(BaseModel):
    """Where the list price of a product stands: at the product itself, or at its template for all that have no own."""

    model_config = ConfigDict(frozen=True)

    model: str
    record: Row
    face: _Face
    company: int

    @property
    def target(self) -> str:
        """Return how previews call it."""
        return target(self.model, self.record.id)

    @property
    def price(self) -> str:
        """Return how the guard calls what is written: Tryton keeps it in a row of its own."""
        return f"{self.target}/list price"


@connector.write(
    "product_price_set",
    title="Change the list price of a product",
    effect=Effect.UPDATE,
    tier=Tier.HIGH,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="product_price_set",
        arguments={"product_id": "/input/product_id", "list_price": "/before/0/list_price"},
        kind=Reversal.EXACT,
    ),
    facts={"product_id": "/product_id"},
    examples=[{"product_id": 1, "list_price": "495.00"}],
)
async def product_price_set(context: Context, product_id: Id, list_price: Price) -> Product:
    """Change the list price of a product, in the company's currency, per unit, without tax.

    Products that are variants of one template share its price, unless they have one of their own: the preview says how
    many it is for.
    """
    priced = await _priced(context, product_id)
    check_computed(context, priced.price, priced.face.list_price)
    values = {"list_price": encoded(Decimal(list_price))}
    await write(context, priced.model, priced.record.id, values, company=priced.company)
    return await read_back(product_get, context, product_id)


@product_price_set.preview
async def _(context: Context, product_id: int, list_price: str) -> Preview:
    priced = await _priced(context, product_id)
    if Decimal(priced.face.list_price) == Decimal(list_price):
        raise Refused(f"Product {product_id} has the list price {priced.face.list_price} already.")
    preview = Preview.update(
        priced.target,
        priced.face,
        {"list_price": _text(Decimal(list_price))},
        blast=Blast(rows=1),
        not_covered=_NOT_COVERED,
    )
    guards = (strong(priced.model, priced.record), computed(priced.price, priced.face.list_price))
    return preview.model_copy(update={"preconditions": guards})


@product_price_set.observe
async def _(context: Context, receipt: Receipt[Product]) -> Mapping[str, BaseModel]:
    priced = await _priced(context, receipt.input["product_id"])
    return {priced.target: priced.face}


async def _priced(context: Context, product_id: int) -> _Priced:
    company = await company_of_account(context)
    if company is None:
        raise Refused("The connection's account works in no company; its preferences in Tryton must name one.")
    page = Page(company=company)
    found = await rows(context, PRODUCT, _Variant, [("id", "=", product_id)], page)
    if not found:
        raise NotFound(f"There is no product {product_id} in Tryton.")
    (variant,) = found
    if not variant.active:
        raise Refused(f"Product {product_id} ({variant.rec_name}) is archived; nobody buys at its price.")
    if variant.list_price is not None:
        face = _Face(product=variant.rec_name, list_price=_text(variant.list_price), products=1)
        return _Priced(model=PRODUCT, record=variant, face=face, company=company)
    (template,) = await rows(context, TEMPLATE, _Template, [("id", "=", variant.template.id)], page)
    if template.list_price is None:
        raise Refused(f"Product {product_id} ({variant.rec_name}) has no list price yet; give it its first in Tryton.")
    siblings = await rows(context, PRODUCT, _Variant, [("template", "=", template.id)], page)
    shares = sum(1 for one in siblings if one.list_price is None)
    face = _Face(product=template.rec_name, list_price=_text(template.list_price), products=shares)
    return _Priced(model=TEMPLATE, record=template, face=face, company=company)


def _text(price: Decimal) -> str:
    # With the decimal places it was given: with others it would be written back as another text.
    return format(price, "f")
