"""Reading principals: by id, by name, page by page."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import select

from hub.core.errors import NotFound
from hub.identity.principals import Principal, PrincipalKind, Role
from hub.identity.tables import ClientRow, GroupMemberRow, OpenServerRow, PrincipalRow
from hub.storage import Tx

MAX_PAGE: Final = 200


def is_plain(text: str) -> bool:
    """Return whether `text` can be an id or a name at all; what is not is never put to the database.

    A null character or half a surrogate pair, which a path or a form may carry, would make a query fail.
    """
    return text.isascii() and text.isprintable()


async def get(tx: Tx, principal_id: str) -> Principal:
    """Return the principal with this id.

    Raises:
        NotFound: there is none.
    """
    found = await get_many(tx, [principal_id])
    if principal_id not in found:
        raise NotFound(f"There is no principal {principal_id!r}.")
    return found[principal_id]


async def get_many(tx: Tx, principal_ids: Sequence[str]) -> dict[str, Principal]:
    """Return those of the principals that exist, by id."""
    possible = {principal_id for principal_id in principal_ids if is_plain(principal_id)}
    rows = (await tx.scalars(select(PrincipalRow).where(PrincipalRow.id.in_(possible)))).all()
    return {principal.id: principal for principal in await _principals(tx, rows)}


async def agents_of(tx: Tx, person_id: str) -> frozenset[str]:
    """Return the ids of the agents that a person looks after."""
    return frozenset(await tx.scalars(select(PrincipalRow.id).where(PrincipalRow.owner_id == person_id)))


async def find(tx: Tx, name: str) -> Principal | None:
    """Return the principal called `name`, whatever its case, or None."""
    if not is_plain(name):
        return None
    row = await tx.scalar(select(PrincipalRow).where(PrincipalRow.name == name.lower()))
    return None if row is None else (await _principals(tx, [row]))[0]


async def page(
    tx: Tx, *, kind: PrincipalKind | None = None, after: str | None = None, limit: int = 50
) -> list[Principal]:
    """Return up to `limit` principals in the order of their names, those behind the name `after` first."""
    query = select(PrincipalRow).order_by(PrincipalRow.name).limit(min(limit, MAX_PAGE))
    if kind is not None:
        query = query.where(PrincipalRow.kind == kind.value)
    if after is not None:
        query = query.where(PrincipalRow.name > after)
    return await _principals(tx, (await tx.scalars(query)).all())


async def members(tx: Tx, group: str) -> list[Principal]:
    """Return the principals in `group` that are not suspended, in the order of their names."""
    query = (
        select(PrincipalRow)
        .join(GroupMemberRow, GroupMemberRow.principal_id == PrincipalRow.id)
        .where(GroupMemberRow.group_name == group, PrincipalRow.suspended_at.is_(None))
        .order_by(PrincipalRow.name)
    )
    return await _principals(tx, (await tx.scalars(query)).all())


async def people_with(tx: Tx, role: Role) -> list[Principal]:
    """Return the people with `role` that are not suspended, in the order of their names."""
    query = (
        select(PrincipalRow)
        .where(PrincipalRow.kind == PrincipalKind.USER.value, PrincipalRow.suspended_at.is_(None))
        .order_by(PrincipalRow.name)
    )
    return await _principals(tx, [row for row in await tx.scalars(query) if role.value in row.roles])


async def people_in(tx: Tx, groups: Collection[str]) -> dict[str, frozenset[str]]:
    """Return who of the people that are not suspended is in one of `groups`, by id, and in which of them."""
    query = (
        select(GroupMemberRow.principal_id, GroupMemberRow.group_name)
        .join(PrincipalRow, PrincipalRow.id == GroupMemberRow.principal_id)
        .where(
            GroupMemberRow.group_name.in_(sorted(groups)),
            PrincipalRow.suspended_at.is_(None),
            PrincipalRow.kind == PrincipalKind.USER.value,
        )
        .order_by(PrincipalRow.id)
    )
    found: dict[str, frozenset[str]] = {}
    for person, group in await tx.execute(query):
        found[person] = found.get(person, frozenset()) | {group}
    return found


async def _principals(tx: Tx, rows: Sequence[PrincipalRow]) -> list[Principal]:
    ids = [row.id for row in rows]
    if not ids:
        return []
    groups: dict[str, set[str]] = {}
    places = select(GroupMemberRow.principal_id, GroupMemberRow.group_name).where(GroupMemberRow.principal_id.in_(ids))
    for principal_id, group in await tx.execute(places):
        groups.setdefault(principal_id, set()).add(group)
    clients = {
        client.principal_id: client
        for client in await tx.scalars(select(ClientRow).where(ClientRow.principal_id.in_(ids)))
    }
    opened = await _opened_to(tx, {group for row in rows if row.id in clients for group in groups.get(row.id, ())})
    return [_principal(row, groups.get(row.id, set()), clients.get(row.id), opened) for row in rows]


async def _opened_to(tx: Tx, groups: Collection[str]) -> dict[str, set[str]]:
    """Return the servers that are open to each of these groups."""
    found = dict[str, set[str]]()
    if groups:
        query = select(OpenServerRow.group_name, OpenServerRow.server).where(OpenServerRow.group_name.in_(groups))
        for group, server in await tx.execute(query):
            found.setdefault(group, set()).add(server)
    return found


def _principal(
    row: PrincipalRow, groups: set[str], client: ClientRow | None, opened: Mapping[str, set[str]]
) -> Principal:
    return Principal(
        id=row.id,
        kind=PrincipalKind(row.kind),
        name=row.name,
        display_name=row.display_name,
        groups=frozenset(groups),
        roles=frozenset(Role(role) for role in row.roles),
        owner_id=row.owner_id,
        is_suspended=row.suspended_at is not None,
        email=row.email,
        allowed_scopes=frozenset(client.allowed_scopes) if client else frozenset(),
        allowed_servers=frozenset(client.allowed_servers) if client else frozenset(),
        group_servers=frozenset(one for group in groups for one in opened.get(group, ())) if client else frozenset(),
        agent_version=client.version if client else 0,
        needs_bound_tokens=client.needs_bound_tokens if client else False,
    )
