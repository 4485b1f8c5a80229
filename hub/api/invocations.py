"""Invocations: making a call, how it stands, calling it off."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from connectors.sdk.vocabulary import Reversal
from hub import audit
from hub.api.access import Acting, Anybody, DoubtResolver, RuntimeParameter
from hub.api.bodies import Body, Id, Why
from hub.api.events import EventView, event_view
from hub.api.paging import DEFAULT_LIMIT, CursorParameter, LimitParameter, Page, seal, unseal
from hub.api.repeats import Answer, IdempotencyKey, Keyed, answer_once
from hub.core.errors import Forbidden, NotFound, TooMany
from hub.core.texts import shown
from hub.identity.permissions import Permission, demand
from hub.identity.principals import Caller, PrincipalKind
from hub.identity.resources import EVERYTHING, may_use
from hub.invocations import queries
from hub.invocations.envelope import Status, envelope, page_of, retry_after_seconds
from hub.invocations.invoke import invoke
from hub.invocations.looking import note_looks
from hub.invocations.masking import answer_for, as_seen_by
from hub.invocations.resolve import Resolution, doubtful, resolve
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.undoing import Undo, offer_of, undo
from hub.invocations.values import ApprovedBy, Call, Claims, Invocation, StepStatus

router = APIRouter(prefix="/invocations", tags=["invocations"])

LONGEST_WAIT = 4


class ClaimsBody(Body):
    """What the caller says of itself and its purpose: kept and shown as a claim, never believed."""

    run: str | None = Field(default=None, max_length=200)
    case: str | None = Field(default=None, max_length=200)
    purpose: str | None = Field(default=None, max_length=4000)
    rationale: str | None = Field(default=None, max_length=4000)
    confidence: str | None = Field(default=None, max_length=200)
    agent_version: str | None = Field(default=None, max_length=200)


class NewInvocation(Body):
    """A call to make."""

    tool: str = Field(max_length=48, examples=["party_read"])
    arguments: dict[str, Any] = Field(default={}, examples=[{"id": 3}])
    server: str = Field(default=EVERYTHING, max_length=64)
    claims: ClaimsBody = ClaimsBody()


class ConflictView(BaseModel):
    """One field that somebody has changed since the commit: before that, as it left it, and now; as texts."""

    target: str = Field(examples=["items/1"])
    field: str = Field(description="Empty where the whole record is gone, or has come back.")
    before: str
    committed: str
    now: str


class UndoView(BaseModel):
    """Whether an invocation can be undone, and how far."""

    is_open: bool
    refusal: str = Field(description="Why it cannot be undone; empty if it can, or if it was.")
    tool: str = Field(description="The operation that undoes it.")
    kind: Reversal = Field(description="`exact` only where the contract kit has proven it.")
    residue: list[str] = Field(description="What stays behind even then.")
    until: datetime | None = None
    undone_by: str | None = Field(default=None, description="The invocation that undoes it, or is about to.")


class StepView(BaseModel):
    """How one step of a plan stands; what has the status `done` or `stands` has happened."""

    step: int
    name: str
    tool: str
    status: StepStatus
    invocation_id: str | None = None
    undo_id: str | None = None
    message: str | None = None


class AlarmView(BaseModel):
    """A rule of policy that found the call unusual."""

    rule: str
    why: str


class InvocationView(BaseModel):
    """How one call stands."""

    id: str = Field(examples=["inv_06dvh3x5m8qk2v7c1n4pz9tbwr"])
    tool: str
    server: str
    environment: str
    state: State
    status: Status
    is_error: bool
    message: str
    effect: str
    tier: str
    revision: int
    approved_by: ApprovedBy | None = Field(
        default=None, description="policy, people, a standing grant, or nobody: an operator broke the glass."
    )
    agent_id: str
    on_behalf_of_id: str | None
    arguments: dict[str, Any]
    claims: dict[str, str]
    result: Any = Field(default=None, description="What the tool returned, once the call is done.")
    findings: list[str] = []
    masked: list[str] = Field(default=[], description="Data classes of which the caller sees markers.")
    reason_code: str | None = None
    reason: str | None = None
    retryable: bool | None = None
    retry_after_seconds: int | None = Field(default=None, description="After the refusal, if a limit refused it.")
    poll_after_seconds: int | None = None
    expires_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    erased_at: datetime | None = Field(default=None, description="Since when its values are gone.")
    trace_id: str
    status_url: str
    undoes: str | None = Field(default=None, description="The invocation that this one takes back.")
    alarms: list[AlarmView] = Field(default=[], description="Which rules found it unusual; its tier may be higher.")
    conflict: list[ConflictView] = Field(default=[], description="Why it was not undone: what changed since.")
    steps: list[StepView] = Field(default=[], description="Of a plan that has begun: how its steps stand.")
    plan_id: str | None = Field(
        default=None, description="The invocation whose plan this is a step of, or of its undo."
    )
    repeats: bool = Field(description="The call joined an earlier one instead of starting a new one.")


class Timeline(BaseModel):
    """Everything on record about one invocation, in the order in which it happened."""

    items: list[EventView]


@router.post("", operation_id="createInvocation", summary="Make a call", status_code=201)
async def create_invocation(
    runtime: RuntimeParameter,
    acting: Anybody,
    wanted: NewInvocation,
    idempotency_key: IdempotencyKey = None,
) -> InvocationView:
    """Carry a call out as far as it may go now, within four seconds; the same governed path as over MCP.

    The same `Idempotency-Key` with the same call is answered the same, and carried out once. People may try reads; a
    write is proposed by an agent.
    """
    call = Call(
        caller=await _with_scopes(runtime, acting, wanted),
        server=wanted.server,
        tool=wanted.tool,
        arguments=wanted.arguments,
        trace_id=acting.trace_id,
        claims=Claims(**wanted.claims.model_dump()),
        idempotency_key=idempotency_key,
    )

    async def make() -> Answer[InvocationView]:
        invocation = _within_limits(await invoke(call, runtime))
        seen = await as_seen_by(acting.caller, invocation, runtime)
        kept = view(seen, runtime).model_copy(update={"repeats": True})
        return Answer(told=await view_for(acting.caller, invocation, runtime), kept=kept, about=invocation.id)

    payload = wanted.model_dump(mode="json")
    keyed = Keyed(key=idempotency_key, operation="createInvocation", payload=payload, is_safe_again=True)
    return await answer_once(keyed, acting, runtime, InvocationView, make)


@router.get("", operation_id="listInvocations", summary="List one's own invocations")
async def list_invocations(
    runtime: RuntimeParameter,
    acting: Anybody,
    status: Status | None = None,
    cursor: CursorParameter = None,
    limit: LimitParameter = DEFAULT_LIMIT,
) -> Page[InvocationView]:
    """Return the invocations that the caller answers for, newest first.

    To people, also those that agents which they look after made for nobody.
    """
    place = f"invocations:{status or ''}"
    after = unseal(runtime, acting, place, cursor)
    found = await queries.my_invocations(
        runtime, acting.caller, wanted=queries.Wanted(status=status), after=after, limit=limit
    )
    more = None if found.next_after is None else seal(runtime, acting, place, found.next_after)
    seen = [await as_seen_by(acting.caller, one, runtime) for one in found.items]
    return Page(items=[view(one, runtime) for one in seen], next_cursor=more)


class Found(Body):
    """What an operator found in the system itself."""

    has_happened: bool
    reason: str = Field(min_length=1, max_length=2000, description="Where you looked, and what you found.")


class Doubts(BaseModel):
    """The writes whose outcome nobody knows, the oldest first."""

    items: list[InvocationView]


@router.get("/doubts", operation_id="listDoubts", summary="List the writes in doubt")
async def list_doubts(runtime: RuntimeParameter, acting: DoubtResolver) -> Doubts:
    """Return the writes that were sent and whose answer was lost, for operators to look into; each look is an event."""
    found = await doubtful(runtime)
    await note_looks(acting.caller, found, acting.authority(runtime), runtime)
    seen = [await as_seen_by(acting.caller, one, runtime) for one in found]
    return Doubts(items=[view(one, runtime) for one in seen])


@router.put("/{invocation_id}/resolution", operation_id="resolveInvocation", summary="Say what became of a write")
async def resolve_invocation(
    runtime: RuntimeParameter, acting: DoubtResolver, invocation_id: Id, found: Found
) -> InvocationView:
    """Record what an operator found; one settles a write in doubt, two who agree settle a critical one."""
    resolution = Resolution(
        invocation_id=invocation_id, operator=acting.principal, has_happened=found.has_happened, reason=found.reason
    )
    settled = await resolve(resolution, runtime)
    await note_looks(acting.caller, [settled], acting.authority(runtime), runtime)
    return view(await as_seen_by(acting.caller, settled, runtime), runtime)


@router.get("/{invocation_id}", operation_id="getInvocation", summary="How an invocation stands")
async def get_invocation(
    runtime: RuntimeParameter,
    acting: Anybody,
    invocation_id: Id,
    wait_seconds: Annotated[int, Query(ge=0, le=LONGEST_WAIT, description="How long to wait for news.")] = 0,
) -> InvocationView:
    """Return one of the caller's invocations."""
    found = await queries.get_invocation(runtime, acting.caller, invocation_id, wait_seconds=wait_seconds)
    return await view_for(acting.caller, found, runtime)


