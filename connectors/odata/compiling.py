"""From `$metadata` and its owner's words to a connector: each operation is a tool, or a refusal with its reason.

Pure. Nothing is published that the owner has not exposed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from connectors.odata.activation import by_draft
from connectors.odata.addresses import function_path, record_template, set_path
from connectors.odata.calls import OF_DRAFTS, CallTools
from connectors.odata.metadata import EntitySet, Metadata
from connectors.odata.owners import BadWord, OwnersWord, OwnersWords
from connectors.odata.shaping import Shaper
from connectors.odata.tools import Drafted, SetTools, Unfit, compensation
from connectors.openapi.compiling import Compilation, Refusal
from connectors.openapi.document import as_object
from connectors.openapi.finishing import ImportedTool
from connectors.sdk.artefact import artefact_digest
from connectors.sdk.names import normalised
from connectors.sdk.spec import ConnectorSpec, OperationSpec, SafeRule
from connectors.sdk.vocabulary import Effect, Tier

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

ENTRY: Final = "connectors.odata:carry_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Importing:
    """What the connector is called, and where the service is."""

    name: str
    version: str = "1.0.0"
    title: str = ""
    base_url: str = ""


def compile_metadata(root: Mapping[str, Json], importing: Importing, words: OwnersWords | None = None) -> Compilation:
    """Return the connector that the document `root` describes, with what its owner says in `words`.

    Raises:
        BadWord: the owner speaks of a tool that is not there, or contradicts what is certain.
    """
    return _Compiling(Metadata(root), importing, words or OwnersWords()).done()


@cache
def _artefact() -> str:
    return artefact_digest("connectors.odata")  # these files do not change while they run


class _Compiling:
    def __init__(self, metadata: Metadata, importing: Importing, words: OwnersWords) -> None:
        self._metadata = metadata
        self._importing = importing
        self._words = words
        self._shaper = Shaper(metadata)
        self._refused = list[Refusal]()
        self._findings = Counter[str]()

    def done(self) -> Compilation:
        drafts = self._named([*self._drafts()])
        if unknown := sorted({*self._words.tools} - {*drafts}):
            raise BadWord(f"There is no tool {', '.join(unknown)}; the report lists those that there are.")
        exposed = {name for name in drafts if self._word(name).expose}
        tools = dict[str, ImportedTool]()
        for name, draft in drafts.items():
            try:
                tools[name] = self._finished(name, draft, drafts, exposed if name in exposed else {*drafts})
            except ValidationError as error:
                said = "; ".join(one["msg"] for one in error.errors(include_url=False))
                if name in exposed:
                    raise BadWord(f"{name}: {said}") from error
                self._refused.append(Refusal(operation=draft.operation, reason=said[:500]))
        return Compilation(
            spec=self._spec([tools[name].spec for name in drafts if name in exposed]),
            tools=tuple(tools.values()),
            refusals=tuple(self._refused),
            findings=self._findings,
            base_url=self._importing.base_url,
        )

    def _drafts(self) -> Iterator[Drafted]:
        calls = CallTools(self._metadata, self._shaper)
        for name, reason in self._metadata.others():
            self._refused.append(Refusal(operation=name, reason=reason))
        for entities in self._metadata.sets():
            yield from self._of_set(entities, calls)
        for imported in self._metadata.imports():
            try:
                yield calls.unbound(imported)
            except Unfit as error:
                self._refused.append(Refusal(operation=imported.name, reason=str(error)))

    def _of_set(self, entities: EntitySet, calls: CallTools) -> Iterator[Drafted]:
        try:
            tools = SetTools(entities, self._shaper)
        except Unfit as error:
            self._refused.append(Refusal(operation=entities.name, reason=str(error)))
            return
        for drafted in tools.all():
            try:
                yield drafted if self._words.writes == "live" else by_draft(drafted)
            except Unfit as error:
                self._refused.append(Refusal(operation=drafted.operation, reason=str(error)))
        self._refused += [Refusal(operation=one, reason=reason) for one, reason in tools.left_out()]
        for operation in self._metadata.bound_to(entities.type.name):
            if operation.name.rpartition(".")[2] in OF_DRAFTS:
                continue  # what previews do; nobody calls it alone
            try:
                yield calls.bound(operation, tools)
            except Unfit as error:
                self._refused.append(Refusal(operation=f"{entities.name}/{operation.name}", reason=str(error)))

    def _named(self, drafts: Sequence[Drafted]) -> dict[str, Drafted]:
        """Return the drafts by name; a second overload gets a number."""
        times, wanted = Counter[str](), dict[str, Drafted]()
        for draft in drafts:
            times[draft.wanted_name] += 1
            number = times[draft.wanted_name]
            wanted[draft.wanted_name if number == 1 else f"{draft.wanted_name}_{number}"] = draft
        names = normalised([*wanted])
        return {names[theirs]: draft for theirs, draft in wanted.items()}

    def _word(self, name: str) -> OwnersWord:
        return self._words.tools.get(name, OwnersWord())

    def _finished(self, name: str, draft: Drafted, drafts: Mapping[str, Drafted], undoing: set[str]) -> ImportedTool:
        """Return the tool as its owner has it; `undoing` are the tools that may undo it."""
        word, verdict = self._word(name), draft.verdict
        spec = dict(draft.spec)
        effect = word.effect or verdict.effect
        if word.effect is not None and spec["binding"]["kind"] != "action":
            raise BadWord(f"{name}: effect: only of an action it is not known what it does")
        if effect is Effect.READ:
            spec = {key: value for key, value in spec.items() if key not in _OF_WRITES}
        tier = word.tier or (Tier.LOW if effect is Effect.READ and verdict.effect is not effect else verdict.tier)
        undo = next((ours for ours, one in drafts.items() if one.wanted_name == draft.undone_by), None)
        if undo in undoing:
            spec |= compensation(draft, undo)
        data_classes = verdict.data_classes or (
            ("confidential",) if effect is Effect.READ and tier is not Tier.LOW else ()
        )
        operation = OperationSpec.model_validate(
            {
                **spec,
                "name": name,
                "effect": effect,
                "tier": tier,
                "data_classes": data_classes if effect is not Effect.READ or tier is not Tier.LOW else (),
                "max_unsafe_requests": 0 if effect is Effect.READ else spec.get("max_unsafe_requests", 1),
            }
        )
        return ImportedTool(
            operation=draft.operation,
            spec=operation,
            is_exposed=word.expose,
            effect_reason=_confirmed(word.effect, verdict.effect, verdict.effect_reason),
            tier_reason=_confirmed(word.tier, verdict.tier, verdict.tier_reason),
        )

    def _spec(self, operations: Sequence[OperationSpec]) -> ConnectorSpec:
        importing = self._importing
        return ConnectorSpec(
            name=importing.name,
            version=importing.version,
            title=(importing.title or self._metadata.container_name)[:120] or importing.name,
            description=f"{len(operations)} operations of an OData service.",
            entry=ENTRY,
            runs="direct",
            artefact_digest=_artefact(),
            auth=self._words.auth,
            safe=_distinct(rule for operation in operations for rule in _safe_rules(operation)),
            headers=("odata-version", "odata-maxversion"),
            operations=tuple(operations),
        )


_OF_WRITES: Final = frozenset({"fidelity", "upstream_class", "observable", "volatile"})


def _confirmed(said: Effect | Tier | None, inferred: Effect | Tier, reason: str) -> str:
    return reason if said is None else f"its owner says so (inferred: {inferred}, {reason})"


def _distinct(rules: Iterator[SafeRule]) -> tuple[SafeRule, ...]:
    kept = list[SafeRule]()
    for rule in rules:
        if rule not in kept:
            kept.append(rule)
    return tuple(kept)


def _safe_rules(operation: OperationSpec) -> Iterator[SafeRule]:
    """Yield what may be sent outside a commit: reads of sets and records, functions, and what is done to drafts."""
    binding = operation.binding
    kind, target = str(binding["kind"]), as_object(binding.get("target"))
    if kind == "find":
        yield SafeRule(method="GET", template=set_path(target))
    elif target:
        yield SafeRule(method="GET", template=record_template(target))
    if kind == "function":
        yield SafeRule(method="GET", template=_call_template(binding))
    if kind == "action" and operation.effect is Effect.READ:
        yield SafeRule(method="POST", template=_call_template(binding))
    if kind in {"create", "update"}:
        yield from _rules_of_drafts(kind, target)


def _call_template(binding: Mapping[str, Json]) -> str:
    start = record_template(binding["target"]) if "target" in binding else ""
    is_function = binding["kind"] == "function"
    return start + (function_path(binding["path"], [*binding["parameters"]]) if is_function else f"/{binding['path']}")


def _rules_of_drafts(kind: str, target: Mapping[str, Json]) -> Iterator[SafeRule]:
    draft = as_object(target.get("draft"))
    start = "new" if kind == "create" else "edit"
    if start not in draft:
        return
    owner = set_path(target) if kind == "create" else record_template(target)
    record = record_template(target, is_draft=True)
    yield SafeRule(method="POST", template=f"{owner}/{draft[start]}", preview_only=True)
    yield SafeRule(method="GET", template=record, preview_only=True)
    yield SafeRule(method="DELETE", template=record, preview_only=True)
    if kind == "update":
        yield SafeRule(method="PATCH", template=record, preview_only=True)
    if "prepare" in draft:
        yield SafeRule(method="POST", template=f"{record}/{draft['prepare']}", preview_only=True)
