"""Products: finding and reading them."""

from decimal import Decimal

from pydantic import Field

from connectors.sdk import Context, NotFound
from connectors.tryton.records import After, Id, Limit, Product, Products, Text
from connectors.tryton.rows import Named, Page, Row, company_of_account, containing, rows
from connectors.tryton.system import connector

PRODUCT = "product.product"


class _Product(Row):
    rec_name: str
    name: str | None
    code: str | None
    type: str
    active: bool
    salable: bool
    list_price_used: Decimal | None
    unit: Named = Field(alias="default_uom.")


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
