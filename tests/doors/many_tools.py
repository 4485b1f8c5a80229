"""A connector with many tools, for lists that take several pages."""

from typing import Any

from connectors.sdk.spec import ConnectorSpec
from doors.working_hub import WorkingHub
from hub.registry import Environment, NewConnection, create_connection, register_connector

MANY = 250


def many_tools(count: int = MANY) -> ConnectorSpec:
    """Return a connector with `count` reads."""
    operations: list[dict[str, Any]] = [
        {
            "name": f"thing_{number:03}",
            "title": f"Thing {number}",
            "description": "Reads one thing.",
            "effect": "read",
            "tier": "low",
            "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
            "output_schema": {"type": "object", "properties": {}},
        }
        for number in range(count)
    ]
    return ConnectorSpec.model_validate(
        {
            "name": "many",
            "version": "1.0.0",
            "title": "Many",
            "description": "Many things.",
            "entry": "upstream.connector:connector",
            "artefact_digest": "0" * 64,
            "operations": operations,
        }
    )


async def add_many_tools(hub: WorkingHub, count: int = MANY) -> None:
    """Publish and connect a connector with `count` tools."""
    async with hub.database.transaction() as tx:
        await register_connector(tx, many_tools(count), hub.authority)
        new = NewConnection(name="many", connector="many", environment=Environment.DEV, base_url="http://127.0.0.1:1")
        await create_connection(tx, new, hub.authority)
