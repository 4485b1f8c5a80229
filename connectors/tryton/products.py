"""Products: finding and reading them."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from connectors.sdk import Context, NotFound, Refused
from connectors.tryton.drafts import Quantity
from connectors.tryton.records import After, Answer, Id, Limit, Product, Products, Text
from connectors.tryton.rows import Named, Page, Row, company_of_account, containing, row, rows
from connectors.tryton.system import connector

Json = Any
"""Any JSON value."""

PRODUCT = "product.product"
AnyParty = Annotated[int, Field(ge=0, le=2**31 - 1, description="0 for the price to anybody.")]


class _Product(Row):
    rec_name: str
    name: str | None
    code: str | None
    type: str
    active: bool
    salable: bool
    list_price_used: Decimal | None
    unit: Named = Field(alias="default_uom.")


class _Priced(Row):
    rec_name: str
    salable: bool
    sale_price_uom: Decimal | None
    unit: Named | None = Field(alias="sale_uom.")


class _Customer(Row):
    sale_price_list: int | None


class ProductPrice(Answer):
    """At what price so many of a product would be sold; `price_list_id` 0 means that no price list counted."""

    product_id: int
    product: str
    quantity: str
    unit: str
    unit_price: str
    price_list_id: int


@connector.read("product_find", title="Find products", examples=[{"text": "desk"}])
async def product_find(context: Context, text: Text = "", limit: Limit = 20, after: After = 0) -> Products:
    """Find products whose name or code contains a text; archived ones are listed too.

    Without a text all are listed. For the next page give `after`: the id of the last product you have.
    """
    wanted = [["OR", containing("template.name", text), containing("code", text)]] if text else []
    page = Page(limit=limit + 1, company=await company_of_account(context))
    found = await rows(context, PRODUCT, _Product, [("id", ">", after), *wanted], page)
    return Products(products=[_product(product) for product in found[:limit]], has_more=len(found) > limit)


@connector.read("product_get", title="Read a product", examples=[{"product_id": 1}])
async def product_get(context: Context, product_id: Id) -> Product:
    """Read one product."""
    page = Page(company=await company_of_account(context))
    found = await rows(context, PRODUCT, _Product, [("id", "=", product_id)], page)
    if not found:
        raise NotFound(f"There is no product {product_id} in Tryton.")
    return _product(found[0])


@connector.read(
    "product_price",
    title="Price of a product for a customer",
    examples=[{"product_id": 1, "party_id": 4, "quantity": "10"}, {"product_id": 1}],
)
async def product_price(
    context: Context, product_id: Id, party_id: AnyParty = 0, quantity: Quantity = "1"
) -> ProductPrice:
    """Say at what price Tryton would sell so many of a product to a customer today, without tax.

    Where price lists are installed, the customer's price list counts; the list price else.
    """
    company = await company_of_account(context)
    price_list = await _price_list_of(context, party_id) if party_id else None
    known = {"customer": party_id or None, "quantity": float(quantity), "price_list": price_list}
    page = Page(company=company, more={name: value for name, value in known.items() if value is not None})
    found = await rows(context, PRODUCT, _Priced, [("id", "=", product_id)], page)
    if not found:
        raise NotFound(f"There is no product {product_id} in Tryton.")
    price, unit = found[0].sale_price_uom, found[0].unit
    if price is None or not found[0].salable:
        raise Refused(f"Product {product_id} is not for sale.")
    return ProductPrice(
        product_id=product_id,
        product=found[0].rec_name,
        quantity=quantity,
        unit=unit.rec_name if unit else "",
        unit_price=format(price, "f"),
        price_list_id=price_list or 0,
    )


async def _price_list_of(context: Context, party_id: int) -> int | None:
    """Return the price list of a customer, or None if it has none or price lists are not installed."""
    fields = await context.rpc("model.party.party.fields_get", ["sale_price_list"], 0, {}, returns=dict[str, Json])
    if "sale_price_list" not in fields:
        await row(context, "party.party", Row, party_id, called="party")
        return None
    return (await row(context, "party.party", _Customer, party_id, called="party")).sale_price_list


def _product(product: _Product) -> Product:
    return Product(
        id=product.id,
        code=product.code or "",
        name=product.name or product.rec_name,
        kind=product.type,
        unit=product.unit.rec_name,
        list_price="" if product.list_price_used is None else format(product.list_price_used, "f"),
        is_salable=product.salable,
        is_active=product.active,
    )
