"""Approvals: the questions that wait for a person, all that is known about one, and the vote on it."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from connectors.sdk.preview import Preview
from hub import approvals, dryrun
from hub.api.access import Acting, Person, RuntimeParameter, WaitingReader
from hub.api.bodies import Body, Id
from hub.api.invocations import InvocationView
from hub.api.invocations import view as invocation_view
from hub.api.repeats import IdempotencyKey, Keyed, answer_alike
from hub.approvals import Ballot, Choice, Counter, Question, Vote, Waiting
from hub.approvals.rules import stages
from hub.core.errors import Conflict, Forbidden, NotFound
from hub.dryrun import PreviewRecord, TrackRecord
from hub.identity import directory
from hub.identity.principals import Principal
from hub.invocations.counter import CounterProposal, counter
from hub.invocations.looking import note_looks
from hub.invocations.masking import as_seen_by
from hub.invocations.queries import current, look_at
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.invocations.votes import vote
from hub.storage import Tx

router = APIRouter(prefix="/approvals", tags=["approvals"])


class Summary(BaseModel):
    """One question in the inbox."""

    invocation_id: str
    digest: str
    tool: str
    tier: str
    effect: str
    environment: str
    agent_id: str
    on_behalf_of_id: str | None
    stage: int = Field(description="The stage that is asked now, from 1.")
    stages: int = Field(description="How many stages there are.")
    missing: dict[str, int] = Field(
        description="How many votes of whom are missing in this stage: `a|b` is whoever is in a or b, `a&b` in both."
    )
    expires_at: datetime


class Inbox(BaseModel):
    """The questions that wait for the caller, the most urgent first."""

    items: list[Summary]


class ObligationView(BaseModel):
    """What a rule asks for, in its own words."""

    stage: int = Field(description="Asked once every stage before it is complete.")
    group: str = Field(description="One group, or `a|b` for anybody in a or b, or `a&b` for who is in both.")
    count: int
    seconds: int
    escalate: list[str] = Field(description="The groups that are told when most of the time is over.")
    fresh_seconds: int | None = Field(description="How young each voter's login must be; null when any will do.")
    rule_id: str
    why: str


class VoteView(BaseModel):
    """One vote that was cast."""

    voter_id: str
    in_place_of_id: str | None = Field(description="For whom it was cast by a deputy; null when for the voter.")
    stage: int
    groups: list[str]
    choice: Choice
    reason: str
    cast_at: datetime


class TrackView(BaseModel):
    """How many of the tool's latest judged previews came true."""

    matched: int
    judged: int


class CounterView(BaseModel):
    """Other arguments that an approver proposed, which made this revision. Secrets are hidden."""

    revision: int
    author_id: str
    groups: list[str]
    reason: str
    before: dict[str, Any]
    after: dict[str, Any]
    made_at: datetime


class ApprovalView(Summary):
    """Everything that is known about one write that waits for people. Looking at it decides nothing."""

    invocation: InvocationView
    is_open: bool
    revision: int
    opened_at: datetime
    reminded_at: datetime | None = Field(description="Once half of the time was over.")
    escalated_at: datetime | None = Field(description="Once three quarters of the time were over.")
    summary: dict[str, Any] = Field(
        description="What will happen, built from the effect and never from the agent's words."
    )
    preview: Preview
    preview_digest: str
    sandbox_level: str
    observed_at: datetime
    track_record: TrackView
    obligations: list[ObligationView]
    votes: list[VoteView]
    counter_proposals: list[CounterView]
    is_agent_suspended: bool = Field(description="Whether its agent is, so that it can only be rejected.")
    may_vote: bool = Field(description="Whether the caller's vote would be counted, apart from the age of its login.")


class VoteBody(Body):
    """A vote on exactly what was seen."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="`digest` of what was looked at.")]
    choice: Choice
    reason: str = Field(default="", max_length=2000, description="Needed for a rejection; it goes back to the agent.")


class CounterBody(Body):
    """Other arguments instead of exactly what was seen."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="`digest` of what was looked at.")]
    arguments: dict[str, Any] = Field(description="All of them. A marker left where it was keeps the secret there.")
    reason: str = Field(min_length=1, max_length=2000, description="For the other approvers; the agent is not told.")


