"""Proposals: what a server is to be where that takes two people, and the second person's word on it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import select

from hub.audit import EventKind
from hub.core.errors import ChangedSinceSeen, Conflict, Forbidden, FreshLoginNeeded, InputError, NotFound
from hub.core.ids import is_id, new_id
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.permissions import Permission, may
from hub.identity.principals import PrincipalKind
from hub.registry.defining import check_definition, put_in_effect
from hub.registry.looking_after import require_server_steward
from hub.registry.server_definitions import NOTHING, Difference, ServerDefinition, definition_of, differences
from hub.registry.tables import ServerProposalRow, ServerRow
from hub.storage import Tx, now

FRESH: Final = timedelta(minutes=10)
"""How old the login of the second person may be."""
_LONGEST_REASON: Final = 500
_MOST: Final = 100


class ProposalState(StrEnum):
    """What became of a proposal."""

    WAITING = "waiting"
    PUBLISHED = "published"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProposal:
    """What somebody wants a server to be; `digest` stands for it and for what it would replace."""

    id: str
    wanted: ServerDefinition
    changes: tuple[Difference, ...]
    reason: str
    proposed_by: str | None
    proposed_at: datetime
    state: ProposalState
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondPerson:
    """Which state of a proposal somebody has looked at, and when that person last logged in."""

    digest: str
    authenticated_at: datetime | None = None


async def propose_server(tx: Tx, wanted: ServerDefinition, reason: str, authority: Authority) -> ServerProposal:
    """Put on record what a server is to be, for another person to publish; nothing changes yet.

    Raises:
        InputError: there is no reason, nothing would change, or something it names is not there or does not fit.
        Conflict: it is retired, or of another environment.
        Forbidden: it is nobody who may change it.
    """
    if not reason.strip():
        raise InputError("Say why; the second person reads it.")
    if not await check_definition(tx, wanted, authority):
        raise InputError("Nothing would change.")
    before = await definition_of(tx, wanted.name)
    row = ServerProposalRow(
        id=new_id("spr"),
        server=wanted.name,
        definition=wanted.model_dump(mode="json"),
        former_digest=before.digest if before else NOTHING,
        reason=reason.strip()[:_LONGEST_REASON],
        proposed_by=authority.by,
        proposed_at=await now(tx),
        state=ProposalState.WAITING.value,
    )
    tx.add(row)
    await tx.flush()
    facts = {"proposal": row.id, "environment": wanted.environment.value, "digest": wanted.digest, "reason": row.reason}
    await authority.record(tx, EventKind.SERVER_PROPOSED, wanted.name, **facts)
    return await _proposal(tx, row)


async def publish_server(tx: Tx, proposal_id: str, second: SecondPerson, authority: Authority) -> ServerProposal:
    """Make a server what was proposed, by another person than the one who proposed it.

    Raises:
        ChangedSinceSeen: the proposal, or what it would replace, is not what this person looked at.
        Conflict: it does not wait any more, or the server has changed since it was proposed.
        Forbidden: this person may not decide.
        FreshLoginNeeded: its login is older than `FRESH`.
        InputError: something it names is not there any more.
        NotFound: there is no such proposal.
    """
    row = await _waiting(tx, proposal_id)
    wanted = ServerDefinition.model_validate(row.definition)
    await _require_second(tx, row, second, authority)
    seen = await _proposal(tx, row)
    if second.digest != seen.digest:
        raise ChangedSinceSeen("The proposal has changed since you looked at it. Look again, then decide.")
    before = await definition_of(tx, wanted.name)
    if row.former_digest != (before.digest if before else NOTHING):
        raise Conflict("The server has changed since this was proposed. Look at both and propose again.")
    await put_in_effect(tx, wanted, authority)
    await _decide(tx, row, ProposalState.PUBLISHED, authority)
    return seen


async def reject_proposal(tx: Tx, proposal_id: str, reason: str, authority: Authority) -> None:
    """Say no to a proposal, or take one's own back.

    Raises:
        Conflict: it does not wait any more.
        Forbidden: it is nobody who may change the server.
        InputError: there is no reason.
        NotFound: there is no such proposal.
    """
    row = await _waiting(tx, proposal_id)
    if not reason.strip():
        raise InputError("Say why not; it is kept on record.")
    await require_server_steward(tx, await tx.get(ServerRow, row.server, populate_existing=True), authority)
    await _decide(tx, row, ProposalState.REJECTED, authority)
    facts = {"proposal": row.id, "reason": reason.strip()[:_LONGEST_REASON]}
    await authority.record(tx, EventKind.SERVER_REJECTED, row.server, **facts)


async def server_proposals(tx: Tx, server: str | None = None) -> list[ServerProposal]:
    """Return what waits for a second person, the oldest first; of one server, or of all."""
    query = select(ServerProposalRow).where(ServerProposalRow.state == ProposalState.WAITING.value)
    if server is not None:
        query = query.where(ServerProposalRow.server == server)
    rows = (await tx.scalars(query.order_by(ServerProposalRow.id).limit(_MOST))).all()
    return [await _proposal(tx, row) for row in rows]


async def get_server_proposal(tx: Tx, proposal_id: str) -> ServerProposal:
    """Return a proposal, whatever became of it.

    Raises:
        NotFound: there is none.
    """
    row = await tx.get(ServerProposalRow, proposal_id) if is_id(proposal_id, "spr") else None
    if row is None:
        raise NotFound("There is no such proposal.")
    return await _proposal(tx, row)


async def may_publish(tx: Tx, proposal: ServerProposal, person_id: str) -> bool:
    """Return whether somebody may be the second person, apart from how fresh the login is."""
    person = await get(tx, person_id)
    if person.kind is not PrincipalKind.USER or person.is_suspended or person.id == proposal.proposed_by:
        return False
    row = await tx.get(ServerRow, proposal.wanted.name)
    looks_after = row is not None and (row.owner_id == person.id or row.owner_group in person.groups)
    return looks_after or may(person, Permission.MANAGE_REGISTRY)


async def _require_second(tx: Tx, row: ServerProposalRow, second: SecondPerson, authority: Authority) -> None:
    if authority.by is None:
        raise Forbidden("A second person publishes this, on the server's page or by the API; the console is nobody.")
    if authority.by == row.proposed_by:
        raise Forbidden("You proposed this; another person publishes it.")
    if not await may_publish(tx, await _proposal(tx, row), authority.by):
        raise Forbidden(f"Only those who look after {row.server!r}, or an administrator, publish it.")
    if second.authenticated_at is None or await now(tx) - second.authenticated_at > FRESH:
        raise FreshLoginNeeded("Publishing a server needs a fresh login. Enter your password again, then publish.")


async def _waiting(tx: Tx, proposal_id: str) -> ServerProposalRow:
    query = select(ServerProposalRow).where(ServerProposalRow.id == proposal_id).with_for_update()
    row = await tx.scalar(query.execution_options(populate_existing=True)) if is_id(proposal_id, "spr") else None
    if row is None:
        raise NotFound("There is no such proposal.")
    if row.state != ProposalState.WAITING.value:
        raise Conflict(f"This proposal does not wait any more: it was {row.state}.")
    return row


async def _decide(tx: Tx, row: ServerProposalRow, state: ProposalState, authority: Authority) -> None:
    row.state, row.decided_by, row.decided_at = state.value, authority.by, await now(tx)
    await tx.flush()


async def _proposal(tx: Tx, row: ServerProposalRow) -> ServerProposal:
    wanted = ServerDefinition.model_validate(row.definition)
    before = await definition_of(tx, wanted.name)
    return ServerProposal(
        id=row.id,
        wanted=wanted,
        changes=differences(before, wanted),
        reason=row.reason,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        state=ProposalState(row.state),
        digest=f"{wanted.digest[:32]}{(before.digest if before else NOTHING)[:32]}",
    )
