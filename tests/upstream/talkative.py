"""A connector for the test upstream whose refusals quote what stands in the records."""

from connectors.sdk import AuthSpec, Conflict, Connector, Context, Effect, Preview, Refused, SafeRule, Tier, at
from upstream.connector import Item, ItemId, Name

connector = Connector(
    "talkative",
    version="1.0.0",
    description="Says whom its records are about.",
    auth=AuthSpec(kind="bearer", secret_fields=("token",)),
    safe=[SafeRule(method="GET")],
)


@connector.read("refuses_to_read")
async def refuses_to_read(context: Context, id: ItemId) -> Item:  # noqa: A002  # the tool's contract
    """Read an item, and refuse to tell of it."""
    item = await context.get(at("items", id), Item)
    raise Refused(f"{item.name} does not wish to be read about.")


@connector.write("refuses_to_look_ahead", effect=Effect.CREATE, tier=Tier.HIGH)
async def refuses_to_look_ahead(context: Context, id: ItemId, name: Name) -> Item:  # noqa: A002  # see above
    """Add an item; only its preview is ever asked for."""
    return await context.put(at("items", id), {"name": name, "quantity": 1}, Item)


@refuses_to_look_ahead.preview
async def _(context: Context, id: ItemId, name: Name) -> Preview:  # noqa: A002  # see above
    await context.get("/items", dict[str, object], query={"name": name})
    raise Refused(f"{name} is not to become number {id}.")


@connector.write("refuses_to_write", effect=Effect.CREATE, tier=Tier.HIGH, facts={"name": "/name"})
async def refuses_to_write(context: Context, id: ItemId, name: Name) -> Item:  # noqa: A002  # see above
    """Add an item, and find before anything is sent that it will not do."""
    raise Refused(f"{name} is not to become number {id} of {context.key}.")


@refuses_to_write.preview
async def _(context: Context, id: ItemId, name: Name) -> Preview:  # noqa: A002  # see above
    del context
    return Preview.create(f"items/{id}", {"name": name, "quantity": 1}, unknown=["version"])


@connector.write("passes_a_no_on", effect=Effect.CREATE, tier=Tier.HIGH)
async def passes_a_no_on(context: Context, id: ItemId, name: Name) -> Item:  # noqa: A002  # see above
    """Add an item under a number that is taken, and say whom the system did not want."""
    try:
        return await context.put(at("items", id), {"name": name, "quantity": 1}, Item)
    except (Conflict, Refused) as no:
        raise Refused(f"{name} is not wanted.") from no


@passes_a_no_on.preview
async def _(context: Context, id: ItemId, name: Name) -> Preview:  # noqa: A002  # see above
    item = await context.get(at("items", id), Item)
    if item.quantity == 0:
        raise Refused(f"{item.name} is sold out.")
    return Preview.create(f"items/{id}", {"name": name, "quantity": 1}, unknown=["version"])
