"""Deciding: facts and a bundle in, a decision with rule ids and reasons out. No I/O, no clock, no randomness."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Final, TypedDict

import cedarpy

from connectors.sdk.vocabulary import Tier
from hub.policy.annotations import Rule
from hub.policy.bundle import Bundle, schema
from hub.policy.obligations import strictest
from hub.policy.values import Action, Alarm, Allowed, Decision, Denied, Facts, Obliged

Json = Any
"""Any JSON value."""

_KINDS: Final = {"user": "User", "agent": "Agent", "service": "Service"}
_HOLDERS: Final[Mapping[str, type]] = {"Flags": bool, "Numbers": int, "Texts": str}
_HISTORY: Final = "History"
_CONTEXT_NAME: Final = "call"
_REMEMBERED: Final = 1024
"""Decisions kept: the reads of an agent differ in few facts, and the hour is one of them."""
_WATCHED: Final = frozenset({Action.AUTOCOMMIT, Action.COMMIT, Action.APPROVE, Action.BREAK_GLASS})
"""Decided on as of the tier that alarms raise a call to."""
_TIERS: Final = tuple(sorted(Tier, key=lambda tier: tier.rank))
_ALIKE: Final = tuple(one.name for one in fields(Facts) if one.name not in {"arguments", "history"})
"""The facts that are equal when Python says so, and can be hashed."""

UNEVALUATED: Final = "A rule of the policy could not be evaluated."
"""Why a call is denied whose facts some rule stumbles over, such as a sum beyond 64 bits."""
UNCOUNTED: Final = "The policy counts what happened before, and this could not be counted: {names}."
"""Why a call is denied of whose past something is not known, such as of a run that it does not name."""


def decide(action: Action, facts: Facts, bundle: Bundle) -> Decision:
    """Return what `bundle` says about `action` on `facts`.

    Only a clean Allow is an Allow: one without any evaluation error, made with the schema. Obligations count only
    where some rule would permit the call once they are met. What the agent claims of itself can make a decision
    stricter and never milder: where a rule reads claims, the call is also decided without them.
    """
    plain = replace(facts, claims=frozenset()) if facts.claims else facts
    decision = _remembered(_Question(_everything(action, plain, bundle), action, plain, bundle))
    if bundle.reads_claims and facts.claims:
        return _stricter(_decide(action, facts, bundle), decision)
    return replace(decision, facts=facts)


def decided_tier(decision: Decision) -> Tier:
    """Return the tier that a call was decided on as: its own, or the highest that an alarm raised it to."""
    return _raised(decision.facts.tier, decision.alarms)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is to be decided; `everything` is all that the answer depends on."""

    everything: tuple[object, ...]
    action: Action = field(compare=False)
    facts: Facts = field(compare=False)
    bundle: Bundle = field(compare=False)


def _everything(action: Action, facts: Facts, bundle: Bundle) -> tuple[object, ...]:
    # with their types: to Python 1 equals true, and to a rule they are a number and a flag
    arguments = frozenset((name, type(value), value) for name, value in facts.arguments.items())
    history = frozenset(facts.history.items())
    return (action, bundle.digest, arguments, history, *(getattr(facts, name) for name in _ALIKE))


@lru_cache(maxsize=_REMEMBERED)
def _remembered(question: _Question) -> Decision:
    return _decide(question.action, question.facts, question.bundle)


class _Made(TypedDict):
    """What every decision says of how it was made."""

    rule_ids: tuple[str, ...]
    bundle_digest: str
    facts: Facts
    action: Action
    alarms: tuple[Alarm, ...]


def uncounted(action: Action, facts: Facts, bundle: Bundle) -> frozenset[str]:
    """Return what `bundle` counts of the past and `facts` do not tell; a proposal is decided without it."""
    if action in {Action.PROPOSE, Action.SEE}:
        return frozenset()
    return frozenset(bundle.histories.keys() - facts.history.keys())


