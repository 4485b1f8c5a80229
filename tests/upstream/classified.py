"""A connector for the test upstream that says which of its fields are personal, for tests of recordings."""

from contextlib import suppress
from typing import Annotated

from pydantic import BaseModel, Field

from connectors.sdk import (
    AuthSpec,
    Compensation,
    Connector,
    ConnectorError,
    Context,
    Effect,
    Preview,
    Receipt,
    Reversal,
    SafeRule,
    Tier,
    UpstreamClass,
    at,
)
from upstream.connector import ItemId, Quantity

connector = Connector(
    "classified",
    version="1.0.0",
    description="Items that are called after people.",
    auth=AuthSpec(kind="bearer", secret_fields=("token",)),
    safe=[SafeRule(method="GET")],
)

Owner = Annotated[str, Field(max_length=80, json_schema_extra={"x-data-class": "personal"})]


class Item(BaseModel):
    """An item that is called after its owner."""

    id: ItemId
    name: Owner
    quantity: Annotated[int, Field(ge=0, le=2**31, json_schema_extra={"x-secret": True})]
    version: int


class Items(BaseModel):
    """Items found."""

    items: list[Item]


@connector.read("item_of", tier=Tier.MEDIUM, data_classes=["personal"])
async def item_of(context: Context, name: Owner) -> Items:
    """Find the items of somebody."""
    return await context.get("/items", Items, query={"name": name})


async def item(context: Context, number: int) -> Item:
    """Read one."""
    return await context.get(at("items", number), Item)


@connector.write(
    "item_give",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="item_give",
        arguments={"id": "/input/id", "name": "/before/0/name", "quantity": "/before/0/quantity"},
        kind=Reversal.EXACT,
    ),
    volatile=["version"],
)
async def item_give(context: Context, id: ItemId, name: Owner, quantity: Quantity) -> Item:  # noqa: A002  # the contract
    """Give an item to somebody else."""
    changed = {"name": name, "quantity": quantity}
    return await context.patch(at("items", id), changed, Item, if_match=context.guard[f"items/{id}"])


@item_give.preview
async def _(context: Context, id: ItemId) -> Preview:  # noqa: A002  # see above
    before = await item(context, id)
    changed, guard = context.given("name", "quantity"), f'"{before.version}"'
    return Preview.update(f"items/{id}", before, changed, guard=guard, unknown=["version"])


@item_give.observe
async def _(context: Context, receipt: Receipt[Item]) -> dict[str, Item]:
    return {f"items/{receipt.output.id}": await item(context, receipt.output.id)}


unclear = Connector(
    "unclear",
    version="1.0.0",
    description="Says that it has personal data, and not where.",
    safe=[SafeRule(method="GET")],
)


class Anything(BaseModel):
    """Something about somebody."""

    text: str


@unclear.read("anything_get", tier=Tier.MEDIUM, data_classes=["personal"])
async def anything_get(context: Context) -> Anything:
    """Read something."""
    return await context.get("/items", Anything)


telling = Connector(
    "telling",
    version="1.0.0",
    description="Falls over where there is no item.",
    auth=AuthSpec(kind="bearer", secret_fields=("token",)),
    safe=[SafeRule(method="GET")],
)


@telling.read("item_name", examples=[{"id": 1}])
async def item_name(context: Context, id: ItemId) -> Anything:  # noqa: A002  # see above
    """Read how an item is called."""
    names = dict[int, str]()
    with suppress(ConnectorError):
        names[id] = (await item(context, id)).name
    return Anything(text=names[id])
