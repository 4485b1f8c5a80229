"""Connections: accounts of connectors, and their credentials, which go in and never come out."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, SecretStr

from hub import registry
from hub.api.access import Acting, Person, RuntimeParameter
from hub.api.bodies import Body, Id, Why
from hub.budgets import Outage, outages_now
from hub.core.errors import NotFound
from hub.identity.permissions import Permission, may
from hub.registry import Connection, ConnectionChange, Environment, NewConnection

router = APIRouter(prefix="/connections", tags=["connections"])


class OutageView(BaseModel):
    """Calls that did not reach the system of a connection."""

    failures: int = Field(description="How many in a row.")
    unavailable_since: datetime | None = Field(description="Since when no call is made, if so.")
    reason: str
    look_at: datetime = Field(description="When the hub looks again by itself.")


class ConnectionView(BaseModel):
    """One configured account of a connector."""

    id: str = Field(examples=["con_06dvh3x5m8qk2v7c1n4pz9tbwr"])
    name: str = Field(examples=["erp"])
    connector: str = Field(examples=["tryton"])
    environment: Environment
    base_url: str = Field(examples=["http://127.0.0.1:8000/"])
    prefix: str
    generation: int = Field(description="Grows whenever address, credentials, owner or settings change.")
    owner_id: str | None
    is_enabled: bool
    settings: dict[str, Any]
    limits: dict[str, int] = Field(
        description="What holds: as declared under `limits` in the settings, or else as usual.",
        examples=[{"connections": 32, "calls_at_once": 16, "answer_bytes": 10485760, "call_seconds": 300}],
    )
    outage: OutageView | None = Field(default=None, description="How its last calls failed; null once one did not.")


class ConnectionList(BaseModel):
    """The connections that the caller may see, in the order of the names."""

    items: list[ConnectionView]


class NewConnectionBody(Body):
    """A connection to make."""

    name: str = Field(max_length=48, examples=["erp"])
    connector: str = Field(max_length=32, examples=["tryton"])
    environment: Environment = Environment.DEV
    base_url: str = Field(max_length=2000)
    prefix: str = Field(default="", max_length=24)
    owner_id: str | None = Field(default=None, max_length=40)
    settings: dict[str, Any] = Field(default={})
    secret: dict[str, SecretStr] = Field(default={}, description="The fields that the connector signs in with.")


class ConnectionChangeBody(Body):
    """What to change; what is left out stays."""

    base_url: str | None = Field(default=None, max_length=2000)
    owner_id: str | None = Field(default=None, max_length=40)
    settings: dict[str, Any] | None = None


class SecretBody(Body):
    """The credential to use from now on."""

    secret: dict[str, SecretStr]


@router.get("", operation_id="listConnections", summary="List connections")
async def list_connections(runtime: RuntimeParameter, acting: Person) -> ConnectionList:
    """Return the caller's own connections; every one to whoever runs the hub."""
    async with runtime.database.reading() as tx:
        found = await registry.connections(tx)
        outages = {one.connection_id: one for one in await outages_now(tx)}
    return ConnectionList(items=[view(one, outages.get(one.id)) for one in found if _may_see(acting, one)])


@router.post("", operation_id="createConnection", summary="Create a connection", status_code=201)
async def create_connection(runtime: RuntimeParameter, acting: Person, wanted: NewConnectionBody) -> ConnectionView:
    """Make a connection and offer its tools; for the connector's owner or an administrator."""
    new = NewConnection(
        name=wanted.name,
        connector=wanted.connector,
        environment=wanted.environment,
        base_url=wanted.base_url,
        prefix=wanted.prefix,
        owner_id=wanted.owner_id,
        settings=wanted.settings,
    )
    async with runtime.database.transaction() as tx:
        authority = acting.authority(runtime)
        made = await registry.create_connection(tx, new, authority)
        if wanted.secret:
            await runtime.vault.put(tx, made.id, _plain(wanted.secret), authority)
        return view(await registry.get_connection(tx, made.id))


@router.get("/{connection_id}", operation_id="getConnection", summary="One connection")
async def get_connection(runtime: RuntimeParameter, acting: Person, connection_id: Id) -> ConnectionView:
    """Return a connection to its owner or whoever runs the hub."""
    async with runtime.database.reading() as tx:
        found = await registry.get_connection(tx, connection_id)
    if not _may_see(acting, found):
        raise NotFound(f"There is no connection {connection_id!r}.")
    return view(found, await runtime.brakes.outage(connection_id))


@router.patch("/{connection_id}", operation_id="changeConnection", summary="Change a connection")
async def change_connection(
    runtime: RuntimeParameter, acting: Person, connection_id: Id, wanted: ConnectionChangeBody
) -> ConnectionView:
    """Change a connection; for its owner or an administrator. Approvals that wait for it are void."""
    change = ConnectionChange(base_url=wanted.base_url, owner_id=wanted.owner_id, settings=wanted.settings)
    async with runtime.database.transaction() as tx:
        return view(await registry.change_connection(tx, connection_id, change, acting.authority(runtime)))


@router.put("/{connection_id}/secret", operation_id="setConnectionSecret", summary="Replace the credential")
async def set_secret(
    runtime: RuntimeParameter, acting: Person, connection_id: Id, wanted: SecretBody
) -> ConnectionView:
    """Keep another credential from now on; for the owner or an administrator. It is never shown again."""
    async with runtime.database.transaction() as tx:
        await runtime.vault.put(tx, connection_id, _plain(wanted.secret), acting.authority(runtime))
        return view(await registry.get_connection(tx, connection_id))


@router.put("/{connection_id}/suspension", operation_id="disableConnection", summary="Disable a connection")
async def disable(runtime: RuntimeParameter, acting: Person, connection_id: Id, why: Why) -> ConnectionView:
    """Stop every call of its tools; for its owner, an administrator or an operator."""
    async with runtime.database.transaction() as tx:
        authority = acting.authority(runtime)
        return view(await registry.disable_connection(tx, connection_id, authority, reason=why.reason))


@router.delete("/{connection_id}/suspension", operation_id="enableConnection", summary="Enable a connection")
async def enable(runtime: RuntimeParameter, acting: Person, connection_id: Id) -> ConnectionView:
    """Let a disabled connection be used again; for its owner, an administrator or an operator."""
    async with runtime.database.transaction() as tx:
        return view(await registry.enable_connection(tx, connection_id, acting.authority(runtime)))


def view(connection: Connection, outage: Outage | None = None) -> ConnectionView:
    """Return a connection as the API shows it, with its `outage` if given; its credential is no part of it."""
    return ConnectionView(
        id=connection.id,
        name=connection.name,
        connector=connection.connector,
        environment=connection.environment,
        base_url=connection.base_url,
        prefix=connection.prefix,
        generation=connection.generation,
        owner_id=connection.owner_id,
        is_enabled=connection.is_enabled,
        settings=dict(connection.settings),
        limits=connection.limits.as_json(),
        outage=None if outage is None else _outage(outage),
    )


def _outage(outage: Outage) -> OutageView:
    return OutageView(
        failures=outage.failures,
        unavailable_since=outage.unavailable_since,
        reason=outage.reason,
        look_at=outage.look_at,
    )


def _may_see(acting: Acting, connection: Connection) -> bool:
    person = acting.principal
    runs_the_hub = may(person, Permission.MANAGE_REGISTRY) or may(person, Permission.STOP_THINGS)
    return runs_the_hub or connection.owner_id == person.id


def _plain(secret: dict[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in secret.items()}
