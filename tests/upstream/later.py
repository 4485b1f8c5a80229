"""A later release of the connector for the test upstream: one write as before, one that differs, one that asks more."""

from typing import Annotated

from pydantic import BaseModel, Field

from connectors.sdk import (
    AuthSpec,
    Connector,
    Context,
    Effect,
    Preview,
    Reversal,
    SafeRule,
    Tier,
    UpstreamClass,
    at,
)
from upstream.connector import Item, ItemId, ItemList, Name, Quantity

later = Connector(
    "upstream",
    version="2.0.0",
    description="Items of the test upstream.",
    auth=AuthSpec(kind="bearer", secret_fields=("token",)),
    safe=[SafeRule(method="GET")],
)


class Deleted(BaseModel):
    """What is gone."""

    id: ItemId


@later.read("item_get", examples=[{"id": 1}])
async def item_get(context: Context, id: ItemId) -> Item:  # noqa: A002  # the argument's name is the tool's contract
    """Read one item."""
    return await context.get(at("items", id), Item)


@later.write("item_put", effect=Effect.CREATE, tier=Tier.MEDIUM, upstream_class=UpstreamClass.A)
async def item_put(context: Context, id: ItemId, name: Name, quantity: Quantity) -> Item:  # noqa: A002  # see item_get
    """Add an item under a number that is free."""
    item = {"name": name, "quantity": quantity}
    return await context.put(at("items", id), item, Item, idempotency_key=context.key)


@item_put.preview
async def _(context: Context, id: ItemId, name: Name, quantity: Quantity) -> Preview:  # noqa: A002  # see item_get
    del context
    return Preview.create(f"items/{id}", Item(id=id, name=name, quantity=quantity, version=1))


Dozens = Annotated[int, Field(ge=0, le=1_000_000, description="How many dozens there are")]


@later.write(
    "item_update",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.NONE,
)
async def item_update(context: Context, id: ItemId, quantity: Dozens) -> Item:  # noqa: A002  # see item_get
    """Change the quantity of an item, in dozens."""
    return await context.patch(
        at("items", id), {"quantity": quantity * 12}, Item, if_match=context.guard[f"items/{id}"]
    )


@item_update.preview
async def _(context: Context, id: ItemId, quantity: Dozens) -> Preview:  # noqa: A002  # see item_get
    before = await item_get(context, id)
    changes = {"quantity": quantity * 12}
    return Preview.update(f"items/{id}", before, changes, guard=f'"{before.version}"', unknown=["version"])


@later.write("item_delete", effect=Effect.DELETE, tier=Tier.HIGH, upstream_class=UpstreamClass.B)
async def item_delete(context: Context, id: ItemId) -> Deleted:  # noqa: A002  # see item_get
    """Remove an item, once it is known what else is there."""
    await context.delete(at("items", id), if_match=context.guard[f"items/{id}"])
    return Deleted(id=id)


@item_delete.preview
async def _(context: Context, id: ItemId) -> Preview:  # noqa: A002  # see item_get
    await context.get("/items", ItemList, query={"name": ""})
    before = await item_get(context, id)
    return Preview.delete(f"items/{id}", before, guard=f'"{before.version}"')