@router.put("/{invocation_id}/cancellation", operation_id="cancelInvocation", summary="Call an invocation off")
async def cancel_invocation(runtime: RuntimeParameter, acting: Anybody, invocation_id: Id, why: Why) -> InvocationView:
    """Call off one of the caller's invocations that has not been carried out yet."""
    cancelled = await queries.cancel(runtime, acting.caller, invocation_id, reason=why.reason)
    return view(await as_seen_by(acting.caller, cancelled, runtime), runtime)


@router.get("/{invocation_id}/undo", operation_id="getUndo", summary="Whether an invocation can be undone")
async def get_undo(runtime: RuntimeParameter, acting: Anybody, invocation_id: Id) -> UndoView:
    """Return whether an invocation can be undone now, by which tool, and what stays behind."""
    offer = await offer_of(runtime, acting.caller, invocation_id)
    return UndoView(
        is_open=offer.is_open,
        refusal=offer.refusal if offer.undone_by is None else "",
        tool=offer.tool,
        kind=offer.kind,
        residue=list(offer.residue),
        until=offer.until,
        undone_by=offer.undone_by.id if offer.undone_by else None,
    )


@router.post("/{invocation_id}/undo", operation_id="undoInvocation", summary="Undo an invocation", status_code=201)
async def undo_invocation(runtime: RuntimeParameter, acting: Anybody, invocation_id: Id, why: Why) -> InvocationView:
    """Propose what undoes an invocation: a governed call of its own, which is returned as far as it went.

    It is sent only while the records stand as the commit left them; else it ends with a `conflict`. There is one undo
    of an invocation, whoever asks; asking again returns it.
    """
    wanted = Undo(caller=acting.caller, invocation_id=invocation_id, reason=why.reason, trace_id=acting.trace_id)
    undoing = _within_limits(await undo(wanted, runtime))
    shown = view(await as_seen_by(acting.caller, undoing, runtime), runtime)
    return shown if queries.takes_part(acting.caller, undoing) else shown.model_copy(update={"result": None})


