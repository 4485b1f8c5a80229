"""What of a call somebody may see: policy is asked for each data class its tool declares; the rest shows as markers.

The record keeps everything. It is masked whenever somebody looks: the agent its answer, people the answers, previews
and arguments of calls that they take part in or are asked about.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, repeat
from typing import Any

from connectors.sdk.preview import Change, Preview
from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Tier
from hub.approvals import Counter, Question
from hub.core.masking import MARK, classes_in, holds_marker, mask, told_apart
from hub.dryrun import PlannedStep, PlanPreview, PreviewRecord
from hub.identity.principals import Caller
from hub.invocations.journal import load
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import Restoring, with_answer
from hub.invocations.values import Invocation
from hub.policy import Action, Allowed, Facts, decide
from hub.registry import PublishedTool

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """What one viewer may not see of the calls of one version of a tool; `found` are the classes it has hidden.

    Of a plan, `steps` are the masks of its steps by their names: each step is shown as a call of its own tool. Of an
    undo that met a conflict, `records` is the mask of the call that it takes back: the records are those of its tool.
    """

    operation: OperationSpec
    hidden: frozenset[str]
    found: set[str] = field(default_factory=set[str])
    steps: Mapping[str, "Mask"] = field(default_factory=dict[str, "Mask"])
    records: "Mask | None" = None

    def output(self, value: Json) -> Json:
        """Return an answer, or a record as a preview shows it, with markers."""
        return self._masked(value, self.operation.output_schema)

    def arguments(self, value: Mapping[str, Json]) -> dict[str, Json]:
        """Return arguments with markers."""
        shown: dict[str, Json] = self._masked(dict(value), self.operation.input_schema)
        return shown

    def text(self, value: str) -> str:
        """Return a text of which nobody has said of what class it is: it may be of any that is hidden."""
        shown: str = self._masked(value, {MARK: sorted(self.hidden)})
        return shown

    def preview(self, preview: Preview) -> Preview:
        """Return a preview with markers in its records, and in place of those to whom something is sent."""
        if isinstance(preview, PlanPreview):
            return PlanPreview.of([self._step(one) for one in preview.steps])
        effects = [one.model_copy(update={"recipient": self.text(one.recipient)}) for one in preview.side_effects]
        changed = {"changes": tuple(map(self._change, preview.changes)), "side_effects": tuple(effects)}
        return preview.model_copy(update=changed)

    def record(self, record: PreviewRecord) -> PreviewRecord:
        """Return a preview on record with markers, and with them in what was read back after it."""
        committed = {target: found and self.output(found) for target, found in record.committed.items()}
        return replace(record, preview=self.preview(record.preview), committed=committed)

    def question(self, question: Question) -> Question:
        """Return a question whose summary has markers."""
        summary = dict(question.summary)
        steps = summary.get("steps", ())
        owners = [self.of_step(one["name"]) for one in steps for _ in one["changes"]]  # in the order of the changes
        changes = zip(summary["changes"], chain(owners, repeat(self)), strict=False)
        summary["changes"] = [owner.told(change) for change, owner in changes]
        effects = summary["side_effects"]
        summary["side_effects"] = [{**one, "recipient": self.text(one["recipient"])} for one in effects]
        if steps:
            summary["steps"] = [self.of_step(one["name"]).told_step(one) for one in steps]
        return replace(question, summary=summary)

    def of_step(self, name: str) -> "Mask":
        """Return the mask of a step of a plan; for one that is unknown, its own, which lets through less."""
        return self.steps.get(name, self)

    def told(self, change: Mapping[str, Json]) -> dict[str, Json]:
        """Return a change of a summary with markers."""
        return {**change, "fields": self._fields(change["fields"])}

    def told_step(self, step: Mapping[str, Json]) -> dict[str, Json]:
        """Return a step of a summary with markers."""
        answer = {"answer": self.output(step["answer"])} if "answer" in step else {}
        changes = [*map(self.told, step["changes"])]
        return {**step, "arguments": self.arguments(step["arguments"]), "changes": changes, **answer}

    def _step(self, step: PlannedStep) -> PlannedStep:
        own = self.of_step(step.name)
        given = {"arguments": own.arguments(step.arguments), "known": own.arguments(step.known)}
        given |= {"answer": own.output(step.answer)} if step.is_read else {}
        return step.model_copy(update={**given, "preview": own.preview(step.preview)})

    def conflict(self, line: Mapping[str, str]) -> dict[str, str]:
        """Return one field of a conflict with markers."""
        said = {side: self._side(line["field"], line[side]) for side in ("before", "committed", "now")}
        told = {**line, **said}
        return told if self.records is None else self.records.conflict(told)

    def _side(self, name: str, shown: str) -> Json:
        """Return one side of a conflict; what is nested is one text there, and no part of it has its own class."""
        return self.text(shown) if shown.startswith(("{", "[")) else self.output({name: shown})[name]

    def counter(self, counter: Counter) -> Counter:
        """Return a counter-proposal with markers."""
        before, after = self.arguments(counter.before), self.arguments(counter.after)
        return replace(counter, before=before, after=told_apart(counter.before, counter.after, before, after))

    def _change(self, change: Change) -> Change:
        before = None if change.before is None else self.output(change.before)
        after = None if change.after is None else self.output(change.after)
        after = told_apart(change.before, change.after, before, after)
        return change.model_copy(update={"before": before, "after": after})

    def _fields(self, fields: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
        return {
            name: {side: self.output({name: value})[name] for side, value in sides.items()}
            for name, sides in fields.items()
        }

    def _masked(self, value: Json, schema: Mapping[str, Json]) -> Json:
        masked = mask(value, schema, of=self.operation.data_classes, hidden=self.hidden)
        self.found.update(masked.classes)
        return masked.value


async def answer_for(caller: Caller, standing: Invocation, runtime: Runtime) -> Invocation:
    """Return a call as its viewer may see it; the agent that made it gets the secrets in its answer, too."""
    is_own = standing.agent_id == caller.actor.id
    return await as_seen_by(caller, with_answer(standing, runtime.keys) if is_own else standing, runtime)


async def as_seen_by(caller: Caller, standing: Invocation, runtime: Runtime) -> Invocation:
    """Return a call with markers for what the viewer may not see; `masked` names their classes."""
    hiding = await mask_for(caller, standing, runtime)
    if hiding is None:
        return standing
    own = _sent_by(caller, standing)
    shown = replace(
        standing,
        output=hiding.output(standing.output),
        arguments=_with_own(own, standing.arguments, hiding.arguments(standing.arguments)),
        preview=standing.preview and hiding.record(standing.preview),
        question=standing.question and hiding.question(standing.question),
        conflict=tuple(map(hiding.conflict, standing.conflict)),
        asks=None,  # nobody has said of what class a question's words are
        counters=tuple(_with_own_parts(own, counter, hiding.counter(counter)) for counter in standing.counters),
    )
    return replace(shown, masked=tuple(sorted(hiding.found)))


def _sent_by(caller: Caller, standing: Invocation) -> Mapping[str, Json]:
    """Return the arguments that the viewer has sent: those of an undo or a step come from the record, not the agent."""
    if standing.agent_id != caller.actor.id or standing.undoes is not None or standing.part is not None:
        return {}
    return standing.counters[0].before if standing.counters else standing.arguments


def _with_own(own: Mapping[str, Json], whole: Mapping[str, Json], shown: Mapping[str, Json]) -> dict[str, Json]:
    """Return `shown` with what the viewer has sent itself as it is; what others put in its place stays hidden."""
    return {name: whole[name] if name in own and own[name] == whole[name] else part for name, part in shown.items()}


def _with_own_parts(own: Mapping[str, Json], counter: Counter, shown: Counter) -> Counter:
    before = _with_own(own, counter.before, shown.before)
    return replace(shown, before=before, after=_with_own(own, counter.after, shown.after))


def unmasked(proposed: Json, standing: Invocation, hiding: Mask | None) -> Json:
    """Return the arguments that somebody proposes who was shown those of `standing`: markers are values again.

    Raises:
        InputError: a marker stands where none, or another one, was shown.
    """
    why_not = "A marker stands for a value that you were not shown: leave it where it was, or give a value of your own."
    shown = standing.arguments if hiding is None else hiding.arguments(standing.arguments)
    return Restoring(is_marker=holds_marker, why_not=why_not).restored(proposed, shown, standing.arguments)


async def mask_for(caller: Caller, standing: Invocation, runtime: Runtime) -> Mask | None:
    """Return what `caller` may not see of a call; None: it may see everything."""
    look = await _look_at_call(standing, runtime)
    hiding = await _with_steps(await _mask(caller, look, runtime), caller, standing, runtime)
    hiding = await _with_records(hiding, caller, standing, runtime)
    return hiding if hiding.hidden else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What somebody looks at: answers of one version of a tool."""

    operation: OperationSpec
    version_id: str
    connector: str
    environment: str
    tier: Tier


