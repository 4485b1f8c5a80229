"""The ways to reach a party: changing an e-mail address, a phone number or the like."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import Compensation, Context, Effect, Preview, Receipt, Refused, Reversal, Tier, UpstreamClass
from connectors.tryton.records import Contact, Id, Line
from connectors.tryton.rows import Named, Row, row, target
from connectors.tryton.system import connector
from connectors.tryton.writing import changed, read_back, write

Json = Any
"""Any JSON value."""

CONTACT = "party.contact_mechanism"
_PHONES = frozenset({"phone", "mobile", "fax"})


class ContactRow(Row):
    """A contact as it is read."""

    type: str
    value: str | None
    name: str | None
    active: bool
    party: Named = Field(alias="party.")


class Way(BaseModel):
    """What a change of a contact is about."""

    model_config = ConfigDict(frozen=True)

    party: str
    type: str
    label: str
    value: str
    is_active: bool


class _Guess(BaseModel):
    """What Tryton would make of a value; it leaves out what it would not change."""

    type: str | None = None
    value: str | None = None


@connector.write(
    "party_contact_update",
    title="Change a contact of a party",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="party_contact_update",
        arguments={"contact_id": "/input/contact_id", "value": "/before/0/value"},
        kind=Reversal.EXACT,
    ),
    data_classes=("personal",),
    examples=[{"contact_id": 3, "value": "orders@bluebird-cycles.example"}],
)
async def party_contact_update(context: Context, contact_id: Id, value: Line) -> Contact:
    """Change the value of one contact of a party (an e-mail address, a phone number); party_get lists their ids."""
    await write(context, CONTACT, contact_id, {"value": value})
    return await read_back(contact_of, context, contact_id)


@party_contact_update.preview
async def _(context: Context, contact_id: int, value: str) -> Preview:
    found = await row(context, CONTACT, ContactRow, contact_id, called="contact")
    if not found.active:
        raise Refused(f"Contact {contact_id} is archived; bring it back first.")
    kept = await as_kept(context, found.type, value, party=found.party.id)
    return changed(CONTACT, found, way(found), {"value": kept})


@party_contact_update.observe
async def _(context: Context, receipt: Receipt[Contact]) -> Mapping[str, BaseModel]:
    found = await row(context, CONTACT, ContactRow, receipt.input["contact_id"], called="contact")
    return {target(CONTACT, found.id): way(found)}


async def as_kept(context: Context, kind: str, value: str, *, party: int | None = None) -> str:
    """Return how Tryton would write `value`: it may put a phone number into the international form, for example.

    Tryton tries it out without keeping anything.

    Raises:
        Refused: it is to be a phone number, and Tryton cannot read it as one.
    """
    question = {"type": kind, "value": value, "party": party}
    guess = await context.rpc(f"model.{CONTACT}.on_change_value", question, {}, returns=_Guess)
    taken_for = guess.type or kind
    if taken_for == kind or {taken_for, kind} <= _PHONES:
        return guess.value or value
    if kind in _PHONES:
        raise Refused(f"Tryton does not take {value!r} for a phone number; give it with its country code.")
    return value  # a person's screen would change the kind of contact, a write does not


async def contact_of(context: Context, contact_id: int) -> Contact:
    """Return a contact as tools answer with it."""
    found = await row(context, CONTACT, ContactRow, contact_id, called="contact")
    return Contact(
        id=found.id, party_id=found.party.id, type=found.type, value=found.value or "", label=found.name or ""
    )


def way(found: ContactRow) -> Way:
    """Return a contact as previews show it."""
    return Way(
        party=found.party.rec_name,
        type=found.type,
        label=found.name or "",
        value=found.value or "",
        is_active=found.active,
    )