@router.get("/{invocation_id}/timeline", operation_id="getTimeline", summary="What happened to an invocation")
async def get_timeline(runtime: RuntimeParameter, acting: Anybody, invocation_id: Id) -> Timeline:
    """Return the events about an invocation, to whoever takes part in it or is asked about it; no private values."""
    await queries.look_at(runtime, acting.caller, invocation_id)
    async with runtime.database.reading() as tx:
        return Timeline(items=[event_view(one) for one in await audit.events_of(tx, invocation_id)])


def _within_limits(invocation: Invocation) -> Invocation:
    """Return the invocation, unless a limit refused it: HTTP has a status for that, which clients know.

    Raises:
        TooMany: a limit refused it; the message names it.
    """
    seconds = retry_after_seconds(invocation)
    if invocation.state is State.DENIED and invocation.error_code == TooMany.code and seconds is not None:
        raise TooMany(invocation.error_message or "A limit is reached.", retry_after_seconds=seconds)
    return invocation


async def view_for(caller: Caller, invocation: Invocation, runtime: Runtime) -> InvocationView:
    """Return how an invocation stands; who made the call gets its answer with the secrets that are in it.

    What policy does not let the caller see is masked.
    """
    return view(await answer_for(caller, invocation, runtime), runtime)


def view(invocation: Invocation, runtime: Runtime) -> InvocationView:
    """Return how an invocation stands, as the API shows it."""
    said = envelope(invocation, public_url=runtime.public_url)
    is_done = said.status is Status.DONE
    told = {} if is_done else dict(said.structured)
    return InvocationView(
        id=invocation.id,
        tool=invocation.tool_name,
        server=invocation.server,
        environment=invocation.environment,
        state=invocation.state,
        status=said.status,
        is_error=said.is_error,
        message=said.text,
        effect=invocation.effect.value,
        tier=invocation.tier.value,
        revision=invocation.revision,
        approved_by=invocation.approved_by,
        agent_id=invocation.agent_id,
        on_behalf_of_id=invocation.on_behalf_of_id,
        arguments=dict(invocation.arguments),
        claims=_claims(invocation.claims),
        result=dict(said.structured) if is_done else None,
        findings=list(invocation.findings),
        masked=list(invocation.masked),
        reason_code=told.get("reason_code"),
        reason=told.get("reason"),
        retryable=told.get("retryable"),
        retry_after_seconds=told.get("retry_after_seconds"),
        poll_after_seconds=told.get("poll_after_seconds"),
        expires_at=invocation.expires_at,
        created_at=invocation.created_at,
        updated_at=invocation.updated_at,
        erased_at=invocation.erased_at,
        trace_id=invocation.trace_id,
        status_url=page_of(invocation, runtime.public_url),
        undoes=invocation.undoes,
        alarms=[AlarmView(**one) for one in invocation.alarms],
        conflict=[ConflictView(**one) for one in invocation.conflict],
        steps=[StepView(**one.as_json()) for one in invocation.progress],
        plan_id=invocation.part.plan_id if invocation.part else None,
        repeats=invocation.repeats,
    )


def _claims(claims: Claims) -> dict[str, str]:
    return ClaimsBody(
        run=claims.run,
        case=claims.case,
        purpose=claims.purpose,
        rationale=claims.rationale,
        confidence=claims.confidence,
        agent_version=claims.agent_version,
    ).model_dump(exclude_none=True)


async def _with_scopes(runtime: Runtime, acting: Acting, wanted: NewInvocation) -> Caller:
    """Return the caller with what it may use: an agent its token's scopes, a person the scope of a read it may try."""
    caller = acting.caller
    if caller.actor.kind is not PrincipalKind.USER:
        if not may_use(caller.actor.usable_servers, wanted.server):
            raise NotFound(f"There is no server {shown(wanted.server)}.")
        return caller
    demand(caller.actor, Permission.TRY_TOOLS)
    tool = await runtime.catalog.resolve(wanted.tool, server=wanted.server, caller=caller)
    if not tool.annotations.read_only:
        raise Forbidden("People may try reads here; a write is proposed by an agent that acts for them.")
    return replace(caller, scopes=frozenset(tool.needed_scopes()))