def look_at(tool: PublishedTool) -> Look:
    """Return a look at what a tool will bring back."""
    return Look(
        operation=tool.version.spec,
        version_id=tool.version.id,
        connector=tool.connector.name,
        environment=tool.environment,
        tier=tool.tier,
    )


async def _look_at_call(standing: Invocation, runtime: Runtime) -> Look:
    return Look(
        operation=await runtime.catalog.operation(standing.tool_version_id),
        version_id=standing.tool_version_id,
        connector=standing.connector,
        environment=standing.environment,
        tier=standing.tier,
    )


async def _mask(caller: Caller, look: Look, runtime: Runtime) -> Mask:
    return Mask(operation=look.operation, hidden=await hidden_from(caller, look, runtime))


async def _with_steps(hiding: Mask, caller: Caller, standing: Invocation, runtime: Runtime) -> Mask:
    """Return the mask of a call with those of its steps, if it is a plan; what one of them hides, the plan hides."""
    preview = standing.preview.preview if standing.preview else None
    steps = dict[str, Mask]()
    for one in preview.steps if isinstance(preview, PlanPreview) else ():
        look = Look(
            operation=await runtime.catalog.operation(one.tool_version_id),
            version_id=one.tool_version_id,
            connector=one.connector,
            environment=standing.environment,
            tier=one.tier,
        )
        steps[one.name] = replace(await _mask(caller, look, runtime), found=hiding.found)
    return replace(hiding, hidden=hiding.hidden.union(*(one.hidden for one in steps.values())), steps=steps)


