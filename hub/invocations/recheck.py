"""Everything that must still hold when an approved write is about to be sent (governance, section 4).

Whoever removes one of these checks makes a test fail that is named after it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from connectors.sdk.errors import Unavailable
from connectors.sdk.rules import broken_rules
from hub import approvals, dryrun
from hub.approvals import Mandate, Question, Vote
from hub.approvals.mandates import people_of
from hub.budgets import OutOfReach, OverBudget
from hub.core.canonical import digest
from hub.core.errors import Malformed, NotFound, Quarantined
from hub.core.errors import Unavailable as HubUnavailable
from hub.dryrun import PreviewRecord, preview_digest
from hub.execution import Failed, Passed, Previewed, Violation
from hub.identity import directory
from hub.identity.principals import Caller, Principal
from hub.invocations.asking import ask_check, ask_preview
from hub.invocations.braking import Stopped
from hub.invocations.break_glass import glass_holds_no_longer
from hub.invocations.callers import caller_of
from hub.invocations.decisions import decide_on_mandate, decide_on_sending
from hub.invocations.journal import load
from hub.invocations.leave import demand_leave
from hub.invocations.plan_policy import of_plan_now, steps_ask_now
from hub.invocations.planning import preview_plan
from hub.invocations.request import intent_digest
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import bind, opened
from hub.invocations.under_grant import asks_for_more, no_longer_granted
from hub.invocations.under_plan import no_longer_planned, votes_on
from hub.invocations.untouched import Untouched, still_as_committed
from hub.invocations.values import ApprovedBy, Invocation
from hub.policy import REQUESTER, Decision, Denied, Obligation, Obliged, strictest
from hub.registry import PublishedTool, is_composite
from hub.storage import Tx

Json = Any
"""Any JSON value."""

_LATER: Final = frozenset({Unavailable.code, OverBudget.code, OutOfReach.code, Stopped.code})
"""What ends by itself: a system that does not answer, a limit or a switch that holds back the read of a plan."""
_OTHER_ARGUMENTS: Final = "the arguments on record are not the ones that were approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """Everything is as it was when the write was approved; this is the tool to send it with."""

    tool: PublishedTool
    decided: tuple[Decision, ...] = ()
    """What policy said of it just now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What was approved is not what would happen now; a sentence for each difference."""

    reasons: tuple[str, ...]
    decided: tuple[Decision, ...] = ()
    """What policy said, where that is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNow:
    """The system cannot be asked just now; the approval stands, and somebody will try again."""

    reason: str


async def recheck(claimed: Invocation, runtime: Runtime) -> Holds | Changed | NotNow:
    """Return whether everything that `claimed` was approved for still holds."""
    try:
        arguments = opened(claimed, runtime.keys)
    except Malformed:
        return Changed(reasons=(_OTHER_ARGUMENTS,))
    except HubUnavailable as unread:
        return NotNow(reason=unread.message)
    async with runtime.database.reading() as tx:
        caller = await caller_of(tx, claimed)
        if suspended := tuple(_of_caller(caller)):  # first: who is put out loses all leave with it
            return Changed(reasons=suspended)
        try:
            await demand_leave(tx, claimed, caller, public_url=runtime.public_url)
            tool = await runtime.catalog.current(tx, claimed.tool_name, server=claimed.server, caller=caller)
        except (NotFound, Quarantined) as refusal:
            return Changed(reasons=(refusal.message,))
        except HubUnavailable as refusal:
            return NotNow(reason=refusal.message)
        reasons = [*_of_tool(claimed, tool, arguments)]
        reasons = reasons or await _of_approval(tx, claimed, tool, runtime)
    return Changed(reasons=tuple(reasons)) if reasons else await _decided(claimed, tool, runtime)


async def _decided(claimed: Invocation, tool: PublishedTool, runtime: Runtime) -> Holds | Changed | NotNow:
    """Let policy decide again, and then look at the record: the decision that stands goes where the write goes."""
    decided = await decide_on_sending(claimed, tool, runtime)
    found = await _of_policy(claimed, tool, decided, runtime) or await _of_record(claimed, tool, runtime)
    return replace(found, decided=decided) if isinstance(found, Holds) else found


def _of_caller(caller: Caller) -> Iterator[str]:
    for one in (caller.actor, caller.on_behalf_of):
        if one is not None and one.is_suspended:
            yield f"{one.display_name} is suspended"