@router.get("", operation_id="listApprovals", summary="The inbox")
async def list_approvals(runtime: RuntimeParameter, acting: Person) -> Inbox:
    """Return the open questions that the caller may vote on and has not."""
    async with runtime.database.reading() as tx:
        waiting = await approvals.waiting_for(tx, acting.principal)
    invocations = [await current(runtime, one) for one in waiting]
    return _open(invocations)


@router.get("/waiting", operation_id="listWaiting", summary="All that waits for anybody")
async def list_waiting(runtime: RuntimeParameter, _acting: WaitingReader) -> Inbox:
    """Return the open questions to every group, the most urgent first, to operators, who vote only where asked."""
    async with runtime.database.reading() as tx:
        waiting = await approvals.all_waiting(tx)
    invocations = [await current(runtime, one) for one in waiting]
    return _open(invocations)


@router.get("/{invocation_id}", operation_id="getApproval", summary="All that is known about one question")
async def get_approval(runtime: RuntimeParameter, acting: Person, invocation_id: Id) -> ApprovalView:
    """Return a question to whoever is asked, has voted, or takes part in the call, and an open one to operators."""
    return await _shown_to(acting, invocation_id, runtime)


@router.post("/{invocation_id}/votes", operation_id="castVote", summary="Vote", status_code=201)
async def cast_vote(
    runtime: RuntimeParameter,
    acting: Person,
    invocation_id: Id,
    ballot: VoteBody,
    idempotency_key: IdempotencyKey = None,
) -> InvocationView:
    """Count the caller's vote on exactly what `digest` stands for; on anything newer it is refused."""
    await _asked(runtime, acting, invocation_id)  # whoever may not look learns nothing from voting either

    async def count() -> InvocationView:
        counted = await vote(_ballot(acting, invocation_id, ballot), runtime)
        return invocation_view(await as_seen_by(acting.caller, counted, runtime), runtime)

    keyed = _keyed(idempotency_key, "castVote", invocation_id, ballot)
    return await answer_alike(keyed, acting, runtime, InvocationView, count)


@router.post(
    "/{invocation_id}/counter-proposals",
    operation_id="proposeInstead",
    summary="Propose other arguments",
    status_code=201,
)
async def propose_instead(
    runtime: RuntimeParameter,
    acting: Person,
    invocation_id: Id,
    proposal: CounterBody,
    idempotency_key: IdempotencyKey = None,
) -> InvocationView:
    """Ask about other arguments instead: a new revision, with a preview and a question that the caller does not answer.

    Votes cast so far count for nothing. The agent is told what was changed and by which group, not why.
    """
    await _asked(runtime, acting, invocation_id)
    against = VoteBody(digest=proposal.digest, choice=Choice.REJECT, reason=proposal.reason)
    made = CounterProposal(ballot=_ballot(acting, invocation_id, against), arguments=proposal.arguments)

    async def propose() -> InvocationView:
        return invocation_view(await as_seen_by(acting.caller, await counter(made, runtime), runtime), runtime)

    keyed = _keyed(idempotency_key, "proposeInstead", invocation_id, proposal)
    return await answer_alike(keyed, acting, runtime, InvocationView, propose)


async def all_shown_to(acting: Acting, questions: Iterable[Question], runtime: Runtime) -> list[ApprovalView]:
    """Return those of a list that the caller may look at still: one may be answered while the list is read."""
    found: list[ApprovalView] = []
    for one in questions:
        with suppress(NotFound):
            found.append(await _shown_to(acting, one.invocation_id, runtime))
    return found


async def _shown_to(acting: Acting, invocation_id: str, runtime: Runtime) -> ApprovalView:
    """Return a question with all that is known about it, as the caller may see it; that it was shown is on record.

    Raises:
        NotFound: there is none, or the caller may not look at it.
    """
    invocation, question, preview = await _asked(runtime, acting, invocation_id)
    async with runtime.database.reading() as tx:
        seen = _Seen(
            invocation=invocation_view(invocation, runtime),
            preview=preview,
            track=await dryrun.track_record(tx, invocation.tool_id),
            is_agent_suspended=(await directory.get(tx, invocation.agent_id)).is_suspended,
            may_vote=question.is_open and await _may_vote(tx, question, acting.principal),
        )
    return _view(seen, invocation, question)


