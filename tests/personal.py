"""A small world in which the names of items are personal, and policies under which some people may not see those."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from upstream.connector import connector
from upstream.fixtures import Upstream
from world import World, open_world

from connectors.sdk.spec import OperationSpec
from hub.identity.principals import Caller, Principal
from hub.keys import Keyring
from hub.storage import Database

PERSONAL = frozenset({"item_get", "item_update", "item_put", "item_delete"})
MARKER = "[masked: personal]"
NOT_AGENTS = """@id("no-names-for-agents")
forbid (principal is Agent, action == Action::"see", resource) when { context.data_class == "personal" };
"""
NOT_APPROVERS = """@id("no-names-for-approvers")
forbid (principal in Group::"approvers", action == Action::"see", resource) when { context.data_class == "personal" };
"""
ASK = """@id("ask") @require("approvers:1") @ttl("PT1H")
forbid (principal, action == Action::"autocommit", resource);
"""


@asynccontextmanager
async def open_personal(
    database: Database, keys: Keyring, upstream: Upstream, *, tools: frozenset[str] = PERSONAL
) -> AsyncGenerator[World]:
    """Yield a world with the test connector, published with the names of items as personal to those tools."""
    spec = connector.spec.model_copy(deep=True)
    operations = [_personal(one) if one.name in tools else one for one in spec.operations]
    spec = spec.model_copy(update={"operations": tuple(operations)})
    async with open_world(database, keys, upstream, spec=spec) as opened:
        yield opened


def _personal(operation: OperationSpec) -> OperationSpec:
    for schema in (operation.input_schema, operation.output_schema):
        if "name" in schema["properties"]:
            schema["properties"]["name"]["x-data-class"] = "personal"
    return operation.model_copy(update={"data_classes": ("personal",)})


def caller_of(person: Principal) -> Caller:
    """Return a person who looks."""
    return Caller(actor=person, on_behalf_of=None, scopes=frozenset(), client_id=person.id)


def rename(world: World, name: str, number: int = 1) -> None:
    """Let somebody else rename an item in the system itself."""
    world.upstream.store.rows("UPDATE item SET name = ?, version = version + 1 WHERE id = ?", name, number)
