"""The postal addresses of a party: adding, changing and archiving them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import Compensation, Context, Effect, Preview, Receipt, Refused, Reversal, Tier, UpstreamClass
from connectors.tryton.parties import PARTY, PERSONAL
from connectors.tryton.records import Address, Id, NewAddress
from connectors.tryton.rows import Named, Row, row, rows, target
from connectors.tryton.system import connector
from connectors.tryton.writing import archiving, changed, read_back, write

Json = Any
"""Any JSON value."""

ADDRESS = "party.address"
MaybeLine = Annotated[str, Field(max_length=200, pattern=r"^(\S(.*\S)?)?$", description="Empty to leave it blank.")]


class _Country(BaseModel):
    code: str | None


class _Row(Row):
    street: str | None
    postal_code: str | None
    city: str | None
    active: bool
    country: _Country | None = Field(alias="country.")
    party: Named = Field(alias="party.")


class _Name(Row):
    rec_name: str


class _Face(BaseModel):
    """What a change of an address is about."""

    model_config = ConfigDict(frozen=True)

    party: str
    street: str
    postal_code: str
    city: str
    is_active: bool


class _Addresses(BaseModel):
    """What adding an address changes of a party: the list of those in use."""

    model_config = ConfigDict(frozen=True)

    party: str
    addresses: list[dict[str, str]]


@connector.write(
    "party_address_add",
    title="Add an address to a party",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.PARTIAL,
    residue=("party.address",),  # it stays in Tryton, archived
    compensation=Compensation(
        tool="party_address_archive", arguments={"address_id": "/output/id"}, kind=Reversal.PARTIAL
    ),
    data_classes=PERSONAL,
    examples=[{"party_id": 3, "address": {"street": "5 Harbour Street", "city": "Bergen"}}],
)
async def party_address_add(context: Context, party_id: Id, address: NewAddress) -> Address:
    """Add a postal address to a party. Tryton offers it for new documents of this party."""
    values = address.model_dump(exclude_none=True)
    known = {found.id for found in await _of(context, party_id)}
    await write(context, PARTY, party_id, {"addresses": [["create", [values]]]})

    async def added(context: Context, party_id: int) -> Address:
        return next(_address(found) for found in await _of(context, party_id) if found.id not in known)

    return await read_back(added, context, party_id)


@party_address_add.preview
async def _(context: Context, party_id: int, address: NewAddress) -> Preview:
    party = await row(context, PARTY, _Name, party_id, called="party")
    before = _in_use(party, await _of(context, party_id))
    new = {name: getattr(address, name) or "" for name in ("street", "postal_code", "city")}
    return changed(PARTY, party, before, {"addresses": [*before.addresses, new]})


@party_address_add.observe
async def _(context: Context, receipt: Receipt[Address]) -> Mapping[str, BaseModel]:
    party = await row(context, PARTY, _Name, receipt.input["party_id"], called="party")
    return {target(PARTY, party.id): _in_use(party, await _of(context, party.id))}


@connector.write(
    "party_address_update",
    title="Change an address of a party",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="party_address_update",
        arguments={"address_id": "/input/address_id"}
        | {name: f"/before/0/{name}" for name in ("street", "postal_code", "city")},
        kind=Reversal.EXACT,
    ),
    data_classes=PERSONAL,
    examples=[{"address_id": 3, "street": "4 Harbour Street", "postal_code": "5003", "city": "Bergen"}],
)
async def party_address_update(
    context: Context, address_id: Id, street: MaybeLine, postal_code: MaybeLine, city: MaybeLine
) -> Address:
    """Replace street, postal code and city of an address; party_get lists the ids. Documents made earlier show it too,
    unless they were printed.
    """
    values = {"street": street or None, "postal_code": postal_code or None, "city": city or None}
    await write(context, ADDRESS, address_id, values)
    return await read_back(_read, context, address_id)


@party_address_update.preview
async def _(context: Context, address_id: int) -> Preview:
    found = await row(context, ADDRESS, _Row, address_id, called="address")
    if not found.active:
        raise Refused(f"Address {address_id} is archived; Tryton changes no archived address. Restore it first.")
    return changed(ADDRESS, found, _face(found), context.given("street", "postal_code", "city"))


@party_address_update.observe
async def _(context: Context, receipt: Receipt[Address]) -> Mapping[str, BaseModel]:
    return await _observed(context, receipt)


@connector.write(
    "party_address_archive",
    title="Archive an address of a party",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="party_address_restore", arguments={"address_id": "/input/address_id"}, kind=Reversal.EXACT
    ),
    data_classes=PERSONAL,
    examples=[{"address_id": 3}],
)
async def party_address_archive(context: Context, address_id: Id) -> Address:
    """Archive an address: it stays on the documents that have it and is no longer offered for new ones."""
    await write(context, ADDRESS, address_id, {"active": False})
    return await read_back(_read, context, address_id)


@party_address_archive.preview
async def _(context: Context, address_id: int) -> Preview:
    return await _preview_active(context, address_id, is_active=False)


@party_address_archive.observe
async def _(context: Context, receipt: Receipt[Address]) -> Mapping[str, BaseModel]:
    return await _observed(context, receipt)


@connector.write(
    "party_address_restore",
    title="Bring an archived address back",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="party_address_archive", arguments={"address_id": "/input/address_id"}, kind=Reversal.EXACT
    ),
    data_classes=PERSONAL,
    examples=[{"address_id": 3}],
)
async def party_address_restore(context: Context, address_id: Id) -> Address:
    """Bring an archived address back, so that it is offered for new documents again."""
    await write(context, ADDRESS, address_id, {"active": True})
    return await read_back(_read, context, address_id)


@party_address_restore.preview
async def _(context: Context, address_id: int) -> Preview:
    return await _preview_active(context, address_id, is_active=True)


@party_address_restore.observe
async def _(context: Context, receipt: Receipt[Address]) -> Mapping[str, BaseModel]:
    return await _observed(context, receipt)


async def _of(context: Context, party_id: int) -> list[_Row]:
    return await rows(context, ADDRESS, _Row, [("party", "=", party_id)])


async def _preview_active(context: Context, address_id: int, *, is_active: bool) -> Preview:
    found = await row(context, ADDRESS, _Row, address_id, called="address")
    return archiving(ADDRESS, found, _face(found), is_now=found.active, becomes=is_active)


async def _observed(context: Context, receipt: Receipt[Address]) -> Mapping[str, BaseModel]:
    found = await row(context, ADDRESS, _Row, receipt.input["address_id"], called="address")
    return {target(ADDRESS, found.id): _face(found)}


async def _read(context: Context, address_id: int) -> Address:
    return _address(await row(context, ADDRESS, _Row, address_id, called="address"))


def _face(found: _Row) -> _Face:
    shown = _address(found)
    return _Face(
        party=found.party.rec_name,
        street=shown.street,
        postal_code=shown.postal_code,
        city=shown.city,
        is_active=found.active,
    )


def _in_use(party: _Name, found: list[_Row]) -> _Addresses:
    shown = [_address(address) for address in found if address.active]
    return _Addresses(
        party=party.rec_name,
        addresses=[address.model_dump(include={"street", "postal_code", "city"}) for address in shown],
    )


def _address(found: _Row) -> Address:
    return Address(
        id=found.id,
        street=found.street or "",
        postal_code=found.postal_code or "",
        city=found.city or "",
        country=(found.country.code or "") if found.country else "",
    )
