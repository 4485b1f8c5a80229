"""Making a server what its definition says, at once where one person may, and retiring it."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

from sqlalchemy import delete, select

from hub.audit import EventKind
from hub.core.errors import Conflict, InputError, NotFound
from hub.core.texts import shown
from hub.identity.authority import Authority
from hub.identity.directory import find
from hub.identity.tables import GroupRow, OpenServerRow
from hub.registry.looking_after import refuse_alone, refuse_built_in, require_server_steward
from hub.registry.names import check_place, check_tool_name
from hub.registry.reading import server_row
from hub.registry.server_definitions import DefinedTool, Difference, ServerDefinition, definition_of, differences
from hub.registry.stewardship import Touched, outdate_catalog
from hub.registry.tables import ConnectionRow, EntryRow, ServerRow, ToolRow
from hub.storage import Tx, now

_Resolved = tuple[str, str, bool]
_SOME: Final = 12
"""How many tools of a connection are named to whoever named one that is not there."""
"""The ids of a tool and of its connection, and whether it is for clients alone that know tasks."""


async def define_server(tx: Tx, wanted: ServerDefinition, authority: Authority) -> tuple[Difference, ...]:
    """Make a server what `wanted` says, and return what that has changed; nothing if it is so already.

    Raises:
        InputError: something it names is not there or does not fit; the message lists every problem.
        Conflict: it is retired, or of another environment.
        Forbidden: it is nobody who may change it, or it takes two people there.
    """
    row = await _changeable(tx, wanted, authority)
    await require_server_steward(tx, row, authority)
    refuse_alone(wanted.environment)
    return await put_in_effect(tx, wanted, authority)


async def check_definition(tx: Tx, wanted: ServerDefinition, authority: Authority) -> tuple[Difference, ...]:
    """Return what `wanted` would change, if somebody who may published it; nothing is changed.

    Raises:
        InputError: something it names is not there or does not fit; the message lists every problem.
        Conflict: it is retired, or of another environment.
        Forbidden: it is nobody who may propose it.
    """
    row = await tx.get(ServerRow, wanted.name, populate_existing=True)
    _check_row(row, wanted)
    await require_server_steward(tx, row, authority)
    await _resolved(tx, wanted)
    return differences(await definition_of(tx, wanted.name), wanted)


async def put_in_effect(tx: Tx, wanted: ServerDefinition, authority: Authority) -> tuple[Difference, ...]:
    """Make a server what `wanted` says, whoever has agreed to it, and return what that has changed.

    Raises:
        InputError: something it names is not there or does not fit.
        Conflict: it is retired, or of another environment.
    """
    row = await _changeable(tx, wanted, authority)
    changed = differences(await definition_of(tx, wanted.name), wanted)
    pairs = await _resolved(tx, wanted)
    owner = await find(tx, wanted.owner) if wanted.owner else None
    row = row or ServerRow(name=wanted.name, environment=wanted.environment.value, created_at=await now(tx))
    row.title, row.description, row.instructions = wanted.title, wanted.description, wanted.instructions
    row.listing, row.owner_group = wanted.listing.value, wanted.owner_group
    row.owner_id = owner.id if owner else row.owner_id or authority.by
    tx.add(row)
    await tx.flush()
    await _replace_entries(tx, wanted.name, pairs)
    await _open_to(tx, wanted, authority)
    if changed:
        told = [f"{one.what}: {one.before[:100]!r} -> {one.after[:100]!r}" for one in changed]
        facts = {"changed": "defined", "environment": row.environment, "digest": wanted.digest}
        await authority.record(tx, EventKind.SERVER_CHANGED, row.name, differences=told, **facts)
    return changed


async def rename_entry(tx: Tx, server: str, name: str, new_name: str, authority: Authority) -> tuple[Difference, ...]:
    """Publish a tool under another name; scopes that name it singly are for the new name from now on.

    Raises:
        NotFound: there is no such server, or it offers no such tool.
        InputError: the name will not do, or is taken; or the server is built in.
        Forbidden: it is nobody who may change it, or it takes two people there.
    """
    defined = await _defined(tx, server)
    if name not in defined.by_name():
        raise NotFound(f"{server!r} offers no tool {shown(name)}.")
    tools = [_named(one, new_name) if one.published_name == name else one for one in defined.tools]
    return await define_server(tx, defined.model_copy(update={"tools": tuple(tools)}), authority)


async def retire_server(tx: Tx, name: str, reason: str, authority: Authority) -> None:
    """Take a server out of use for good: nothing is on it any more, and its name stays taken.

    Raises:
        NotFound: there is no such server, or it is retired already.
        InputError: it is built in, or there is no reason.
        Forbidden: it is nobody who may change it.
    """
    await outdate_catalog(tx, authority, Touched(servers=frozenset({name})))
    row = await server_row(tx, name)
    await require_server_steward(tx, row, authority)
    refuse_built_in(name)
    if not reason.strip():
        raise InputError("Say why; it is kept on record.")
    if row.retired_at is not None:
        raise NotFound(f"There is no server {shown(name)} in use.")
    row.retired_at = await now(tx)
    await tx.execute(delete(EntryRow).where(EntryRow.server == name))
    await tx.execute(delete(OpenServerRow).where(OpenServerRow.server == name))
    await tx.flush()
    await authority.outdate_callers(tx)
    facts = {"environment": row.environment, "reason": reason.strip()[:500]}
    await authority.record(tx, EventKind.SERVER_RETIRED, name, **facts)


def _named(one: DefinedTool, name: str) -> DefinedTool:
    return one.model_copy(update={"name": "" if name == one.tool else name})


async def _defined(tx: Tx, name: str) -> ServerDefinition:
    refuse_built_in(name)
    found = await definition_of(tx, name)
    if found is None:
        raise NotFound(f"There is no server {shown(name)}.")
    return found


async def _changeable(tx: Tx, wanted: ServerDefinition, authority: Authority) -> ServerRow | None:
    await outdate_catalog(tx, authority, Touched(servers=frozenset({wanted.name})))
    row = await tx.get(ServerRow, wanted.name, populate_existing=True)
    _check_row(row, wanted)
    return row


def _check_row(row: ServerRow | None, wanted: ServerDefinition) -> None:
    refuse_built_in(wanted.name)
    check_place(wanted.name, what="a server")
    if row is None:
        return
    if row.retired_at is not None:
        raise Conflict(f"The server {wanted.name!r} is retired, and its name stays taken; choose another one.")
    if row.environment != wanted.environment.value:
        raise Conflict(f"{wanted.name!r} is a server of {row.environment}; make another one for {wanted.environment}.")


async def _resolved(tx: Tx, wanted: ServerDefinition) -> dict[str, _Resolved]:
    """Return the ids of tool and connection by published name, each with whether it needs tasks.

    Raises:
        InputError: something of it is not there or does not fit; the message lists every problem.
    """
    names = {one.connection for one in wanted.tools}
    connections = {
        row.name: row for row in await tx.scalars(select(ConnectionRow).where(ConnectionRow.name.in_(names)))
    }
    kinds = {row.connector for row in connections.values()}
    query = select(ToolRow.connector, ToolRow.name, ToolRow.id).where(ToolRow.connector.in_(kinds))
    tools = {(connector, name): tool_id for connector, name, tool_id in await tx.execute(query)}
    problems = [*_clashes(wanted), *[one async for one in _missing_people(tx, wanted)]]
    found = dict[str, _Resolved]()
    for one in wanted.tools:
        connection = connections.get(one.connection)
        tool_id = tools.get((connection.connector, one.tool)) if connection else None
        if connection is None or connection.environment != wanted.environment.value:
            problems.append(f"there is no connection {shown(one.connection)} in {wanted.environment}")
        elif tool_id is None:
            there = sorted(name for connector, name in tools if connector == connection.connector)
            some = ", ".join(there[:_SOME]) + (", ..." if len(there) > _SOME else "")
            problems.append(f"the connection {one.connection!r} has no tool {shown(one.tool)}; it has {some or 'none'}")
        else:
            found[one.published_name] = (tool_id, connection.id, one.needs_tasks)
    if problems:
        raise InputError(f"The server {wanted.name!r} cannot be like this: {'; '.join(dict.fromkeys(problems))}.")
    return found


def _clashes(wanted: ServerDefinition) -> Iterator[str]:
    names, pairs = set[str](), set[tuple[str, str]]()
    for one in wanted.tools:
        try:
            check_tool_name(one.published_name)
        except InputError as error:
            yield error.message.rstrip(".")
        if one.published_name in names:
            yield f"two tools are called {one.published_name!r}; give one of them another name"
        if (one.tool, one.connection) in pairs:
            yield f"{one.tool!r} of {one.connection!r} stands there twice"
        names.add(one.published_name)
        pairs.add((one.tool, one.connection))


async def _missing_people(tx: Tx, wanted: ServerDefinition) -> AsyncIterator[str]:
    known = set(await tx.scalars(select(GroupRow.name)))
    for group in (*wanted.groups, *([wanted.owner_group] if wanted.owner_group else [])):
        if group not in known:
            yield f"there is no group {shown(group)}"
    if wanted.owner and await find(tx, wanted.owner) is None:
        yield f"there is nobody called {shown(wanted.owner)}"


async def _replace_entries(tx: Tx, server: str, wanted: dict[str, _Resolved]) -> None:
    for row in (await tx.scalars(select(EntryRow).where(EntryRow.server == server))).all():
        if wanted.get(row.name) == (row.tool_id, row.connection_id, row.needs_tasks):
            del wanted[row.name]
        else:
            await tx.delete(row)
    await tx.flush()  # first away, then new: names and tools may have changed places
    for name, (tool_id, connection_id, needs_tasks) in wanted.items():
        pair = {"tool_id": tool_id, "connection_id": connection_id}
        tx.add(EntryRow(server=server, name=name, **pair, needs_tasks=needs_tasks))
    await tx.flush()


async def _open_to(tx: Tx, wanted: ServerDefinition, authority: Authority) -> None:
    query = select(OpenServerRow.group_name).where(OpenServerRow.server == wanted.name)
    before, after = set(await tx.scalars(query)), set(wanted.groups)
    if before == after:
        return
    closed = (OpenServerRow.server == wanted.name, OpenServerRow.group_name.in_(before - after))
    await tx.execute(delete(OpenServerRow).where(*closed))
    tx.add_all(OpenServerRow(server=wanted.name, group_name=group) for group in sorted(after - before))
    await tx.flush()
    await authority.outdate_callers(tx)
