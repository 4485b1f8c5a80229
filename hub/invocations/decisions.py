"""Understanding a call and deciding on it: the facts policy is given at each point, and what is kept of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from connectors.sdk.vocabulary import Effect
from hub import dryrun
from hub.approvals import Mandate, acting
from hub.budgets import stops_for
from hub.core.ids import new_id
from hub.identity import scopes
from hub.identity.principals import Caller, Principal, PrincipalKind
from hub.invocations.callers import caller_of
from hub.invocations.history import history_of, may_have_happened
from hub.invocations.journal import claims_json
from hub.invocations.plan_steps import steps_alone
from hub.invocations.provenance import Origin, addressing_tool, traces_of
from hub.invocations.request import Request, case_key
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import bind, opened, recorded_arguments
from hub.invocations.tables import InvocationRow
from hub.invocations.trust import trust_in
from hub.invocations.values import Call, Claims, Invocation
from hub.policy import (
    Action,
    Allowed,
    Bundle,
    Decision,
    Denied,
    Facts,
    Obligation,
    Obliged,
    PreviewFacts,
    decide,
    exposed_facts,
)
from hub.registry import PublishedTool, arguments_of_any_size, steps_of
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

_LATELY: Final = timedelta(hours=1)


async def understand(call: Call, runtime: Runtime) -> tuple[Request, Decision]:
    """Return what `call` asks for, and whether policy lets it be proposed.

    Raises:
        NotFound: no such tool, or the caller may not see it.
        ScopeMissing: the token lacks scopes; names all of them.
        ArgumentsInvalid: the arguments break the tool's input schema; names every violation.
    """
    tool = await runtime.catalog.resolve(call.tool, server=call.server, caller=call.caller, beside=call.beside)
    itself = (tool.connector.name, tool.name, tool.effect)
    scopes.require_all(call.caller, [itself, *await _of_steps(call, tool, runtime)])
    arguments = await arguments_of_any_size(tool, call.arguments)
    bundle = await runtime.bundles.active(tool.environment)
    at = datetime.now(UTC)  # a read's decision asks the database nothing; a write's is made again with its clock
    facts = _facts(call.caller, tool, arguments, call.claims, at)
    decision = decide(Action.PROPOSE, facts, bundle)
    request = Request(
        call=call,
        tool=tool,
        arguments=arguments,
        bound=bind(tool, arguments, runtime.keys),
        policy_digest=bundle.digest,
        case_key=case_key(call.claims.case, runtime.keys),
        invocation_id=call.known_as or new_id("inv"),
    )
    return request, decision


async def _of_steps(call: Call, tool: PublishedTool, runtime: Runtime) -> list[tuple[str, str, Effect]]:
    """Return what an agent that calls a composite tool must be let call: the tool of every step, on the same server.

    Raises:
        NotFound: one of them is not offered there, or the agent may not see it.
    """
    if call.caller.actor.kind is PrincipalKind.USER:
        return []
    found = list[tuple[str, str, Effect]]()
    for step in steps_of(tool.operation):
        where = step.connection_id
        name = await runtime.catalog.published_name(step.tool, where, server=call.server, caller=call.caller)
        found.append((step.connector, name, Effect.READ if step.is_read else Effect.UPDATE))
    return found


async def decide_on(action: Action, standing: Invocation, tool: PublishedTool, runtime: Runtime) -> Decision:
    """Return what the current bundle says about `action` on a write that has been previewed."""
    async with runtime.database.reading() as tx:
        bundle = await runtime.bundles.fresh(tx, standing.environment)
        facts = await _previewed(tx, standing, tool, bundle, runtime)
    return decide(action, facts, bundle)


async def decide_on_sending(standing: Invocation, tool: PublishedTool, runtime: Runtime) -> tuple[Decision, ...]:
    """Return what the current bundle says of letting an approved write go now: to commit it, and without asking."""
    async with runtime.database.reading() as tx:
        bundle = await runtime.bundles.fresh(tx, standing.environment)
        facts = await _previewed(tx, standing, tool, bundle, runtime)
    return tuple(decide(action, facts, bundle) for action in (Action.COMMIT, Action.AUTOCOMMIT))


async def decide_on_vote(
    tx: Tx, voter: Principal, standing: Invocation, tool: PublishedTool, runtime: Runtime
) -> Decision:
    """Return what the current bundle says about `voter` approving a write that has been previewed."""
    facts, bundle = await _of_person(tx, voter, standing, tool, runtime)
    decision = decide(Action.APPROVE, facts, bundle)
    for step in await steps_alone(tx, standing):  # of a plan: whoever may not approve a step may not approve it
        of_step = decide(Action.APPROVE, *(await _of_person(tx, voter, step.call, step.tool, runtime)))
        if isinstance(of_step, Denied):
            return of_step
    return decision


async def decide_on_glass(
    tx: Tx, breaker: Principal, standing: Invocation, tool: PublishedTool, runtime: Runtime
) -> Decision:
    """Return what the current bundle says about `breaker` letting a write go that nobody has approved."""
    facts, bundle = await _of_person(tx, breaker, standing, tool, runtime)
    return decide(Action.BREAK_GLASS, facts, bundle)


async def _of_person(
    tx: Tx, person: Principal, standing: Invocation, tool: PublishedTool, runtime: Runtime
) -> tuple[Facts, Bundle]:
    """Return the facts of a previewed write as somebody stands before it, and the bundle that decides on them."""
    bundle = await runtime.bundles.fresh(tx, standing.environment)
    asked = await _previewed(tx, standing, tool, bundle, runtime)
    facts = replace(
        asked,
        principal_kind=person.kind.value,
        principal_id=person.id,
        principal_groups=person.groups,
        is_suspended=asked.is_suspended or person.is_suspended,
    )
    return facts, bundle


async def decide_on_mandate(
    tx: Tx, mandate: Mandate, standing: Invocation, tool: PublishedTool, runtime: Runtime
) -> Decision:
    """Return what the current bundle says about a vote: of a deputy, and of the person in whose place it is cast."""
    voter = acting(mandate.voter, mandate.counts_as)
    decision = await decide_on_vote(tx, voter, standing, tool, runtime)
    if mandate.for_id is None or isinstance(decision, Denied):
        return decision
    absent = await decide_on_vote(tx, mandate.counts_as, standing, tool, runtime)
    return absent if isinstance(absent, Denied) else decision


async def decide_on_proposal(
    tx: Tx, standing: Invocation, tool: PublishedTool, arguments: Mapping[str, Json], runtime: Runtime
) -> Decision:
    """Return what the current bundle says about the caller of `standing` proposing other `arguments`."""
    bundle = await runtime.bundles.fresh(tx, standing.environment)
    facts = _facts(await caller_of(tx, standing), tool, arguments, standing.claims, await now(tx))
    return decide(Action.PROPOSE, facts, bundle)


def on_record(decision: Decision) -> dict[str, Json]:
    """Return what the event of a decision says openly: on what, how, and by which rules of which bundle.

    `hub.invocations.replay` reads it, and makes the decision again.
    """
    said = {
        "action": decision.action.value,
        "outcome": decision.outcome,
        "policy_digest": decision.bundle_digest,
        "rule_ids": list(decision.rule_ids),
    }
    if decision.alarms:
        said["alarms"] = [alarm.rule_id for alarm in decision.alarms]
    if decision.action is not Action.PROPOSE:
        said["terms"] = list(terms_of(decision))
    return said | {"obligations": asked(decision)} if isinstance(decision, Obliged) else said


def all_on_record(decisions: Sequence[Decision]) -> dict[str, Json]:
    """Return what one event says openly of decisions that were made on the same facts: the others are under `also`."""
    if not decisions:
        return {}
    first, *others = [on_record(one) for one in decisions]
    return first | {"also": others} if others else first


def asked(decision: Decision) -> list[str]:
    """Return whom a decision asks, as it goes on record: groups, how many, and the rule that says so."""
    obligations = decision.obligations if isinstance(decision, Obliged) else ()
    return [f"{one.seat} ({one.rule_id})" for one in obligations]


def terms_of(decision: Decision) -> Iterator[str]:
    """Yield on which terms a decision lets a write go or asks about it, beside whom it asks, as they go on record."""
    for alarm in decision.alarms:
        if alarm.raises is not None:
            yield f"{alarm.rule_id} raises it to {alarm.raises.value}"
    match decision:
        case Allowed(samples=samples):
            yield from (f"reviewed by {one.group}: {one.per_mille} of 1000" for one in samples)
        case Obliged(obligations=(first, *_)):  # they were put together, and have these in common
            yield from _terms_in(first)
        case _:
            pass


def _terms_in(one: Obligation) -> Iterator[str]:
    yield f"within {one.seconds} seconds"
    if one.fresh_seconds is not None:
        yield f"login of the last {one.fresh_seconds} seconds"
    if one.escalate:
        yield f"escalated to {', '.join(one.escalate)}"
    if one.carries:
        yield "votes carried over to the same changes"


def basis(decision: Decision) -> dict[str, Json]:
    """Return what the event of a decision keeps private: the facts with which it can be made again."""
    return {"decided_on": decision.facts.as_json()}


def basis_of_all(decisions: Sequence[Decision]) -> dict[str, Json]:
    """Return what the event of decisions on the same facts keeps private; nothing where policy decided nothing."""
    return basis(decisions[0]) if decisions else {}


async def _previewed(tx: Tx, standing: Invocation, tool: PublishedTool, bundle: Bundle, runtime: Runtime) -> Facts:
    if standing.preview is None:
        raise ValueError("this is decided on a preview, and there is none")
    caller = await caller_of(tx, standing)
    at = await now(tx)
    facts = _facts(caller, tool, opened(standing, runtime.keys), standing.claims, at)
    run_writes, lately = await _always_counted(tx, standing, at)
    asked_for = await history_of(tx, standing, bundle.histories.values(), at)
    record = await dryrun.track_record(tx, standing.tool_id)
    seen, blast = standing.preview, standing.preview.preview.blast
    preview = PreviewFacts(
        fidelity=seen.preview.fidelity,
        rows=blast.rows,
        parties=blast.parties,
        money_minor=blast.money_minor or 0,
        currency=blast.currency or "",
        sandbox_level=seen.sandbox_level,
        run_writes=run_writes,
        agent_writes_last_hour=lately,
        record_matched=record.matched,
        record_judged=record.judged,
        trust_level=(await trust_in(tx, standing)).level,
    )
    untrusted, unseen = _origins(standing)
    addressed_by = await addressing_tool(tx, standing, runtime.keys, at)
    return replace(
        facts,
        preview=preview,
        history=asked_for,
        untrusted=untrusted,
        unseen=unseen,
        is_addressed=addressed_by is not None,
        stops=await _stops(tx, standing),
    )


async def _stops(tx: Tx, standing: Invocation) -> frozenset[str]:
    """Return which kinds of kill switches are on for a call. They hold it back whatever a policy says of them."""
    on = await stops_for(tx, agent_id=standing.agent_id, tool_id=standing.tool_id, connection_id=standing.connection_id)
    return frozenset(one.kind.value for one in on)


def _origins(standing: Invocation) -> tuple[frozenset[str], frozenset[str]]:
    """Return the arguments with a value that an untrusted result showed, and those with one that was never seen.

    Of a call that names no run nothing can be traced, and so all of its arguments count as both.
    """
    if standing.claims.run is None:
        everything = frozenset(standing.arguments)
        return everything, everything
    traces = traces_of(standing)
    untrusted = frozenset(one.name for one in traces if one.is_untrusted)
    return untrusted, frozenset(one.name for one in traces if one.origin is Origin.UNKNOWN)


async def _always_counted(tx: Tx, standing: Invocation, at: datetime) -> tuple[int, int]:
    """Return how many writes this run, and this agent within the last hour, have sent."""
    sent = select(func.count()).where(InvocationRow.agent_id == standing.agent_id, may_have_happened())
    lately = await tx.scalar(sent.where(InvocationRow.sent_at > at - _LATELY))
    if standing.claims.run is None:
        return 0, lately or 0
    in_run = await tx.scalar(sent.where(InvocationRow.run_id == standing.claims.run))
    return in_run or 0, lately or 0


def _facts(caller: Caller, tool: PublishedTool, given: Mapping[str, Json], claims: Claims, at: datetime) -> Facts:
    operation = tool.version.spec
    seen = exposed_facts(operation, recorded_arguments(tool, given))  # a secret is no fact
    return Facts(
        principal_kind=caller.actor.kind.value,
        principal_id=caller.actor.id,
        principal_groups=caller.actor.groups,
        requester_groups=caller.subject.groups,
        agent_version=caller.actor.agent_version,
        is_suspended=caller.actor.is_suspended or caller.subject.is_suspended,
        tool=operation.name,
        connector=tool.connector.name,
        environment=tool.environment,
        tier=tool.tier_for(given),
        effect=operation.effect,
        upstream_class=operation.upstream_class,
        reversal=operation.reversal,
        undo_proven=tool.undo_proven,
        hour=at.hour,
        weekday=at.isoweekday(),
        arguments=seen.values,
        missing=seen.missing,
        claims=frozenset(f"{name}={value}" for name, value in claims_json(claims).items()),
    )
