"""Trust in a version of an agent with a version of a tool, by what is on record: it grows slowly and is gone at once.

A level is a fact that policy may use. It rests on writes that were carried out and read back as previewed. One that
was not, or that a reviewer disputes, takes all of it away until whoever answers for the tool has looked; then it is
earned anew. A new version of the tool or of the agent starts at nothing, and keeps what went wrong before.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, func, select

from hub.audit import Event, EventKind, append
from hub.core.errors import InputError, NotFound
from hub.identity.authority import Authority
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import ApprovedBy, Invocation
from hub.registry import get_tool
from hub.registry.stewardship import Stewards, require_steward
from hub.reviews import Look, disputes_since, last_look, put_look
from hub.storage import Tx, now

STEPS: Final = (20, 100)
"""How many writes must have come out as previewed, without a dispute, for level 1 and for level 2."""
LONGEST_REASON: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How far an agent is trusted with a tool; `setback` is what took it away, until somebody has looked."""

    level: int
    proven: int
    """Writes that count, at most as many as the highest level needs."""
    setback: str = ""
    invocation_id: str | None = None
    """The write that the setback is about."""

    @property
    def why(self) -> str:
        """Say in words why it is this level."""
        if self.setback:
            return self.setback
        count = f"{self.proven} or more" if self.proven >= STEPS[-1] else str(self.proven)
        said = f"{count} writes with these versions came out as previewed, and nobody disputes one."
        return said if self.level >= len(STEPS) else f"{said} The next level takes {STEPS[self.level]}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Bond:
    """One version of an agent and one version of a tool."""

    agent_id: str
    agent_version: int
    tool_id: str
    tool_version_digest: str


async def trust_in(tx: Tx, invocation: Invocation) -> Trust:
    """Return how far the agent of a call is trusted with the version of the tool it calls."""
    return await trust_of(
        tx,
        Bond(
            agent_id=invocation.agent_id,
            agent_version=invocation.agent_version,
            tool_id=invocation.tool_id,
            tool_version_digest=invocation.tool_version_digest,
        ),
    )


async def trust_of(tx: Tx, bond: Bond) -> Trust:
    """Return how far an agent is trusted with a version of a tool, by what is on record now."""
    looked_at = await last_look(tx, bond.agent_id, bond.tool_id)
    diverged = await _divergence_since(tx, bond, looked_at)
    if diverged is not None:
        said = "A write did something else than its preview said, and nobody has looked since."
        return Trust(level=0, proven=0, setback=said, invocation_id=diverged)
    disputed = await disputes_since(tx, bond.agent_id, bond.tool_id, looked_at)
    if disputed is not None:
        said = "A reviewer disputes a write, and nobody has looked since."
        return Trust(level=0, proven=0, setback=said, invocation_id=disputed.invocation_id)
    proven = await _proven_since(tx, bond, looked_at)
    return Trust(level=sum(proven >= step for step in STEPS), proven=proven)


async def bonds_of_agent(tx: Tx, agent_id: str, *, limit: int = 50) -> list[tuple[str, Bond]]:
    """Return the tools, by name and version, that an agent has written with, the latest first."""
    return await _bonds(tx, InvocationRow.agent_id == agent_id, limit)


async def bonds_of_tool(tx: Tx, tool_id: str, tool_version_digest: str, *, limit: int = 50) -> list[tuple[str, Bond]]:
    """Return the agents that have written with one version of a tool, the latest first."""
    row = InvocationRow
    which = (row.tool_id == tool_id) & (row.tool_version_digest == tool_version_digest)
    return await _bonds(tx, which, limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Somebody who answers for a tool has looked at what an agent did wrong with it."""

    agent_id: str
    tool_id: str
    reason: str


async def restore(tx: Tx, looked: Looked, authority: Authority) -> None:
    """Let an agent earn trust with a tool again: its owner has looked.

    Raises:
        Forbidden: it is neither the owner of the tool nor an administrator.
        InputError: the reason is missing or too long.
        NotFound: there is no such tool, or the agent has never written with it.
    """
    reason = looked.reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise InputError(f"Say in at most {LONGEST_REASON} characters what you found.")
    tool = await get_tool(tx, looked.tool_id)
    await require_steward(tx, authority, Stewards(owner_id=tool.owner_id, what=f"the tool {tool.name!r}"))
    row = InvocationRow
    written = (row.agent_id == looked.agent_id, row.tool_id == looked.tool_id, row.sent_at.is_not(None))
    if await tx.scalar(select(row.id).where(*written).limit(1)) is None:
        raise NotFound("This agent has never written with this tool.")
    look = Look(
        agent_id=looked.agent_id,
        tool_id=looked.tool_id,
        looked_by=authority.by,
        reason=reason,
        looked_at=await now(tx),
    )
    await put_look(tx, look)
    event = Event(
        kind=EventKind.TRUST_RESTORED,
        subject=looked.tool_id,
        actor=authority.by,
        agent=looked.agent_id,
        facts={"tool": tool.name},
        private={"reason": reason},
    )
    await append(tx, event, authority.keys)


async def _divergence_since(tx: Tx, bond: Bond, since: datetime | None) -> str | None:
    row = InvocationRow
    query = select(row.id).where(
        row.agent_id == bond.agent_id,
        row.tool_id == bond.tool_id,
        row.state == State.DIVERGED.value,
        row.sent_at.is_not(None),
    )
    if since is not None:
        query = query.where(row.updated_at > since)
    found: str | None = await tx.scalar(query.order_by(row.updated_at.desc()).limit(1))
    return found


async def _proven_since(tx: Tx, bond: Bond, since: datetime | None) -> int:
    """Count what came out as previewed since somebody last looked; what nobody approved proves nothing."""
    row = InvocationRow
    proven = select(row.id).where(
        row.agent_id == bond.agent_id,
        row.tool_id == bond.tool_id,
        row.state == State.VERIFIED.value,
        row.sent_at.is_not(None),
        row.tool_version_digest == bond.tool_version_digest,
        row.agent_version == bond.agent_version,
        row.approved_by != ApprovedBy.NOBODY.value,
    )
    if since is not None:
        proven = proven.where(row.updated_at > since)
    enough = proven.limit(STEPS[-1]).subquery()
    return await tx.scalar(select(func.count()).select_from(enough)) or 0


async def _bonds(tx: Tx, which: ColumnElement[bool], limit: int) -> list[tuple[str, Bond]]:
    row = InvocationRow
    bond = (row.agent_id, row.agent_version, row.tool_id, row.tool_version_digest)
    query = (
        select(row.tool_name, *bond)
        .where(which, row.sent_at.is_not(None))
        .group_by(row.tool_name, *bond)
        .order_by(func.max(row.sent_at).desc())
        .limit(limit)
    )
    return [
        (name, Bond(agent_id=agent_id, agent_version=version, tool_id=tool_id, tool_version_digest=digest))
        for name, agent_id, version, tool_id, digest in await tx.execute(query)
    ]
