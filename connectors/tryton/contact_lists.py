"""The list of a party's contacts: adding one, archiving one, bringing one back."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from connectors.sdk import Compensation, Context, Effect, Preview, Receipt, Refused, Reversal, Tier, UpstreamClass
from connectors.tryton.contacts import CONTACT, ContactRow, as_kept, contact_of, way
from connectors.tryton.parties import PARTY, PERSONAL
from connectors.tryton.records import Contact, Id, Line
from connectors.tryton.rows import Row, row, rows, target
from connectors.tryton.system import connector
from connectors.tryton.writing import archiving, changed, read_back, write

Kind = Literal["email", "phone", "mobile", "fax", "website", "other"]


class _Name(Row):
    rec_name: str
    active: bool


class _Contacts(BaseModel):
    """What adding a contact changes of a party: the list of those in use."""

    model_config = ConfigDict(frozen=True)

    party: str
    contacts: list[dict[str, str]]


@connector.write(
    "party_contact_add",
    title="Add a contact to a party",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.PARTIAL,
    residue=(CONTACT,),  # it stays in Tryton, archived
    compensation=Compensation(
        tool="party_contact_archive", arguments={"contact_id": "/output/id"}, kind=Reversal.PARTIAL
    ),
    data_classes=PERSONAL,
    examples=[{"party_id": 3, "kind": "email", "value": "orders@bluebird-cycles.example"}],
)
async def party_contact_add(context: Context, party_id: Id, kind: Kind, value: Line) -> Contact:
    """Add a way to reach a party: an e-mail address, a phone number or the like."""
    known = {found.id for found in await _of(context, party_id)}
    await write(context, PARTY, party_id, {"contact_mechanisms": [["create", [{"type": kind, "value": value}]]]})

    async def added(context: Context, party_id: int) -> Contact:
        made = next(found.id for found in await _of(context, party_id) if found.id not in known)
        return await contact_of(context, made)

    return await read_back(added, context, party_id)


@party_contact_add.preview
async def _(context: Context, party_id: int, kind: str, value: str) -> Preview:
    party = await row(context, PARTY, _Name, party_id, called="party")
    if not party.active:
        raise Refused(f"Party {party_id} is archived; bring it back first.")
    before = _in_use(party, await _of(context, party_id))
    new = {"type": kind, "value": await as_kept(context, kind, value, party=party_id)}
    return changed(PARTY, party, before, {"contacts": [*before.contacts, new]})


@party_contact_add.observe
async def _(context: Context, receipt: Receipt[Contact]) -> Mapping[str, BaseModel]:
    party = await row(context, PARTY, _Name, receipt.input["party_id"], called="party")
    return {target(PARTY, party.id): _in_use(party, await _of(context, party.id))}


@connector.write(
    "party_contact_archive",
    title="Archive a contact of a party",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="party_contact_restore", arguments={"contact_id": "/input/contact_id"}, kind=Reversal.EXACT
    ),
    data_classes=PERSONAL,
    examples=[{"contact_id": 3}],
)
async def party_contact_archive(context: Context, contact_id: Id) -> Contact:
    """Archive a contact: it stays in Tryton and is no longer offered."""
    await write(context, CONTACT, contact_id, {"active": False})
    return await read_back(contact_of, context, contact_id)


@party_contact_archive.preview
async def _(context: Context, contact_id: int) -> Preview:
    return await _preview_active(context, contact_id, is_active=False)


@party_contact_archive.observe
async def _(context: Context, receipt: Receipt[Contact]) -> Mapping[str, BaseModel]:
    return await _observed(context, receipt)


@connector.write(
    "party_contact_restore",
    title="Bring an archived contact back",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="party_contact_archive", arguments={"contact_id": "/input/contact_id"}, kind=Reversal.EXACT
    ),
    data_classes=PERSONAL,
    examples=[{"contact_id": 3}],
)
async def party_contact_restore(context: Context, contact_id: Id) -> Contact:
    """Bring an archived contact back, so that it is offered again."""
    await write(context, CONTACT, contact_id, {"active": True})
    return await read_back(contact_of, context, contact_id)


@party_contact_restore.preview
async def _(context: Context, contact_id: int) -> Preview:
    return await _preview_active(context, contact_id, is_active=True)


@party_contact_restore.observe
async def _(context: Context, receipt: Receipt[Contact]) -> Mapping[str, BaseModel]:
    return await _observed(context, receipt)


async def _of(context: Context, party_id: int) -> list[ContactRow]:
    return await rows(context, CONTACT, ContactRow, [("party", "=", party_id)])


async def _preview_active(context: Context, contact_id: int, *, is_active: bool) -> Preview:
    found = await row(context, CONTACT, ContactRow, contact_id, called="contact")
    return archiving(CONTACT, found, way(found), is_now=found.active, becomes=is_active)


async def _observed(context: Context, receipt: Receipt[Contact]) -> Mapping[str, BaseModel]:
    found = await row(context, CONTACT, ContactRow, receipt.input["contact_id"], called="contact")
    return {target(CONTACT, found.id): way(found)}


def _in_use(party: _Name, found: list[ContactRow]) -> _Contacts:
    return _Contacts(
        party=party.rec_name,
        contacts=[{"type": one.type, "value": one.value or ""} for one in found if one.active],
    )
