"""What was declared of an agent, as numbered versions that never change; a token is bound to one of them.

A token never gets more than its version allowed, nor more than the newest one does: a wider declaration widens no token
that is out, a narrower one narrows all of them at once.

By which secret or keys an agent proves who it is belongs to its credentials, and not to what is declared of it:
rotating a key makes it no other agent, and must not end the trust that a version has earned. A key that is replaced
proves nothing from that moment on, whatever the version; each change of keys is an event with the thumbprints.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from hub.audit import EventKind
from hub.core.canonical import digest
from hub.core.errors import InputError, NotFound
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.principals import Principal
from hub.identity.tables import AgentVersionRow, ClientRow
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

LONGEST_STATEMENT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentVersion:
    """One version of an agent's declaration; its digest is over all of the latter."""

    agent_id: str
    number: int
    digest: str
    declaration: Mapping[str, Json]
    declared_by: str | None
    declared_at: datetime

    def changed_from(self, before: "AgentVersion") -> dict[str, tuple[Json, Json]]:
        """Return what is declared otherwise than in `before`, by name, with both values."""
        names = sorted(self.declaration.keys() | before.declaration.keys())
        pairs = {name: (before.declaration.get(name), self.declaration.get(name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What an agent's owner states of it, believed by nobody: its model, and which prompt it runs with."""

    model: str = ""
    prompt: str = ""


async def declare(tx: Tx, client: ClientRow, authority: Authority) -> AgentVersion:
    """Put what is declared of a client now on record as its newest version, unless it is that already; return it."""
    principal = await get(tx, client.principal_id)
    declaration = _declaration(principal, client)
    newest = await find_version(tx, client.principal_id, client.version)
    if newest is not None and newest.digest == digest(declaration):
        return newest
    client.version += 1
    row = AgentVersionRow(
        agent_id=client.principal_id,
        number=client.version,
        digest=digest(declaration),
        declaration=declaration,
        declared_by=authority.by,
        declared_at=await now(tx),
    )
    tx.add(row)
    await tx.flush()
    facts = {"version": str(row.number), "digest": row.digest}
    await authority.record(tx, EventKind.AGENT_DECLARED, client.principal_id, **facts)
    await authority.outdate_callers(tx)
    return _version(row)


async def state(tx: Tx, agent_id: str, statement: Statement, authority: Authority) -> AgentVersion:
    """Put on record what its owner states of an agent, as a new version if it is something else; return the version.

    Raises:
        InputError: it is too long.
        NotFound: there is no such agent.
    """
    if max(len(statement.model), len(statement.prompt)) > LONGEST_STATEMENT:
        raise InputError(f"Model and prompt take at most {LONGEST_STATEMENT} characters each; name a prompt by digest.")
    client = await tx.get(ClientRow, agent_id, populate_existing=True, with_for_update=True)
    if client is None:
        raise NotFound(f"There is no agent {agent_id!r}.")
    client.model, client.prompt = statement.model.strip(), statement.prompt.strip()
    await tx.flush()
    return await declare(tx, client, authority)


async def find_version(tx: Tx, agent_id: str, number: int) -> AgentVersion | None:
    """Return one version of an agent, or None: there is none with this number."""
    row = await tx.get(AgentVersionRow, (agent_id, number))
    return None if row is None else _version(row)


async def agent_versions(tx: Tx, agent_id: str, *, limit: int = 50) -> list[AgentVersion]:
    """Return the versions of an agent, the newest first."""
    query = select(AgentVersionRow).where(AgentVersionRow.agent_id == agent_id)
    rows = await tx.scalars(query.order_by(AgentVersionRow.number.desc()).limit(limit))
    return [_version(row) for row in rows]


async def as_of(tx: Tx, agent: Principal, number: int) -> Principal:
    """Return `agent` as a token of its version `number` may act: with what both that and the newest version allow.

    A version that is not on record allows nothing. People have no versions: theirs is 0.
    """
    if number == 0 and agent.agent_version == 0:
        return agent
    then = await find_version(tx, agent.id, number)
    scopes, servers = (then.declaration["scopes"], then.declaration["servers"]) if then else ((), ())
    return replace(
        agent,
        agent_version=number,
        allowed_scopes=agent.allowed_scopes & frozenset(scopes),
        allowed_servers=agent.allowed_servers & frozenset(servers),
    )


def _declaration(principal: Principal, client: ClientRow) -> dict[str, Json]:
    return {
        "name": principal.name,
        "display_name": principal.display_name,
        "kind": principal.kind.value,
        "owner": principal.owner_id,
        "scopes": sorted(client.allowed_scopes),
        "servers": sorted(client.allowed_servers),
        "redirect_uris": list(client.redirect_uris),
        "authentication": client.authentication,
        "model": client.model,
        "prompt": client.prompt,
    }


def _version(row: AgentVersionRow) -> AgentVersion:
    return AgentVersion(
        agent_id=row.agent_id,
        number=row.number,
        digest=row.digest,
        declaration=row.declaration,
        declared_by=row.declared_by,
        declared_at=row.declared_at,
    )
