"""Giving and taking back standing grants: for calls like one that its giver could have voted on, and never wider."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connectors.sdk.vocabulary import Tier
from hub import reviews, standing
from hub.approvals import Question
from hub.approvals.rules import login_is_fresh
from hub.audit import Event, EventKind, append
from hub.core.errors import Conflict, Forbidden, FreshLoginNeeded, InputError, NotFound
from hub.identity import directory
from hub.identity.permissions import Permission, may
from hub.identity.principals import Principal, PrincipalKind
from hub.invocations.decisions import decide_on_vote
from hub.invocations.journal import WORK, hold, load
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.under_grant import case_of
from hub.invocations.values import Invocation
from hub.policy import Denied
from hub.registry import PublishedTool, read_current
from hub.standing import Case, Limit, NewStandingGrant, StandingGrant, is_single_vote, why_not
from hub.storage import Tx, now

LONGEST_REASON: Final = 2000
LONGEST: Final = timedelta(days=90)
MOST_USES: Final = 10_000
MOST_MONEY: Final = 2**53 - 1
FRESH: Final = timedelta(minutes=10)
"""How young the login of somebody must be who grants writes of a high tier in production."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wants to allow in advance: calls like `like`, within these limits, so often and so long.

    Amounts are in minor units of the currency that the example moves. `most_rows` and `most_parties` bound each call;
    None is what the example reaches.
    """

    like: str
    giver: Principal
    authenticated_at: datetime
    reason: str
    uses: int
    lasts: timedelta
    limits: Mapping[str, Limit] = field(default_factory=dict[str, Limit])
    money_minor: int = 0
    money_per_call_minor: int = 0
    most_rows: int | None = None
    most_parties: int | None = None
    to_anybody: bool = False
    """Whether what happens beside the changes of the example may reach others than it reaches there."""


async def give(wanted: Wanted, runtime: Runtime) -> StandingGrant:
    """Put a standing grant on record, and return it.

    Raises:
        Conflict: what was asked, or the tool, has changed since the example; or people rejected it.
        Forbidden: the giver could not have voted on the example, or no grant can stand for what it asks.
        FreshLoginNeeded: the rule, or production, wants a younger login.
        InputError: a limit cannot be kept, or a figure is out of bounds.
        NotFound: nobody was asked about the example.
    """
    _check_figures(wanted)
    async with runtime.database.transaction() as tx:
        await hold(tx, wanted.like)
        example = await load(tx, wanted.like)
        question = example.question
        if question is None or example.preview is None or question.revision != example.revision:
            raise NotFound("Nobody is asked about this invocation.")
        if example.state is State.REJECTED:
            raise Conflict("People rejected this call, so nothing is granted like it; grant from one they approved.")
        if await reviews.is_disputed(tx, example.id):
            raise Conflict("Somebody has disputed this call, so nothing is granted like it; grant from another one.")
        tool = await read_current(
            tx, example.tool_version_id, example.connection_id, server=example.server, name=example.tool_name
        )
        await _check_giver(tx, wanted, example, tool, runtime)
        case = await case_of(tx, example, tool, question.obligations, runtime.keys)
        _check_question(wanted, case, question, at=await now(tx))
        grant = await standing.put_grant(tx, _granted(wanted, example, case, at=await now(tx)))
        _check_example(grant, case)
        event = Event(
            kind=EventKind.STANDING_GRANTED,
            subject=grant.id,
            actor=grant.giver_id,
            agent=grant.agent_id,
            facts=_facts(grant),
            private={
                "reason": grant.reason,
                "limits": {name: limit.as_json() for name, limit in grant.limits.items()},
                "side_effects": [list(one) for one in grant.side_effects],
                "not_covered": sorted(grant.not_covered),
            },
        )
        await append(tx, event, runtime.keys)
        return grant


async def take_back(grant_id: str, *, by: Principal, reason: str, runtime: Runtime) -> StandingGrant:
    """Revoke a grant: what it approved and is not sent is not sent any more.

    Raises:
        Conflict: it was revoked before.
        InputError: the reason is missing or too long.
        NotFound: there is none, or it is none of this person's business.
    """
    why = reason.strip()
    if not why or len(why) > LONGEST_REASON:
        raise InputError(f"Say in at most {LONGEST_REASON} characters why you take it back.")
    async with runtime.database.transaction() as tx:
        await see(tx, grant_id, by)
        grant = await standing.revoke_grant(tx, grant_id, by=by.id, reason=why)
        await _tell_revoked(tx, grant, runtime)
        return grant


async def take_back_like(tx: Tx, invocation_id: str, why: str, *, by: str, runtime: Runtime) -> None:
    """Revoke every grant that was made from a call, because of what people say of it now.

    The caller holds the invocation, so that no grant is made from it at the same time.
    """
    for grant in await standing.revoke_like(tx, invocation_id, by=by, reason=why):
        await _tell_revoked(tx, grant, runtime)


async def _tell_revoked(tx: Tx, grant: StandingGrant, runtime: Runtime) -> None:
    event = Event(
        kind=EventKind.STANDING_REVOKED,
        subject=grant.id,
        actor=grant.revoked_by,
        agent=grant.agent_id,
        facts={"uses_left": grant.uses_left, "money_left_minor": grant.money_left_minor},
        private={"reason": grant.revoked_reason},
    )
    await append(tx, event, runtime.keys)
    await runtime.database.signal(tx, WORK)


async def see(tx: Tx, grant_id: str, person: Principal) -> StandingGrant:
    """Return a grant to those who may see it and take it back: its giver, its group, whoever answers for the agent,
    and those who may stop things.

    Raises:
        NotFound: there is none, or it is none of this person's business.
    """
    grant = await standing.get_grant(tx, grant_id)
    agent = await directory.get(tx, grant.agent_id)
    answers = person.id in {grant.giver_id, agent.owner_id} and not person.is_suspended
    if not (answers or grant.asked.admits(person.groups) or may(person, Permission.STOP_THINGS)):
        raise NotFound("There is no such standing grant.")
    return grant


async def seen_by(tx: Tx, person: Principal) -> list[StandingGrant]:
    """Return the grants of a person and its groups, the newest first; those who may stop things see all."""
    everybody = may(person, Permission.STOP_THINGS)
    return await standing.grants_of(tx, giver_id=None if everybody else person.id, groups=person.groups)


def _check_figures(wanted: Wanted) -> None:
    reason = wanted.reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise InputError(f"Say in at most {LONGEST_REASON} characters why such calls need no question.")
    if not 1 <= wanted.uses <= MOST_USES:
        raise InputError(f"A standing grant is good for 1 to {MOST_USES:,} uses.")
    if not timedelta(0) < wanted.lasts <= LONGEST:
        raise InputError(f"A standing grant lasts at most {LONGEST.days} days, and longer than nothing.")
    figures = (wanted.money_minor, wanted.money_per_call_minor, wanted.most_rows or 0, wanted.most_parties or 0)
    if not all(0 <= one <= MOST_MONEY for one in figures):
        raise InputError("Amounts and counts are not below 0.")
    if wanted.money_per_call_minor > wanted.money_minor:
        raise InputError("One call cannot move more money than all of them together.")


async def _check_giver(tx: Tx, wanted: Wanted, example: Invocation, tool: PublishedTool, runtime: Runtime) -> None:
    giver = wanted.giver
    if giver.kind is not PrincipalKind.USER or giver.is_suspended:
        raise Forbidden("Only a person with an active account may give a standing grant.")
    if isinstance(await decide_on_vote(tx, giver, example, tool, runtime), Denied):
        raise Forbidden("Policy does not let you approve such a call, so you cannot grant it.")


def _check_question(wanted: Wanted, case: Case, question: Question, *, at: datetime) -> None:
    if wanted.giver.id in case.excluded | question.excluded or wanted.giver.id == case.agent_owner_id:
        raise Forbidden("You take part in this call yourself; somebody else must decide about such calls.")
    if case.tier is Tier.CRITICAL or not is_single_vote(case.obligations):
        raise Forbidden("No standing grant can stand for this: it is critical, or needs more than one vote.")
    (asked,) = case.obligations
    if not asked.admits(wanted.giver.groups):
        raise Forbidden(f"Only members of {asked.whom} may grant such calls.")
    unknown = sorted(wanted.limits.keys() - case.facts.keys())
    if unknown:
        known = ", ".join(sorted(case.facts)) or "nothing"
        raise InputError(f"There is no fact {unknown[0]!r} to limit; this call tells {known}.")
    is_young = login_is_fresh(case.obligations, authenticated_at=wanted.authenticated_at, at=at)
    in_production = case.environment == "prod" and case.tier is Tier.HIGH
    if not is_young or (in_production and at - wanted.authenticated_at > FRESH):
        raise FreshLoginNeeded("This grant needs a fresh login. Enter your password again, then grant it.")


def _granted(wanted: Wanted, example: Invocation, case: Case, *, at: datetime) -> NewStandingGrant:
    blast = case.blast
    return NewStandingGrant(
        giver_id=wanted.giver.id,
        asked=case.obligations[0],
        agent_id=case.agent_id,
        tool_id=case.tool_id,
        tool_name=example.tool_name,
        tool_version_digest=case.tool_version_digest,
        connection_id=case.connection_id,
        connection_generation=case.connection_generation,
        environment=case.environment,
        tier=case.tier,
        limits=dict(wanted.limits),
        most_rows=blast.rows if wanted.most_rows is None else wanted.most_rows,
        most_parties=blast.parties if wanted.most_parties is None else wanted.most_parties,
        side_effects=case.side_effects,
        not_covered=case.not_covered,
        to_anybody=wanted.to_anybody,
        uses=wanted.uses,
        money_minor=wanted.money_minor,
        money_per_call_minor=wanted.money_per_call_minor,
        currency=blast.currency or "",
        reason=wanted.reason.strip(),
        like_invocation_id=example.id,
        authenticated_at=wanted.authenticated_at,
        given_at=at,
        expires_at=at + wanted.lasts,
    )


def _check_example(grant: StandingGrant, case: Case) -> None:
    """Refuse a grant that would not even cover what it was made from: its giver has got something wrong."""
    if why := why_not(grant, case):
        raise Conflict(f"The grant would not cover the call it is made from: {why}. Nothing was granted.")


def _facts(grant: StandingGrant) -> dict[str, object]:
    return {
        "group": grant.group,
        "tool": grant.tool_name,
        "tool_id": grant.tool_id,
        "tool_version_digest": grant.tool_version_digest,
        "connection_id": grant.connection_id,
        "connection_generation": grant.connection_generation,
        "environment": grant.environment,
        "tier": grant.tier.value,
        "limited": sorted(grant.limits),
        "most_rows": grant.most_rows,
        "most_parties": grant.most_parties,
        "to_anybody": grant.to_anybody,
        "uses": grant.uses,
        "money_minor": grant.money_minor,
        "money_per_call_minor": grant.money_per_call_minor,
        "currency": grant.currency,
        "like": grant.like_invocation_id,
        "authenticated_at": grant.authenticated_at.isoformat(),
        "expires_at": grant.expires_at.isoformat(),
    }