def _keyed(key: str | None, operation: str, invocation_id: str, body: Body) -> Keyed:
    """Return the request as the ledger knows it; a second time it is refused by the digest or as a second vote."""
    payload = {"invocation": invocation_id, **body.model_dump(mode="json")}
    return Keyed(key=key, operation=operation, payload=payload, is_safe_again=True, about=invocation_id)


def _ballot(acting: Acting, invocation_id: str, body: VoteBody) -> Ballot:
    if acting.caller.authenticated_at is None:
        raise TypeError("a person came in without a login")
    return Ballot(
        invocation_id=invocation_id,
        digest=body.digest,
        choice=body.choice,
        reason=body.reason,
        voter=acting.principal,
        authenticated_at=acting.caller.authenticated_at,
    )


class _Seen(BaseModel):
    """What stands beside the question."""

    model_config = {"arbitrary_types_allowed": True}

    invocation: InvocationView
    preview: PreviewRecord
    track: TrackRecord
    is_agent_suspended: bool
    may_vote: bool


async def _may_vote(tx: Tx, question: Question, person: Principal) -> bool:
    try:
        await approvals.mandate_of(tx, question, person)
    except (Conflict, Forbidden):
        return False
    return True


async def _asked(runtime: Runtime, acting: Acting, invocation_id: str) -> tuple[Invocation, Question, PreviewRecord]:
    looked_at = await look_at(runtime, acting.caller, invocation_id)
    await note_looks(acting.caller, [looked_at], acting.authority(runtime), runtime)
    invocation = await as_seen_by(acting.caller, looked_at, runtime)
    question, preview = invocation.question, invocation.preview
    if question is None or preview is None:
        raise NotFound("Nobody is asked about this invocation.")
    return invocation, question, preview


def _open(invocations: Iterable[Invocation]) -> Inbox:
    """Return the questions that are still open: some were, until they were read."""
    return Inbox(items=[_summary(one, asked) for one in invocations if (asked := one.question) and asked.is_open])


def _summary(invocation: Invocation, question: Question) -> Summary:
    standing = question.standing
    return Summary(
        invocation_id=invocation.id,
        digest=question.digest,
        tool=invocation.tool_name,
        tier=invocation.tier.value,
        effect=invocation.effect.value,
        environment=invocation.environment,
        agent_id=invocation.agent_id,
        on_behalf_of_id=invocation.on_behalf_of_id,
        stage=question.stage,
        stages=len(stages(question.obligations)),
        missing=dict(standing.missing) if isinstance(standing, Waiting) else {},
        expires_at=question.expires_at,
    )


def _view(seen: _Seen, invocation: Invocation, question: Question) -> ApprovalView:
    return ApprovalView(
        **_summary(invocation, question).model_dump(),
        invocation=seen.invocation,
        is_open=question.is_open,
        revision=question.revision,
        opened_at=question.opened_at,
        reminded_at=question.reminded_at,
        escalated_at=question.escalated_at,
        summary=dict(question.summary),
        preview=seen.preview.preview,
        preview_digest=seen.preview.digest,
        sandbox_level=seen.preview.sandbox_level,
        observed_at=seen.preview.observed_at,
        track_record=TrackView(matched=seen.track.matched, judged=seen.track.judged),
        obligations=[
            ObligationView(
                stage=one.stage,
                group=one.group,
                count=one.count,
                seconds=one.seconds,
                escalate=list(one.escalate),
                fresh_seconds=one.fresh_seconds,
                rule_id=one.rule_id,
                why=one.why,
            )
            for one in question.obligations
        ],
        votes=[_vote(one) for one in question.votes],
        counter_proposals=[_counter(one) for one in invocation.counters],
        is_agent_suspended=seen.is_agent_suspended,
        may_vote=seen.may_vote,
    )


def _vote(cast: Vote) -> VoteView:
    return VoteView(
        voter_id=cast.voter_id,
        in_place_of_id=cast.for_id,
        stage=cast.stage,
        groups=sorted(cast.groups),
        choice=cast.choice,
        reason=cast.reason,
        cast_at=cast.cast_at,
    )


def _counter(made: Counter) -> CounterView:
    return CounterView(
        revision=made.revision,
        author_id=made.author_id,
        groups=sorted(made.groups),
        reason=made.reason,
        before=dict(made.before),
        after=dict(made.after),
        made_at=made.made_at,
    )
