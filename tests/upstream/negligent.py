"""A second connector for the test upstream that keeps no promise: what `careless` leaves unbroken is broken here."""

from contextlib import suppress
from functools import partial
from typing import Annotated

from pydantic import BaseModel, Field

from connectors.sdk import (
    AuthSpec,
    Compensation,
    Connector,
    Context,
    Effect,
    NotFound,
    Preview,
    Receipt,
    Refused,
    Reversal,
    SafeRule,
    Tier,
    Unavailable,
    UpstreamClass,
    at,
)
from upstream.careless import at_items, change, foresee, item
from upstream.connector import Deleted, Item, ItemId, Note, Quantity, Ticket

connector = Connector(
    "negligent",
    version="1.0.0",
    description="Promises more of what it does not keep.",
    auth=AuthSpec(kind="bearer", secret_fields=("token",)),
    safe=[SafeRule(method="GET"), SafeRule(method="POST", path="/tickets", preview_only=True)],
)

updating = partial(connector.write, effect=Effect.UPDATE, tier=Tier.MEDIUM, upstream_class=UpstreamClass.B)
"""What makes a tool of a function that changes an item under a condition, or says so."""
Text = Annotated[str, Field(max_length=80)]
_OFTEN = 4
"""As often as a preview is asked for before anything is proposed."""


class Otherwise(Item):
    """An item with what the system does not send."""

    colour: str


class Count(BaseModel):
    """How many tickets there are."""

    tickets: int


def back(tool: str, quantity: str = "/before/0/quantity") -> Compensation:
    """Return an undo by `tool`, with the quantity that stands at a pointer."""
    return Compensation(tool=tool, arguments={"number": "/input/number", "quantity": quantity}, kind=Reversal.EXACT)


async def preview(context: Context, number: ItemId, quantity: Quantity) -> Preview:
    """Say truly what setting a quantity would do."""
    return await foresee(context, number, quantity)


