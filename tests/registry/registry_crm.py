"""A connector to register, and who registers it."""

from collections.abc import Mapping
from typing import Any

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.identity.authority import Authority
from hub.identity.principals import Caller, Principal, PrincipalKind
from hub.registry import Environment, NewConnection, create_connection, register_connector
from hub.registry.values import Connection
from hub.storage import Database

Json = Any


def operation(name: str = "deal_get", **changes: Json) -> OperationSpec:
    """A read of one deal, with whatever is to be different."""
    fields: dict[str, Json] = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "description": "Read one deal.",
        "effect": "read",
        "tier": "low",
        "input_schema": {
            "type": "object",
            "properties": {"id": {"type": "integer", "minimum": 1, "maximum": 1000}},
            "required": ["id"],
            "additionalProperties": False,
        },
        "output_schema": {"type": "object", "properties": {"id": {"type": "integer"}}},
    }
    return OperationSpec.model_validate(fields | changes)


def write(name: str = "deal_update", **changes: Json) -> OperationSpec:
    """A medium update of one deal."""
    return operation(name, **{"effect": "update", "tier": "medium", "description": "Change one deal."} | changes)


def crm(*operations: OperationSpec, name: str = "crm", **changes: Json) -> ConnectorSpec:
    """A connector with these operations, or with one read and one write."""
    fields: dict[str, Json] = {
        "name": name,
        "version": "1.0.0",
        "title": "CRM",
        "description": "Deals.",
        "entry": "somewhere.crm:connector",
        "artefact_digest": "a" * 64,
        "operations": [each.model_dump() for each in operations or (operation(), write())],
    }
    return ConnectorSpec.model_validate(fields | changes)


def person(name: str = "ada", **changes: Json) -> Principal:
    fields: Mapping[str, Json] = {
        "id": f"usr_{name}",
        "kind": PrincipalKind.USER,
        "name": name,
        "display_name": name.title(),
        "groups": frozenset(),
        "roles": frozenset(),
        "owner_id": None,
        "is_suspended": False,
    }
    return Principal(**{**fields, **changes})


def agent(*allowed_servers: str) -> Caller:
    """An agent that may use these servers."""
    return Caller(
        actor=person("bot", id="agt_bot", kind=PrincipalKind.AGENT, allowed_servers=frozenset(allowed_servers))
    )


def anybody() -> Caller:
    """A person, who sees everything."""
    return Caller(actor=person())


async def connect(database: Database, authority: Authority, **changes: Json) -> Connection:
    """Make the connection `sales` of the registered connector `crm` in dev."""
    fields: Mapping[str, Json] = {
        "name": "sales",
        "connector": "crm",
        "environment": Environment.DEV,
        "base_url": "https://crm.example/api",
    }
    async with database.transaction() as tx:
        return await create_connection(tx, NewConnection(**{**fields, **changes}), authority)


async def register(
    database: Database, authority: Authority, spec: ConnectorSpec | None = None, *also: Environment
) -> list[str]:
    """Register a connector, in use in dev and in `also`; return the names of the tools that have a new version."""
    async with database.transaction() as tx:
        new = await register_connector(tx, spec or crm(), authority, also=also)
    return [version.spec.name for version in new]
