"""A connector for the test upstream: one tool for each upstream class, and what each rests on."""

from typing import Annotated

from pydantic import BaseModel, Field

from connectors.sdk import (
    AuthSpec,
    Compensation,
    Connector,
    Context,
    Effect,
    Preview,
    Receipt,
    Refused,
    Reversal,
    SafeRule,
    Tier,
    UpstreamClass,
    at,
)

connector = Connector(
    "upstream",
    version="1.0.0",
    description="Items, tickets and notes of the test upstream.",
    auth=AuthSpec(kind="bearer", secret_fields=("token",)),
    safe=[SafeRule(method="GET")],
)

ItemId = Annotated[int, Field(ge=1, le=2**31, description="The item's number")]
Name = Annotated[str, Field(min_length=1, max_length=80, description="What it is called")]
Quantity = Annotated[int, Field(ge=0, le=1_000_000, description="How many there are")]


class Item(BaseModel):
    """Something in stock."""

    id: ItemId
    name: Name
    quantity: Quantity
    version: int


class ItemList(BaseModel):
    """Items found."""

    items: list[Item]


class Ticket(BaseModel):
    """A request for help; `reference` is the number its creator gave it."""

    id: int
    title: str
    reference: str


class TicketList(BaseModel):
    """Tickets found."""

    tickets: list[Ticket]


class Note(BaseModel):
    """A line of text."""

    id: int
    text: str


class Deleted(BaseModel):
    """What is gone."""

    id: ItemId


@connector.read("item_get", examples=[{"id": 1}])
async def item_get(context: Context, id: ItemId) -> Item:  # noqa: A002  # the argument's name is the tool's contract
    """Read one item."""
    return await context.get(at("items", id), Item)


@connector.read("item_find", examples=[{"name": "pen"}])
async def item_find(context: Context, name: str = "") -> ItemList:
    """Find the items whose name contains some text."""
    return await context.get("/items", ItemList, query={"name": name})


@connector.write(
    "item_put",
    effect=Effect.CREATE,
    tier=Tier.MEDIUM,
    tier_when={Tier.HIGH: "input.quantity > 500000"},
    upstream_class=UpstreamClass.A,
    reversal=Reversal.EXACT,
    compensation=Compensation(tool="item_delete", arguments={"id": "/input/id"}, kind=Reversal.EXACT),
    examples=[{"id": 2, "name": "ruler", "quantity": 3}],
    facts={"quantity": "/quantity"},
)
async def item_put(context: Context, id: ItemId, name: Name, quantity: Quantity) -> Item:  # noqa: A002  # see item_get
    """Add an item under a number that is free."""
    item = {"name": name, "quantity": quantity}
    return await context.put(at("items", id), item, Item, idempotency_key=context.key)


@item_put.preview
async def _(context: Context, id: ItemId, name: Name, quantity: Quantity) -> Preview:  # noqa: A002  # see item_get
    del context
    item = Item(id=id, name=name, quantity=quantity, version=1)
    return Preview.create(f"items/{id}", item)


@item_put.observe
async def _(context: Context, receipt: Receipt[Item]) -> dict[str, Item]:
    return {f"items/{receipt.output.id}": await item_get(context, receipt.output.id)}


@connector.write(
    "item_update",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="item_update",
        arguments={"id": "/input/id", "name": "/before/0/name", "quantity": "/before/0/quantity"},
        kind=Reversal.EXACT,
    ),
    volatile=["version"],
    examples=[{"id": 1, "quantity": 12}],
    facts={"quantity": "/quantity"},
)
async def item_update(
    context: Context,
    id: ItemId,  # noqa: A002  # see item_get
    name: Name | None = None,
    quantity: Quantity | None = None,
) -> Item:
    """Change the name or the quantity of an item."""
    del name, quantity
    changes = context.given("name", "quantity")
    return await context.patch(at("items", id), changes, Item, if_match=context.guard[f"items/{id}"])


@item_update.preview
async def _(context: Context, id: ItemId) -> Preview:  # noqa: A002  # see item_get
    before = await item_get(context, id)
    changes = context.given("name", "quantity")
    return Preview.update(f"items/{id}", before, changes, guard=f'"{before.version}"', unknown=["version"])


@item_update.observe
async def _(context: Context, receipt: Receipt[Item]) -> dict[str, Item]:
    return {f"items/{receipt.output.id}": await item_get(context, receipt.output.id)}


@connector.write("item_delete", effect=Effect.DELETE, tier=Tier.HIGH, upstream_class=UpstreamClass.B)
async def item_delete(context: Context, id: ItemId) -> Deleted:  # noqa: A002  # see item_get
    """Remove an item; its history is lost."""
    await context.delete(at("items", id), if_match=context.guard[f"items/{id}"])
    return Deleted(id=id)


@item_delete.preview
async def _(context: Context, id: ItemId) -> Preview:  # noqa: A002  # see item_get
    before = await item_get(context, id)
    return Preview.delete(f"items/{id}", before, guard=f'"{before.version}"')


@connector.write(
    "ticket_create",
    effect=Effect.CREATE,
    tier=Tier.HIGH,
    upstream_class=UpstreamClass.C,
    quarantine_seconds=30,
    volatile=["id", "reference"],
    examples=[{"title": "The pencil broke"}],
)
async def ticket_create(context: Context, title: Name) -> Ticket:
    """Open a ticket."""
    return await context.post("/tickets", {"title": title, "reference": context.key}, Ticket)


@ticket_create.preview
async def _(context: Context, title: Name) -> Preview:
    del context
    return Preview.create("tickets/new", {"title": title}, unknown=["id", "reference"])


@ticket_create.lookup
async def _(context: Context) -> Ticket | None:
    found = await context.get("/tickets", TicketList, query={"reference": context.key})
    return next(iter(found.tickets), None)


@ticket_create.observe
async def _(context: Context, receipt: Receipt[Ticket]) -> dict[str, Ticket | None]:
    found = await context.get("/tickets", TicketList, query={"reference": receipt.output.reference})
    return {"tickets/new": next(iter(found.tickets), None)}


@connector.write("note_post", effect=Effect.SEND, tier=Tier.HIGH, examples=[{"text": "Back at noon"}])
async def note_post(context: Context, text: Name) -> Note:
    """Post a note that everybody reads at once."""
    return await context.post("/notes", {"text": text}, Note)


@note_post.check
async def _(context: Context, text: Name) -> None:
    pencils = await item_get(context, 1)
    if pencils.quantity == 0 and "pencil" in text:
        raise Refused("There are no pencils to speak of.")


@note_post.preview
async def _(context: Context, text: Name) -> Preview:
    del context
    return Preview.send("notes", {"text": text}, unknown=["id"])