def _decide(action: Action, facts: Facts, bundle: Bundle) -> Decision:
    made = _Made(rule_ids=(), bundle_digest=bundle.digest, facts=facts, action=action, alarms=())
    if missing := uncounted(action, facts, bundle):
        return Denied(reasons=(UNCOUNTED.format(names=", ".join(sorted(missing))),), **made)
    entities = _entities(facts)
    alarms = _alarms(facts, bundle, entities) if bundle.watches and action in _WATCHED else ()
    if alarms is None:
        return Denied(reasons=(UNEVALUATED,), **made)
    made["alarms"] = alarms
    if stopping := [alarm for alarm in alarms if alarm.suspends]:
        made["rule_ids"] = tuple(one.rule_id for one in stopping)
        return Denied(reasons=tuple(sorted(one.why for one in stopping)), **made)
    return _by_rules(made, entities, bundle)


def _by_rules(made: _Made, entities: cedarpy.Entities, bundle: Bundle) -> Decision:
    """Return what the rules say that are no alarms, of a call of the tier that alarms raise it to."""
    facts, alarms = made["facts"], made["alarms"]
    request = _request(made["action"], replace(facts, tier=_raised(facts.tier, alarms)))
    answer = _ask(request, bundle.policies, entities)
    rules = [bundle.rules[place] for place in answer.diagnostics.reasons]
    ids = tuple(sorted([*(rule.id for rule in rules), *(alarm.rule_id for alarm in alarms)]))
    made["rule_ids"] = ids
    if answer.diagnostics.errors:
        return Denied(reasons=(UNEVALUATED,), **made)
    if answer.allowed:
        return Allowed(samples=tuple(rule.sample for rule in rules if rule.sample is not None), **made)
    final = sorted(rule.why or f"Rule {rule.id} forbids it." for rule in rules if not rule.obligations)
    if final or not rules or not _is_permitted(request, entities, bundle):
        return Denied(reasons=tuple(final), **made)
    asked = strictest(one for rule in rules for one in rule.obligations)
    return Obliged(obligations=asked, **made)


def _alarms(facts: Facts, bundle: Bundle, entities: cedarpy.Entities) -> tuple[Alarm, ...] | None:
    """Return which rules find the call unusual; None: one of them could not be evaluated."""
    answer = _ask(_request(Action.ALARM, facts), bundle.policies, entities)
    if answer.diagnostics.errors:
        return None
    rules = [bundle.rules[place] for place in answer.diagnostics.reasons]
    found = sorted((rule for rule in rules if rule.is_alarm), key=lambda rule: rule.id)
    return tuple(_alarm(rule, facts.tier) for rule in found)


def _alarm(rule: Rule, tier: Tier) -> Alarm:
    raises = _TIERS[min(tier.rank + 1, len(_TIERS) - 1)] if rule.raises == "next" else rule.raises
    return Alarm(rule_id=rule.id, why=rule.why, raises=raises, suspends=rule.suspends)


def _raised(tier: Tier, alarms: Sequence[Alarm]) -> Tier:
    """Return the tier that a call is decided on as."""
    return max([tier, *(alarm.raises for alarm in alarms if alarm.raises is not None)], key=lambda one: one.rank)


def _stricter(one: Decision, other: Decision) -> Decision:
    ids = tuple(sorted({*one.rule_ids, *other.rule_ids}))
    alarms = tuple(dict.fromkeys([*one.alarms, *other.alarms]))
    made = _Made(rule_ids=ids, bundle_digest=one.bundle_digest, facts=one.facts, action=one.action, alarms=alarms)
    denied = [decision for decision in (one, other) if isinstance(decision, Denied)]
    if denied:
        reasons = tuple(sorted({reason for decision in denied for reason in decision.reasons}))
        return Denied(reasons=reasons, **made)
    asked = [each for decision in (one, other) if isinstance(decision, Obliged) for each in decision.obligations]
    if asked:
        return Obliged(obligations=strictest(asked), **made)
    drawn = [each for decision in (one, other) if isinstance(decision, Allowed) for each in decision.samples]
    return Allowed(samples=tuple(drawn), **made)


def _is_permitted(request: Mapping[str, Json], entities: cedarpy.Entities, bundle: Bundle) -> bool:
    answer = _ask(request, bundle.permits, entities)
    return answer.allowed and not answer.diagnostics.errors