def _of_tool(claimed: Invocation, tool: PublishedTool, arguments: Mapping[str, Json]) -> Iterator[str]:
    if tool.version.digest != claimed.tool_version_digest:
        yield "the tool has a new version"
    if tool.connection.id != claimed.connection_id:
        yield "the tool now uses another connection"
    elif tool.connection.generation != claimed.connection_generation:
        yield "the connection has been changed or signed in anew"
    tier = tool.tier_for(arguments)
    if tier.rank > claimed.tier.rank:
        yield f"its risk tier is now {tier.value}"


async def _of_approval(tx: Tx, claimed: Invocation, tool: PublishedTool, runtime: Runtime) -> list[str]:
    """Check that the permission is for exactly this, and that those who gave it still may."""
    preview = claimed.preview
    if preview is None or preview_digest(preview.preview) != preview.digest:
        return ["the preview on record is not the one that was approved"]
    bound = bind(tool, opened(claimed, runtime.keys), runtime.keys)
    intended = intent_digest(
        tool,
        agent_id=claimed.agent_id,
        on_behalf_of_id=claimed.on_behalf_of_id,
        arguments=bound,
        undoes=claimed.undoes,
    )
    if intended != claimed.intent_digest or bound.shown != claimed.arguments:
        return [_OTHER_ARGUMENTS]
    if claimed.approved_by is ApprovedBy.GRANT:
        return await no_longer_granted(tx, claimed, tool, runtime)
    if claimed.approved_by is ApprovedBy.PLAN:
        return await no_longer_planned(tx, claimed, tool, runtime) or await _of_plan(tx, claimed, tool, runtime)
    return await _of_question(tx, claimed, preview, tool, runtime)


async def _of_question(
    tx: Tx, claimed: Invocation, preview: PreviewRecord, tool: PublishedTool, runtime: Runtime
) -> list[str]:
    question = claimed.question
    if question is None or question.revision != claimed.revision:
        return []  # approved by policy; `_of_policy` asks it again
    if not _is_bound(question, claimed, preview):
        return ["the approval on record is for something else"]
    if claimed.approved_by is ApprovedBy.NOBODY and (void := await glass_holds_no_longer(tx, claimed, tool, runtime)):
        return void
    return await _of_voters(tx, question, claimed, tool, runtime)


async def _of_plan(tx: Tx, claimed: Invocation, tool: PublishedTool, runtime: Runtime) -> list[str]:
    """Check that those who approved the plan of a step still may; an undo is sent whoever has left since."""
    if claimed.part is None or claimed.undoes is not None:
        return []
    plan = await load(tx, claimed.part.plan_id)
    if plan.question is None or plan.preview is None or plan.approved_by is not ApprovedBy.PEOPLE:
        return []
    if not _is_bound(plan.question, plan, plan.preview):
        return ["the approval of its plan is for something else"]
    return await _of_voters(tx, plan.question, claimed, tool, runtime)


def _is_bound(question: Question, claimed: Invocation, preview: PreviewRecord) -> bool:
    """Return whether the question on record is the one the digest stands for, and is about exactly this write."""
    bound_to = question.terms
    return (
        question.digest == claimed.approval_digest == digest(bound_to)
        and bound_to["intent_digest"] == claimed.intent_digest
        and bound_to["preview_digest"] == preview.digest
        and bound_to["summary_digest"] == digest(question.summary)
        and bound_to["obligations"] == [one.as_json() for one in question.obligations]
        and datetime.fromisoformat(bound_to["expires_at"]) == claimed.expires_at
    )


async def _of_voters(
    tx: Tx, question: Question, claimed: Invocation, tool: PublishedTool, runtime: Runtime
) -> list[str]:
    behind = {one for vote in question.votes for one in people_of(vote)}
    people = await directory.get_many(tx, sorted(behind))
    votes = [
        replace(vote, groups=await _groups_now(tx, _as_cast(vote, people), claimed, tool, runtime))
        for vote in question.votes
        if people_of(vote) <= people.keys() and _takes_no_part(vote, question)
    ]
    still = approvals.standing(_to_be_met(claimed, question.obligations), votes)
    return [] if isinstance(still, approvals.Granted) else ["somebody who approved it may no longer do so"]


def _takes_no_part(vote: Vote, question: Question) -> bool:
    """Return whether nobody behind a vote owns the agent by now, or else is its requester, who confirms its own."""
    return REQUESTER in vote.groups or not people_of(vote) & question.excluded


def _to_be_met(claimed: Invocation, asked: Sequence[Obligation]) -> Sequence[Obligation]:
    """Return what votes have to meet: broken glass stands for those of all but the requester."""
    return [one for one in asked if one.is_confirmation] if claimed.approved_by is ApprovedBy.NOBODY else asked


