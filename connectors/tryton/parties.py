"""Parties: finding, reading, creating and archiving them."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import (
    Blast,
    Compensation,
    Context,
    Effect,
    Preview,
    Receipt,
    Refused,
    Reversal,
    Tier,
    Unknown,
    UpstreamClass,
)
from connectors.tryton.contacts import as_kept
from connectors.tryton.records import (
    Address,
    After,
    Contact,
    Id,
    Limit,
    Line,
    NewAddress,
    Parties,
    Party,
    PartySummary,
    Text,
)
from connectors.tryton.rows import Page, Row, containing, row, rows, target
from connectors.tryton.system import connector
from connectors.tryton.writing import archiving, changed, read_back, write

Json = Any
"""Any JSON value."""

PARTY = "party.party"
NEW = f"{PARTY}/new"
PERSONAL = ("personal",)

_ARCHIVED = (
    "party.party",
    "party.address",
    "party.contact_mechanism",
    "party.identifier",
    "ir.sequence",  # no other party gets that code
    *(f"party.party.{part}" for part in ("account", "lang", "location", "payment_term")),
)
"""What stays of a new party, archived: Tryton keeps it in several tables."""


class _Summary(Row):
    name: str | None
    code: str | None
    active: bool


class _Contact(BaseModel):
    id: int
    type: str
    value: str | None
    name: str | None


class _Country(BaseModel):
    code: str | None


class _Address(BaseModel):
    id: int
    street: str | None
    postal_code: str | None
    city: str | None
    country: _Country | None = Field(alias="country.")


class _Term(BaseModel):
    id: int
    name: str


class _Party(_Summary):
    contacts: list[_Contact] = Field(alias="contact_mechanisms.")
    addresses: list[_Address] = Field(alias="addresses.")
    term: _Term | None = Field(alias="customer_payment_term.")


class _Standing(BaseModel):
    """What archiving changes of a party."""

    model_config = ConfigDict(frozen=True)

    name: str
    is_active: bool


@connector.read("party_find", title="Find parties", data_classes=PERSONAL, examples=[{"text": "bakery"}])
async def party_find(context: Context, text: Text = "", limit: Limit = 20, after: After = 0) -> Parties:
    """Find parties (customers, suppliers) whose name or code contains a text; archived ones are listed too.

    Without a text all are listed. For the next page give `after`: the id of the last party you have.
    """
    wanted = [["OR", containing("name", text), containing("code", text)]] if text else []
    found = await rows(context, PARTY, _Summary, [("id", ">", after), *wanted], Page(limit=limit + 1))
    return Parties(parties=[PartySummary(**_summary(party)) for party in found[:limit]], has_more=len(found) > limit)


@connector.read("party_get", title="Read a party", data_classes=PERSONAL, examples=[{"party_id": 3}])
async def party_get(context: Context, party_id: Id) -> Party:
    """Read one party with its contacts, its addresses and the payment term it has of its own."""
    party = await row(context, PARTY, _Party, party_id, called="party")
    return Party(
        **_summary(party),
        contacts=[
            Contact(id=way.id, party_id=party.id, type=way.type, value=way.value or "", label=way.name or "")
            for way in party.contacts
        ],
        addresses=[_address(address) for address in party.addresses],
        payment_term_id=party.term.id if party.term else 0,
        payment_term=party.term.name if party.term else "",
    )


@connector.write(
    "party_create",
    title="Create a party",
    effect=Effect.CREATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.C,
    reversal=Reversal.PARTIAL,
    residue=_ARCHIVED,
    compensation=Compensation(tool="party_deactivate", arguments={"party_id": "/output/id"}, kind=Reversal.PARTIAL),
    quarantine_seconds=120,
    data_classes=PERSONAL,
    examples=[{"name": "Umber Paints", "email": "office@umber-paints.example", "address": {"city": "Delft"}}],
)
async def party_create(
    context: Context,
    name: Line,
    email: Line | None = None,
    phone: Line | None = None,
    address: NewAddress | None = None,
) -> Party:
    """Create a party with one address and, if given, an e-mail address and a phone number. Tryton assigns its code."""
    if await _created(context) is not None:  # this question also renews the session, which a write must not
        raise Refused("A party with the reference of this call exists already.")
    contacts = [{"type": kind, "value": value} for kind, value in (("email", email), ("phone", phone)) if value]
    values: dict[str, Json] = {
        "name": name,
        "identifiers": [["create", [{"type": None, "code": _reference(context)}]]],
        "addresses": [["create", [(address or NewAddress()).model_dump(exclude_none=True)]]],
        **({"contact_mechanisms": [["create", contacts]]} if contacts else {}),
    }
    (made,) = await context.rpc(f"model.{PARTY}.create", [values], {}, returns=list[int])
    return await read_back(party_get, context, made)


@party_create.preview
async def _(
    context: Context,
    name: str,
    email: str | None = None,
    phone: str | None = None,
    address: NewAddress | None = None,
) -> Preview:
    given = address or NewAddress()
    after = {
        "name": name,
        "is_active": True,
        "email": await as_kept(context, "email", email) if email else "",
        "phone": await as_kept(context, "phone", phone) if phone else "",
        "street": given.street or "",
        "postal_code": given.postal_code or "",
        "city": given.city or "",
    }
    not_covered = ("whether another party is the same customer under another name",)
    return Preview.create(NEW, after, unknown=("id", "code"), blast=Blast(rows=1, parties=1), not_covered=not_covered)


@party_create.observe
async def _(context: Context, receipt: Receipt[Party]) -> Mapping[str, Mapping[str, Json]]:
    party = await party_get(context, receipt.output.id)
    ways = {way.type: way.value for way in party.contacts}
    address = party.addresses[0] if party.addresses else Address(id=0, street="", postal_code="", city="", country="")
    return {
        NEW: {
            **party.model_dump(include={"id", "code", "name", "is_active"}),
            **address.model_dump(include={"street", "postal_code", "city"}),
            "email": ways.get("email", ""),
            "phone": ways.get("phone", ""),
        }
    }


@party_create.lookup
async def _(context: Context) -> Party | None:
    return await _created(context)


@connector.write(
    "party_deactivate",
    title="Archive a party",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(tool="party_activate", arguments={"party_id": "/input/party_id"}, kind=Reversal.EXACT),
    examples=[{"party_id": 3}],
)
async def party_deactivate(context: Context, party_id: Id) -> Party:
    """Archive a party: it stays in Tryton with all its documents but is no longer offered for new ones."""
    return await _set_active(context, party_id, is_active=False)


@party_deactivate.preview
async def _(context: Context, party_id: int) -> Preview:
    return await _preview_active(context, party_id, is_active=False)


@party_deactivate.observe
async def _(context: Context, receipt: Receipt[Party]) -> Mapping[str, Json]:
    return await _observed(context, receipt)


@connector.write(
    "party_activate",
    title="Bring an archived party back",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(tool="party_deactivate", arguments={"party_id": "/input/party_id"}, kind=Reversal.EXACT),
    examples=[{"party_id": 3}],
)
async def party_activate(context: Context, party_id: Id) -> Party:
    """Bring an archived party back, so that it is offered for new documents again."""
    return await _set_active(context, party_id, is_active=True)


@party_activate.preview
async def _(context: Context, party_id: int) -> Preview:
    return await _preview_active(context, party_id, is_active=True)


@party_activate.observe
async def _(context: Context, receipt: Receipt[Party]) -> Mapping[str, Json]:
    return await _observed(context, receipt)


@connector.write(
    "party_rename",
    title="Rename a party",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="party_rename", arguments={"party_id": "/input/party_id", "name": "/before/0/name"}, kind=Reversal.EXACT
    ),
    data_classes=PERSONAL,
    examples=[{"party_id": 3, "name": "Bluebird Cycles & Sons"}],
)
async def party_rename(context: Context, party_id: Id, name: Line) -> Party:
    """Give a party another name. Documents made earlier show it too, unless they were printed."""
    await write(context, PARTY, party_id, {"name": name})
    return await read_back(party_get, context, party_id)


@party_rename.preview
async def _(context: Context, party_id: int, name: str) -> Preview:
    party = await row(context, PARTY, _Summary, party_id, called="party")
    if not party.active:
        raise Refused(f"Party {party_id} is archived; bring it back first.")
    if not party.name:
        raise Refused(f"Party {party_id} has no name, so that the change could not be undone; name it in Tryton.")
    return changed(PARTY, party, _standing(party), {"name": name})


@party_rename.observe
async def _(context: Context, receipt: Receipt[Party]) -> Mapping[str, Json]:
    return await _observed(context, receipt)


async def _created(context: Context) -> Party | None:
    """Return the party that carries the reference of this call, if there is one already."""
    found = await rows(context, PARTY, _Summary, [("identifiers.code", "=", _reference(context))], Page(limit=2))
    if len(found) > 1:
        raise Unknown("More than one party in Tryton carries the reference of this call.")
    return await party_get(context, found[0].id) if found else None


async def _set_active(context: Context, party_id: int, *, is_active: bool) -> Party:
    await write(context, PARTY, party_id, {"active": is_active})
    return await read_back(party_get, context, party_id)


async def _preview_active(context: Context, party_id: int, *, is_active: bool) -> Preview:
    party = await row(context, PARTY, _Summary, party_id, called="party")
    return archiving(PARTY, party, _standing(party), is_now=party.active, becomes=is_active)


async def _observed(context: Context, receipt: Receipt[Party]) -> Mapping[str, Json]:
    party = await row(context, PARTY, _Summary, receipt.input["party_id"], called="party")
    return {target(PARTY, party.id): _standing(party)}


def _standing(party: _Summary) -> _Standing:
    return _Standing(name=party.name or "", is_active=party.active)


def _summary(party: _Summary) -> dict[str, Json]:
    return {"id": party.id, "code": party.code or "", "name": party.name or "", "is_active": party.active}


def _address(address: _Address) -> Address:
    return Address(
        id=address.id,
        street=address.street or "",
        postal_code=address.postal_code or "",
        city=address.city or "",
        country=(address.country.code or "") if address.country else "",
    )


def _reference(context: Context) -> str:
    """Return the identifier under which what this call creates can be found again."""
    return f"hub:{context.key}"