@updating("sets")
async def sets(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, as it should be done."""
    return await change(context, number, quantity)


@updating("names_no_guard")
async def names_no_guard(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, on the condition that nothing happens just now."""
    assert context.guard is not None
    now = await item(context, number)
    return await context.patch(at("items", number), {"quantity": quantity}, Item, if_match=f'"{now.version}"')


@names_no_guard.preview
async def _(context: Context, number: ItemId, quantity: Quantity) -> Preview:
    return Preview.update(at_items(number), await item(context, number), {"quantity": quantity}, unknown=["version"])


@updating("overlooks_edits")
async def overlooks_edits(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, under a guard that never moves."""
    return await change(context, number, quantity)


@overlooks_edits.preview
async def _(context: Context, number: ItemId, quantity: Quantity) -> Preview:
    named = {"name": (await item(context, number)).name}
    return Preview.update(at_items(number), named, {"quantity": quantity}, guard='"1"')


@updating("gives_up")
async def gives_up(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, but not today."""
    assert context.guard
    raise Refused(f"Not today: {number} stays, and {quantity} too.")


@updating("forbids_itself")
async def forbids_itself(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity that its own rules never allow."""
    return await change(context, number, quantity)


@forbids_itself.check
async def _(context: Context) -> None:
    del context
    raise Refused("Never.")


@updating("observes_nothing")
async def observes_nothing(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, and look elsewhere afterwards."""
    return await change(context, number, quantity)


@observes_nothing.observe
async def _(context: Context, receipt: Receipt[Item]) -> dict[str, Item]:
    del context, receipt
    return {}


@updating("answers_otherwise")
async def answers_otherwise(context: Context, number: ItemId, quantity: Quantity) -> Otherwise:
    """Set a quantity, and expect an answer that the system does not give."""
    guard = context.guard[at_items(number)]
    return await context.patch(at("items", number), {"quantity": quantity}, Otherwise, if_match=guard)


@updating("swallows_refusals")
async def swallows_refusals(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, and say that it was done when it was refused."""
    try:
        return await change(context, number, quantity)
    except Refused:
        return Item(id=number, name="pencil", quantity=quantity, version=1)


@updating(
    "declares_too_much",
    reversal=Reversal.PARTIAL,
    residue=["name: it is said to stay", "a number that nobody sees is used up"],
    compensation=Compensation(
        tool="sets",
        arguments={"number": "/input/number", "quantity": "/before/0/quantity"},
        kind=Reversal.PARTIAL,
    ),
    volatile=["version"],
)
async def declares_too_much(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, and declare a residue that there is not."""
    return await change(context, number, quantity)


@updating(
    "is_undone_by_who_gives_up",
    reversal=Reversal.EXACT,
    compensation=back("gives_up"),
)
async def is_undone_by_who_gives_up(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity."""
    return await change(context, number, quantity)


@updating(
    "is_undone_with_a_name",
    reversal=Reversal.EXACT,
    compensation=back("sets", quantity="/before/0/name"),
)
async def is_undone_with_a_name(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, which is undone by setting it to a name."""
    return await change(context, number, quantity)


@updating(
    "is_undone_with_what_was_never_there",
    reversal=Reversal.EXACT,
    compensation=back("sets", quantity="/before/0/colour"),
)
async def is_undone_with_what_was_never_there(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, which is undone by a field that no item has."""
    return await change(context, number, quantity)


@updating(
    "is_undone_elsewhere",
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="sets",
        arguments={"number": "/output/version", "quantity": "/before/0/quantity"},
        kind=Reversal.EXACT,
    ),
)
async def is_undone_elsewhere(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, which is undone at the item whose number is this one's version."""
    return await change(context, number, quantity)


@updating("observes_elsewhere")
async def observes_elsewhere(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, and look at an item that is not there afterwards."""
    return await change(context, number, quantity)


@observes_elsewhere.observe
async def _(context: Context, receipt: Receipt[Item]) -> dict[str, Item]:
    return {at_items(receipt.output.id): await item(context, 404)}


@updating("sends_it_elsewhere")
async def sends_it_elsewhere(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, at an item that is not there."""
    guard = context.guard[at_items(number)]
    return await context.patch(at("items", 404), {"quantity": quantity}, Item, if_match=guard)


for _each in (
    sets,
    is_undone_with_what_was_never_there,
    is_undone_elsewhere,
    observes_elsewhere,
    sends_it_elsewhere,
    gives_up,
    forbids_itself,
    observes_nothing,
    answers_otherwise,
    swallows_refusals,
    declares_too_much,
    is_undone_by_who_gives_up,
    is_undone_with_a_name,
):
    _each.preview(preview)


@updating("counts_by_writing")
async def counts_by_writing(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity."""
    return await change(context, number, quantity)


@counts_by_writing.preview
async def _(context: Context, number: ItemId, quantity: Quantity) -> Preview:
    ticket = await context.post("/tickets", {"title": "How many are there?", "reference": "counting"}, Ticket)
    seen = {"quantity": 10, "tickets": ticket.id}
    return Preview.update(at_items(number), seen, {"quantity": quantity}, guard='"1"')


@connector.write(
    "adds_for_good",
    effect=Effect.CREATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.A,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="sets", arguments={"number": "/input/number", "quantity": "/input/quantity"}, kind=Reversal.EXACT
    ),
)
async def adds_for_good(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Add an item, which is undone by counting it."""
    added = {"name": "eraser", "quantity": quantity}
    return await context.put(at("items", number), added, Item, idempotency_key=context.key)


@adds_for_good.preview
async def _(context: Context, number: ItemId, quantity: Quantity) -> Preview:
    del context
    return Preview.create(at_items(number), Item(id=number, name="eraser", quantity=quantity, version=1))


@adds_for_good.observe
async def _(context: Context, receipt: Receipt[Item]) -> dict[str, Item]:
    return {at_items(receipt.output.id): await item(context, receipt.output.id)}


@connector.write("looks_first", effect=Effect.CREATE, tier=Tier.MEDIUM, upstream_class=UpstreamClass.A)
async def looks_first(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Add an item, unless there is one: its own first attempt, perhaps."""
    with suppress(NotFound):
        raise Refused(f"There is {(await item(context, number)).name} already.")
    added = {"name": "eraser", "quantity": quantity}
    return await context.put(at("items", number), added, Item, idempotency_key=context.key)


@looks_first.preview
async def _(context: Context, number: ItemId, quantity: Quantity) -> Preview:
    del context
    return Preview.create(at_items(number), Item(id=number, name="eraser", quantity=quantity, version=1))


@updating(
    "opens_a_ticket_first",
    max_unsafe_requests=2,
)
async def opens_a_ticket_first(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, after a request that previews may send, too."""
    guard = context.guard[at_items(number)]
    await context.post("/tickets", {"title": "Counting"}, Ticket)
    return await context.patch(at("items", number), {"quantity": quantity}, Item, if_match=guard)


opens_a_ticket_first.preview(preview)


@updating("tires")
async def tires(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, by a preview that keeps a tally in the system and refuses once it has been asked often."""
    return await change(context, number, quantity)


@tires.preview
async def _(context: Context, number: ItemId, quantity: Quantity) -> Preview:
    tally = await context.post("/tickets", {"title": "One more", "reference": "tally"}, Ticket)
    if tally.id > _OFTEN:
        raise Refused("That is enough for today.")
    return await foresee(context, number, quantity)


@updating("is_undone_by_who_does_nothing", reversal=Reversal.EXACT, compensation=back("writes_its_name"))
async def is_undone_by_who_does_nothing(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Set a quantity, where it is another one."""
    return await change(context, number, quantity)


@is_undone_by_who_does_nothing.preview
async def _(context: Context, number: ItemId, quantity: Quantity) -> Preview:
    foreseen = await foresee(context, number, quantity)
    return Preview(changes=()) if (await item(context, number)).quantity == quantity else foreseen


@updating("writes_its_name")
async def writes_its_name(context: Context, number: ItemId, quantity: Quantity) -> Item:
    """Give an item the name that it has, whatever the quantity."""
    del quantity
    name = (await item(context, number)).name
    return await context.patch(at("items", number), {"name": name}, Item, if_match=context.guard[at_items(number)])


@writes_its_name.preview
async def _(context: Context, number: ItemId, quantity: Quantity) -> Preview:
    del quantity
    before = await item(context, number)
    return Preview.update(at_items(number), before, {}, guard=f'"{before.version}"')


@connector.write("posts_in_secret", effect=Effect.SEND, tier=Tier.HIGH, upstream_class=UpstreamClass.A)
async def posts_in_secret(context: Context, text: Text) -> Deleted:
    """Post a note each time, and answer the same each time."""
    await context.post("/notes", {"text": f"{text} {len(context.key)}"}, Note)
    return Deleted(id=1)


@posts_in_secret.preview
async def _(context: Context, text: Text) -> Preview:
    del context
    return Preview.send("notes", {"text": text}, unknown=["id"])


@connector.write("looks_nowhere", effect=Effect.SEND, tier=Tier.HIGH, upstream_class=UpstreamClass.C)
async def looks_nowhere(context: Context, text: Text) -> Note:
    """Post a note with our reference, and look for it where it is not."""
    return await context.post("/notes", {"text": f"{text} {context.key}"}, Note)


@looks_nowhere.preview
async def _(context: Context, text: Text) -> Preview:
    del context
    return Preview.send("notes", {"text": text}, unknown=["id"])


@looks_nowhere.lookup
async def _(context: Context) -> Note | None:
    del context
    return None


@connector.read("refuses_when_busy")
async def refuses_when_busy(context: Context, number: ItemId) -> Item:
    """Read an item; when turned away, say that the system refuses it for good."""
    try:
        return await item(context, number)
    except Unavailable as error:
        raise Refused("The system does not want to.") from error