async def _with_records(hiding: Mask, caller: Caller, standing: Invocation, runtime: Runtime) -> Mask:
    """Return the mask of an undo with that of the call it takes back, if the records of that stand in a conflict."""
    if standing.undoes is None or not standing.conflict:
        return hiding
    async with runtime.database.reading() as tx:
        original = await load(tx, standing.undoes)
    look = await _look_at_call(original, runtime)
    records = replace(await _mask(caller, look, runtime), found=hiding.found)
    return replace(hiding, hidden=hiding.hidden | records.hidden, records=records)


async def hidden_from(caller: Caller, look: Look, runtime: Runtime) -> frozenset[str]:
    """Return the data classes of which policy lets `caller` see nothing."""
    classes = _classes(look.version_id, _Held(look.operation))
    if not classes:
        return classes
    bundle = await runtime.bundles.active(look.environment)
    at = datetime.now(UTC)  # nothing is recorded of a look; the hour is the only fact that a clock gives
    facts = {name: _facts(caller, look, name, at) for name in classes}
    return frozenset(one for one in classes if not isinstance(decide(Action.SEE, facts[one], bundle), Allowed))


def _facts(caller: Caller, look: Look, data_class: str, at: datetime) -> Facts:
    operation = look.operation
    return Facts(
        principal_kind=caller.actor.kind.value,
        principal_id=caller.actor.id,
        principal_groups=caller.actor.groups,
        requester_groups=caller.subject.groups,
        is_suspended=caller.actor.is_suspended or caller.subject.is_suspended,
        tool=operation.name,
        connector=look.connector,
        environment=look.environment,
        tier=look.tier,
        effect=operation.effect,
        upstream_class=operation.upstream_class,
        reversal=operation.reversal,
        undo_proven=False,
        hour=at.hour,
        weekday=at.isoweekday(),
        data_class=data_class,
    )


class _Held:
    """An operation as an argument of a cache that looks at the version's id alone; schemas cannot be hashed."""

    def __init__(self, operation: OperationSpec) -> None:
        self.operation = operation

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=20_000)
def _classes(_version_id: str, held: _Held) -> frozenset[str]:
    operation = held.operation
    named = classes_in(operation.output_schema) | classes_in(operation.input_schema)
    return frozenset(operation.data_classes) | named
