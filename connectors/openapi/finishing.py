"""Making a tool of a draft: what its owner says beside what is inferred, previews, guards, keys and the way back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.openapi.document import Object
from connectors.openapi.drafting import Draft
from connectors.openapi.extension import PreviewBy, TrialBy
from connectors.sdk.spec import Compensation, OperationSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier, UpstreamClass

Json = Any
"""Any JSON value."""

_NEVER_READS: Final = frozenset({"PUT", "PATCH", "DELETE"})


class Unfit(ValueError):
    """What the owner says of an operation cannot be; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTool:
    """An operation as a tool, whether its owner exposes it, and why its effect and tier are what they are."""

    operation: str
    spec: OperationSpec
    is_exposed: bool
    effect_reason: str
    tier_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Care:
    """Effect and tier as they stand in the end, with their reasons."""

    effect: Effect
    tier: Tier
    effect_reason: str
    tier_reason: str
    data_classes: tuple[str, ...]


def finished(draft: Draft, drafts: Sequence[Draft]) -> ImportedTool:
    """Return the tool that `draft` makes beside the other `drafts`, to which its owner may refer.

    Raises:
        Unfit, ValidationError: what the owner says cannot be, or contradicts itself.
    """
    care = _care(draft)
    is_read = care.effect is Effect.READ
    written: Object = {"binding": draft.binding} if is_read else _written(draft, drafts)
    spec = OperationSpec.model_validate(
        {
            "name": draft.name,
            "title": draft.title,
            "description": draft.description,
            "effect": care.effect,
            "tier": care.tier,
            "tier_when": draft.word.tier_when,
            "data_classes": care.data_classes,
            "input_schema": draft.arguments.schema,
            "output_schema": draft.output_schema,
            "max_unsafe_requests": 0 if is_read else 1,
            **written,
        }
    )
    return ImportedTool(
        operation=draft.operation.key,
        spec=spec,
        is_exposed=draft.word.expose,
        effect_reason=care.effect_reason,
        tier_reason=care.tier_reason,
    )


def _care(draft: Draft) -> _Care:
    """Return effect and tier: the owner's word where there is one, never less careful than what is certain."""
    inferred, word, method = draft.verdict, draft.word, draft.operation.method
    effect = word.effect or inferred.effect
    if effect is Effect.READ and method in _NEVER_READS:
        raise Unfit(f"x-hub: effect: a {method} is never a read")
    tier = word.tier or (_inferred_tier(draft, effect))
    effect_reason, tier_reason = inferred.effect_reason, inferred.tier_reason
    if word.effect is not None:
        effect_reason = f"its owner says so (inferred: {inferred.effect}, {effect_reason})"
    if word.tier is not None:
        tier_reason = f"its owner says so (inferred: {inferred.tier}, {tier_reason})"
    is_special = effect is Effect.READ and tier is not Tier.LOW
    data_classes = (inferred.data_classes or ("confidential",)) if is_special else ()
    return _Care(
        effect=effect, tier=tier, effect_reason=effect_reason, tier_reason=tier_reason, data_classes=data_classes
    )


def _inferred_tier(draft: Draft, effect: Effect) -> Tier:
    """Return the tier that was inferred, as far as it fits the effect that the owner gives."""
    inferred = draft.verdict
    if effect is inferred.effect:
        return inferred.tier
    if effect is Effect.READ:
        return Tier.LOW
    floor = Tier.HIGH if effect in {Effect.DELETE, Effect.SEND} else Tier.MEDIUM
    return max(floor, inferred.tier, key=lambda tier: tier.rank)


def _written(draft: Draft, drafts: Sequence[Draft]) -> Object:
    """Return what only a write has."""
    binding = dict(draft.binding)
    fields: Object = {**_class(draft, binding), **_undo(draft, drafts)}
    preview = draft.word.preview
    fidelity = Fidelity.NONE if _is_opaque(draft) else Fidelity.CONTRACT
    if isinstance(preview, PreviewBy):
        binding["preview"] = _reading(draft, preview, drafts)
        fields |= {"observable": True, "volatile": preview.volatile}
        fidelity = Fidelity.SIMULATED if preview.trial is None else Fidelity.EXECUTED
    if draft.guard is not None:
        if not isinstance(preview, PreviewBy):
            raise Unfit("x-hub: guard: only a preview that reads the record can find its version")
        binding["guard"] = _guard(draft)
    if draft.word.dry_run:
        if draft.arguments.dry_run is None:
            raise Unfit("x-hub: dry_run: it has no boolean parameter in its query that asks for one")
        binding["dry_run"] = draft.arguments.dry_run
        fidelity = Fidelity.VALIDATED
    return {**fields, "binding": binding, "fidelity": fidelity}


