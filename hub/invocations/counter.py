"""Counter-proposals: an approver wants other arguments, which are checked like a call and make a new revision.

Approvers do not edit what they approve. The revision gets a preview and a question of its own, which its author does
not answer, and it never goes ahead without one: nobody has agreed to it yet.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from connectors.sdk.rules import broken_rules
from hub import approvals
from hub.approvals import Ballot, Counter
from hub.audit import EventKind
from hub.core.errors import Conflict, HubError, InputError
from hub.identity.principals import Caller
from hub.invocations.callers import caller_of
from hub.invocations.decisions import basis, decide_on_proposal, on_record
from hub.invocations.invoke import carry_on
from hub.invocations.journal import Step, hold, load, move
from hub.invocations.masking import mask_for, unmasked
from hub.invocations.overtaking import refuse_overtaken
from hub.invocations.preview import next_revision
from hub.invocations.provenance import trace
from hub.invocations.queries import current
from hub.invocations.refusals import record_refusal
from hub.invocations.refuse import NotByPolicy
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import opened, with_secrets
from hub.invocations.states import MOST_REVISIONS, State
from hub.invocations.values import Invocation
from hub.invocations.votes import attempt_to_vote, opinion, refuse_denied
from hub.policy import Decision, Denied
from hub.registry import PublishedTool, arguments_of_any_size
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

CODE: Final = "counter"
"""How a refused counter-proposal is called on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterProposal:
    """What an approver hands in: a ballot against what the page showed, and the arguments it wants instead."""

    ballot: Ballot
    arguments: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """A counter-proposal that may be made."""

    tool: PublishedTool
    arguments: dict[str, Json]
    decision: Decision


async def counter(proposal: CounterProposal, runtime: Runtime) -> Invocation:
    """Replace what is asked by what `proposal` wants, and return how the invocation stands then.

    Raises:
        ArgumentsInvalid: the arguments break the tool's input schema; names every violation.
        ChangedSinceSeen: the proposal is about something older than what is asked now.
        Conflict: the question is closed, the tool has changed, or there were too many revisions.
        Forbidden: the author may not decide this, or the agent may not ask for it.
        InputError: a reason is missing, nothing is different, or a business rule is broken.
        NotFound: nothing is asked about this invocation.
    """
    ballot = proposal.ballot
    try:
        meant = await _unmasked(proposal, runtime)
        async with runtime.database.transaction() as tx:
            revised, tool = await _supersede(tx, meant, runtime)
    except HubError as refusal:
        await record_refusal(attempt_to_vote(ballot, CODE), refusal, runtime)
        raise
    with suppress(Conflict):  # called off, or taken over by a worker: how it stands is on record
        if done := await runtime.tasks.within(runtime.answer_seconds, carry_on(revised, tool, runtime)):
            return done
    return await current(runtime, revised.id)


async def _unmasked(proposal: CounterProposal, runtime: Runtime) -> CounterProposal:
    """Return the proposal with the values that its author was shown as markers, and left where they were.

    They are those of the call as it stands; a proposal about an older one is refused by its digest.
    """
    standing = await current(runtime, proposal.ballot.invocation_id)
    hiding = await mask_for(Caller(actor=proposal.ballot.voter), standing, runtime)
    return replace(proposal, arguments=unmasked(proposal.arguments, standing, hiding))


async def _supersede(tx: Tx, proposal: CounterProposal, runtime: Runtime) -> tuple[Invocation, PublishedTool]:
    ballot = proposal.ballot
    await hold(tx, ballot.invocation_id)
    question, mandate = await approvals.admit(tx, ballot)
    standing = await load(tx, ballot.invocation_id)
    if question.awaits_requester:
        raise Conflict("You are asked about exactly this. Decline it, and tell the agent what you want instead.")
    if standing.revision >= MOST_REVISIONS:
        raise Conflict(f"It has been revised {MOST_REVISIONS - 1} times, which is the most. Approve it or reject it.")
    if standing.undoes is not None:
        raise Conflict("An undo has the arguments of what it undoes. Approve it or reject it.")
    refuse_denied(await opinion(tx, mandate, standing, runtime))
    await refuse_overtaken(tx, standing, public_url=runtime.public_url)
    checked = await _check(tx, proposal, standing, runtime)
    at = await now(tx)
    changes = next_revision(standing, checked.tool, checked.arguments, runtime.keys)
    traces = await trace(tx, replace(standing, arguments=changes["arguments"]), runtime.keys)
    changes["provenance"] = [one.as_json() for one in traces]
    made = Counter(
        revision=standing.revision + 1,
        author_id=ballot.voter.id,
        for_id=mandate.for_id,
        groups=mandate.groups,
        reason=ballot.reason.strip(),
        before=standing.arguments,
        after=changes["arguments"],
        obligations=question.obligations,
        made_at=at,
    )
    await approvals.keep_counter(tx, standing.id, made)
    step = Step(
        to=State.PREVIEWING,
        event=EventKind.INVOCATION_SUPERSEDED,
        facts={
            **on_record(checked.decision),
            "by": ballot.voter.id,
            "in_place_of": mandate.for_id,
            "groups": sorted(mandate.groups),
            "superseded": question.digest,
            "next_revision": made.revision,
        },
        private={"arguments": changes["arguments"], "reason": made.reason, **basis(checked.decision)},
        changes={**changes, "lease_until": at + timedelta(seconds=runtime.lease_seconds)},
        by=ballot.voter.id,
    )
    return await move(tx, runtime, standing, step), checked.tool


async def _check(tx: Tx, proposal: CounterProposal, standing: Invocation, runtime: Runtime) -> _Checked:
    """Check the arguments as those of a call by the agent, as it and its tool stand now."""
    caller = await caller_of(tx, standing)
    tool = await runtime.catalog.current(tx, standing.tool_name, server=standing.server, caller=caller)
    _check_same(tool, standing)
    arguments = await arguments_of_any_size(tool, with_secrets(proposal.arguments, standing, runtime.keys))
    if arguments == opened(standing, runtime.keys):
        raise InputError("These are the arguments that were asked for. Change something, or approve it as it is.")
    if broken := broken_rules(tool.tool.rules, arguments):
        raise InputError(f"This breaks a rule of the tool's owner: {'; '.join(broken)}")
    decision = await decide_on_proposal(tx, standing, tool, arguments, runtime)
    if isinstance(decision, Denied):
        raise NotByPolicy("The agent may not ask for this.", decision)
    return _Checked(tool=tool, arguments=arguments, decision=decision)


def _check_same(tool: PublishedTool, standing: Invocation) -> None:
    is_same = (
        tool.version.digest == standing.tool_version_digest
        and tool.connection.id == standing.connection_id
        and tool.connection.generation == standing.connection_generation
    )
    if not is_same:
        raise Conflict("The tool or its connection has changed since this was asked. Reject it; it can be asked anew.")