def _ask(request: Mapping[str, Json], policies: cedarpy.PolicySet, entities: cedarpy.Entities) -> cedarpy.AuthzResult:
    return cedarpy.is_authorized(dict(request), policies, entities, schema())  # pyright: ignore[reportUnknownMemberType]  # a bare dict in its types


def _request(action: Action, facts: Facts) -> dict[str, Json]:
    return {
        "principal": _principal(facts),
        "action": {"type": "Action", "id": action.value},
        "resource": {"type": "Tool", "id": f"{facts.connector}.{facts.tool}"},
        "context": _context(action, facts),
    }


def _principal(facts: Facts) -> dict[str, str]:
    return {"type": _KINDS[facts.principal_kind], "id": facts.principal_id}


def _context(action: Action, facts: Facts) -> dict[str, Json]:
    context: dict[str, Json] = {
        "environment": facts.environment,
        "tier": facts.tier.value,
        "effect": facts.effect.value,
        "upstream_class": facts.upstream_class.value,
        "reversal": facts.reversal.value,
        "undo_proven": facts.undo_proven,
        "is_suspended": facts.is_suspended,
        "requester_groups": sorted(facts.requester_groups),
        "hour": facts.hour,
        "weekday": facts.weekday,
        "agent_version": facts.agent_version,
        "missing": sorted(facts.missing),
        "claims": sorted(facts.claims),
        "stops": sorted(facts.stops),
        **{holder.lower(): {"__entity": {"type": holder, "id": _CONTEXT_NAME}} for holder in _HOLDERS},
    }
    if action is Action.PROPOSE:
        return context
    if action is Action.SEE:
        return context | {"data_class": facts.data_class}
    if facts.preview is None:
        raise ValueError(f"{action.value} is decided on a preview, and there is none")
    preview = facts.preview
    return context | {
        "fidelity": preview.fidelity.value,
        "fidelity_rank": preview.fidelity.rank,
        "rows": preview.rows,
        "parties": preview.parties,
        "money_minor": preview.money_minor,
        "currency": preview.currency,
        "sandbox_level": preview.sandbox_level,
        "sandbox_rank": preview.sandbox_rank,
        "run_writes": preview.run_writes,
        "agent_writes_last_hour": preview.agent_writes_last_hour,
        "record_matched": preview.record_matched,
        "record_judged": preview.record_judged,
        "untrusted": sorted(facts.untrusted),
        "unseen": sorted(facts.unseen),
        "trust_level": preview.trust_level,
        "is_addressed": facts.is_addressed,
        "history": {"__entity": {"type": _HISTORY, "id": _CONTEXT_NAME}},
    }


def _entities(facts: Facts) -> cedarpy.Entities:
    known = json.dumps(_described(facts))
    return cedarpy.Entities.from_json_str(known, schema())  # pyright: ignore[reportUnknownMemberType]  # a bare dict in its types


def _described(facts: Facts) -> list[dict[str, Json]]:
    classes = [facts.connector, f"{facts.connector}.{facts.tool}"]
    groups = [{"type": "Group", "id": group} for group in sorted(facts.principal_groups)]
    return [
        {"uid": _principal(facts), "attrs": {}, "parents": groups},
        {
            "uid": {"type": "Tool", "id": classes[1]},
            "attrs": {},
            "parents": [{"type": "ToolClass", "id": name} for name in classes],
        },
        *(_holder(holder, kind, facts) for holder, kind in _HOLDERS.items()),
        {"uid": {"type": _HISTORY, "id": _CONTEXT_NAME}, "attrs": {}, "parents": [], "tags": dict(facts.history)},
    ]


def _holder(holder: str, kind: type, facts: Facts) -> dict[str, Json]:
    # type() and not isinstance: a bool is an int to Python and not to Cedar
    tags = {name: value for name, value in facts.arguments.items() if type(value) is kind}
    return {"uid": {"type": holder, "id": _CONTEXT_NAME}, "attrs": {}, "parents": [], "tags": tags}