def _guard(draft: Draft) -> Object:
    guard = draft.guard
    assert guard is not None  # noqa: S101  # asked by the one caller
    name = guard.name.lower() if guard.place == "header" else guard.name
    binding: Object = {"read": guard.read, "in": guard.place, "name": name}
    if guard.empty is not None:
        binding["empty"] = guard.empty
    if guard.place != "body":
        return binding
    for ours, theirs in (draft.arguments.body or {}).get("members", {}).items():
        if theirs == guard.name:
            raise Unfit(f"x-hub: guard: the body's {guard.name} is also the argument {ours!r}; remove one of them")
    return {**binding, "is_text": guard.read == "etag"}


def _class(draft: Draft, binding: Object) -> Object:
    """Return the upstream class, and what it rests on; a key's header is noted in `binding`.

    A key that the document asks for is sent, and proves nothing: a system that forgets it would be written to twice.
    """
    said = draft.word.idempotency
    if draft.arguments.key_header is not None:
        binding["key_header"] = draft.arguments.key_header
    if said is None:
        return {"upstream_class": UpstreamClass.B if draft.guard is not None else UpstreamClass.D}
    if said.kind in {"field", "lookup"}:
        raise Unfit(f"x-hub: idempotency: {said.kind} is not carried out for imported APIs; header and natural are")
    if said.name is not None:
        binding["key_header"] = said.name.lower()
    return {"upstream_class": said.upstream_class, "idempotency": said}


def _undo(draft: Draft, drafts: Sequence[Draft]) -> Object:
    undo = draft.word.undo
    if undo is None:
        return {}
    other = referred(undo.operation, drafts, "undo")
    compensation = Compensation(
        tool=other.name,
        arguments={**_same_names(draft, other), **undo.arguments},
        kind=undo.kind,
        window_seconds=undo.window_seconds,
    )
    return {"compensation": compensation, "reversal": Reversal(undo.kind), "residue": undo.residue}


def _reading(draft: Draft, preview: PreviewBy, drafts: Sequence[Draft]) -> Object:
    read = referred(preview.read, drafts, "preview")
    if _care(read).effect is not Effect.READ:
        raise Unfit(f"x-hub: preview: {preview.read} is no read")
    arguments = {**_same_names(draft, read), **preview.arguments}
    known, needed = read.arguments.schema["properties"], read.arguments.schema.get("required", [])
    for name in [*({*needed} - {*arguments}), *({*arguments} - {*known})]:
        raise Unfit(f"x-hub: preview: say in arguments where {read.name} has its {name!r} from, and nothing it has not")
    binding: Object = {
        "request": read.binding,
        "schema": read.arguments.schema,
        "arguments": arguments,
        "record": preview.record,
    }
    if preview.not_covered:
        binding["not_covered"] = list(preview.not_covered)
    if preview.trial is not None:
        binding["trial"] = _trial(preview.trial, drafts)
    return binding


def _trial(trial: TrialBy, drafts: Sequence[Draft]) -> Object:
    steps: Object = {"opened": trial.opened}
    for name, step in (("open", trial.open), ("write", trial.write), ("look", trial.look), ("close", trial.close)):
        other = referred(step.operation, drafts, f"preview: trial: {name}")
        properties = other.arguments.schema["properties"]
        if strange := sorted({*step.arguments, *step.constants} - {*properties}):
            raise Unfit(f"x-hub: preview: trial: {name}: {other.name} has no argument {strange[0]!r}")
        steps[name] = {
            "request": other.binding,
            "schema": other.arguments.schema,
            "arguments": dict(step.arguments),
            "constants": dict(step.constants),
        }
    if _care(referred(trial.look.operation, drafts, "trial")).effect is not Effect.READ:
        raise Unfit("x-hub: preview: trial: look is no read")
    return steps


def _same_names(draft: Draft, other: Draft) -> Mapping[str, str]:
    """Return where the arguments come from that `other` needs and the draft has too, by the same name."""
    ours = draft.arguments.schema["properties"]
    return {name: f"/input/{name}" for name in other.arguments.schema.get("required", []) if name in ours}


def referred(reference: str, drafts: Sequence[Draft], what: str) -> Draft:
    """Return the draft of the operation that `reference` names: by operationId, by `METHOD /path` or as a tool.

    Raises:
        Unfit: there is none.
    """
    for draft in drafts:
        if reference in {draft.operation.operation_id, draft.operation.key, draft.name}:
            return draft
    raise Unfit(f"x-hub: {what}: there is no operation {reference!r}")


def _is_opaque(draft: Draft) -> bool:
    body = draft.arguments.body or {}
    return "whole" in body and "json" not in body["media_type"]
