"""Changing list prices on a real Tryton: where a price stands, for whom it counts, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from connectors.sdk.run import Failed
from connectors.tryton.tests.desk import Bench
from connectors.tryton_server import Person
from connectors.tryton_server.office import Office, decimal

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]

Json = Any


def with_own_price(office: Office) -> int:
    product = office.product()
    office.clerk.write("product.product", product, list_price=decimal("500.00"))
    return product


def archived(office: Office) -> int:
    product = office.product()
    office.clerk.write("product.product", product, active=False)
    return product


def without_price(office: Office) -> int:
    unit = office.clerk.ids("product.uom", ["name", "=", "Unit"])[0]
    lines = [["create", [{}]]]
    made = office.clerk.create("product.template", name="Felt", type="goods", default_uom=unit, products=lines)
    return office.first_of("product.template", made, "products")


async def test_a_price_is_changed_where_it_stands_and_for_all_that_share_it(bench: Bench, office: Office) -> None:
    product = office.product()
    template = office.clerk.read("product.product", product, "template")["template"]
    office.clerk.create("product.product", template=template)

    preview = await bench.foresee("product_price_set", product_id=product, list_price="495.00")
    changed = await bench.carry_out("product_price_set", preview, product_id=product, list_price="495.00")

    (change,) = preview.changes
    assert change.target == f"product.template/{template}"
    assert (change.before, change.after) == (
        {"product": "Cork board", "list_price": "480.00", "products": 2},
        {"product": "Cork board", "list_price": "495.00", "products": 2},
    )
    assert changed["list_price"] == "495.00"


async def test_a_product_with_a_price_of_its_own_is_changed_alone(bench: Bench, office: Office, clerk: Person) -> None:
    product = with_own_price(office)
    template = clerk.read("product.product", product, "template")["template"]

    preview = await bench.foresee("product_price_set", product_id=product, list_price="510.00")
    await bench.carry_out("product_price_set", preview, product_id=product, list_price="510.00")

    assert preview.changes[0].target == f"product.product/{product}"
    assert clerk.read("product.template", template, "list_price")["list_price"] == decimal("480.00")
    assert clerk.read("product.product", product, "list_price")["list_price"] == decimal("510.00")


async def test_a_price_of_its_own_given_after_the_preview_stops_the_change(bench: Bench, office: Office) -> None:
    product = office.product()
    preview = await bench.foresee("product_price_set", product_id=product, list_price="495.00")
    office.clerk.write("product.product", product, list_price=decimal("500.00"))

    refusal = await bench.refusal("product_price_set", preview, product_id=product, list_price="495.00")

    assert refusal.code == "upstream_refused"
    assert office.clerk.read("product.product", product, "list_price")["list_price"] == decimal("500.00")


@pytest.mark.parametrize(
    ("product", "says"),
    [(archived, "is archived"), (without_price, "no list price yet"), (Office.product, "480.00 already")],
    ids=["archived", "without a price", "the same price"],
)
async def test_a_price_that_cannot_be_or_changes_nothing_is_refused_in_the_preview(
    bench: Bench, office: Office, product: Callable[[Office], int], says: str
) -> None:
    result = await bench.preview("product_price_set", product_id=product(office), list_price="480.0")

    assert isinstance(result, Failed), result
    assert result.code == "upstream_refused"
    assert says in result.message