def _as_cast(vote: Vote, people: Mapping[str, Principal]) -> Mandate:
    counts_as = people[vote.for_id or vote.voter_id]
    return Mandate(voter=people[vote.voter_id], counts_as=counts_as, groups=vote.groups)


async def _groups_now(
    tx: Tx, mandate: Mandate, claimed: Invocation, tool: PublishedTool, runtime: Runtime
) -> frozenset[str]:
    """Return for which groups a vote still counts; one by a deputy, for those of the person who was away."""
    if mandate.voter.is_suspended or mandate.counts_as.is_suspended:
        return frozenset()
    if isinstance(await decide_on_mandate(tx, mandate, claimed, tool, runtime), Denied):
        return frozenset()
    if REQUESTER in mandate.groups:
        return mandate.groups  # who it is done for does not change, and is in no group as that
    return mandate.counts_as.groups


async def _of_policy(
    claimed: Invocation, tool: PublishedTool, decided: tuple[Decision, ...], runtime: Runtime
) -> Changed | None:
    if any(isinstance(one, Denied) for one in decided):
        return Changed(reasons=("policy no longer allows it",), decided=decided)
    of_steps = await steps_ask_now(claimed, runtime)
    if of_steps.denied is not None:
        return Changed(reasons=("policy no longer allows one of its steps",), decided=(of_steps.denied,))
    if of_plan := await _of_its_plan(claimed, runtime):
        return Changed(reasons=tuple(of_plan))
    asked = next((one for one in decided if isinstance(one, Obliged)), None)
    if asked is not None and claimed.approved_by is ApprovedBy.GRANT:
        reasons = await asks_for_more(claimed, tool, asked, runtime)
    else:
        reasons = await _of_votes(claimed, (*(asked.obligations if asked else ()), *of_steps.obligations), runtime)
    return Changed(reasons=tuple(reasons), decided=decided) if reasons else None


async def _of_its_plan(claimed: Invocation, runtime: Runtime) -> list[str]:
    """Return why policy does not let the plan of a step go on; an undo is sent whatever it says of the plan by now."""
    if claimed.approved_by is not ApprovedBy.PLAN or claimed.part is None or claimed.undoes is not None:
        return []
    async with runtime.database.reading() as tx:
        plan = await load(tx, claimed.part.plan_id)
    return await of_plan_now(plan, runtime)


async def _of_votes(claimed: Invocation, asked: Sequence[Obligation], runtime: Runtime) -> list[str]:
    if not asked:
        return []
    votes = votes_on(claimed)
    if claimed.approved_by is ApprovedBy.PLAN and claimed.part is not None:
        async with runtime.database.reading() as tx:
            votes = votes_on(await load(tx, claimed.part.plan_id))
    if not isinstance(approvals.standing(strictest(_to_be_met(claimed, asked)), votes), approvals.Granted):
        return ["policy now asks for more approvals"]
    return []


async def _of_record(claimed: Invocation, tool: PublishedTool, runtime: Runtime) -> Holds | Changed | NotNow:
    """Look at the system again: would the same call still do the same?"""
    found = await still_as_committed(claimed, runtime)
    if not isinstance(found, Untouched):
        return NotNow(reason=found.message) if found.code == Unavailable.code else Changed(reasons=(found.message,))
    checked = await ask_check(claimed, tool, runtime)
    match checked.outcome:
        case Failed(code=Unavailable.code):
            return NotNow(reason=checked.outcome.message)
        case Failed() | Violation():
            return Changed(reasons=(f"the connector's own check says no: {checked.outcome.message}",))
        case Passed():
            return await _of_preview(claimed, tool, runtime)


async def _of_preview(claimed: Invocation, tool: PublishedTool, runtime: Runtime) -> Holds | Changed | NotNow:
    look = preview_plan if is_composite(tool.operation) else ask_preview
    ran = await look(claimed, tool, runtime)
    match ran.outcome:
        case Previewed(preview=fresh) if claimed.preview is not None:
            broken = broken_rules(tool.tool.rules, opened(claimed, runtime.keys), fresh.model_dump(mode="json"))
            differences = (*broken, *dryrun.drift(claimed.preview.preview, fresh))
            return Changed(reasons=differences) if differences else Holds(tool=tool)
        case Failed(code=code) if code in _LATER:
            return NotNow(reason=ran.outcome.message)
        case Failed() | Violation():
            return Changed(reasons=(f"the preview can no longer be taken: {ran.outcome.message}",))
        case _:
            return Changed(reasons=("there is no preview to compare with",))
