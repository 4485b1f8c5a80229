"""The contract kit: proves on a live test system what a write declares of itself. It writes for real."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import uuid4

from connectors.sdk.errors import Conflict
from connectors.sdk.preview import Preview
from connectors.sdk.run import Done, Failed, Found, Observed, PhaseCall, PhaseResult, Previewed
from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Phase, UpstreamClass
from connectors.sdk.workbench import Workbench

Json = Any
"""Any JSON value."""


class Verdict(StrEnum):
    """What a check found; what is not declared is not checked."""

    PASSED = "passed"
    FAILED = "FAILED"
    NOT_DECLARED = "not declared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of a connector's badge."""

    operation: str
    rule: str
    verdict: Verdict
    detail: str = ""


class _Broken(Exception):
    """A check failed; the message says how."""


@dataclass(slots=True, kw_only=True)
class _Trial:
    """One write tried out: what was previewed, sent and answered so far."""

    bench: Workbench
    spec: OperationSpec
    arguments: Mapping[str, Json]
    key: str = field(default_factory=lambda: f"kit-{uuid4()}")
    preview: Preview = field(default_factory=lambda: Preview(changes=()))
    output: Json = None

    async def run(self, phase: Phase, **more: Json) -> PhaseResult:
        call = PhaseCall(operation=self.spec.name, phase=phase, arguments=self.arguments, **more)
        return await self.bench.run(call)

    async def commit(self) -> PhaseResult:
        return await self.bench.run(
            self.bench.order(self.spec.name, self.preview, key=self.key, **dict(self.arguments))
        )


Step = Callable[[_Trial], Awaitable[None]]


async def check_write(bench: Workbench, operation: str, **arguments: Json) -> list[Check]:
    """Return what `operation` keeps of what it declares, tried with `arguments` on a system where that does no harm.

    The checks build on each other: after one that the others need has failed, the list ends.
    """
    trial = _Trial(bench=bench, spec=bench.connector.spec.operation(operation), arguments=arguments)
    checks: list[Check] = []
    for rule, is_declared, step, is_needed in _RULES:
        if not is_declared(trial.spec):
            checks.append(Check(operation=operation, rule=rule, verdict=Verdict.NOT_DECLARED))
            continue
        try:
            await step(trial)
            checks.append(Check(operation=operation, rule=rule, verdict=Verdict.PASSED))
        except _Broken as broken:
            checks.append(Check(operation=operation, rule=rule, verdict=Verdict.FAILED, detail=str(broken)))
            if is_needed:
                break
    return checks


async def _previews(trial: _Trial) -> None:
    trial.preview = _previewed(await trial.run(Phase.PREVIEW))


async def _previews_the_same(trial: _Trial) -> None:
    _same(_previewed(await trial.run(Phase.PREVIEW)).model_dump(), trial.preview.model_dump())


async def _commits(trial: _Trial) -> None:
    result = await trial.commit()
    if not isinstance(result, Done):
        raise _Broken(_told(result))
    if result.findings:
        raise _Broken("; ".join(result.findings))
    trial.output = result.output


async def _applies_once(trial: _Trial) -> None:
    result = await trial.commit()
    if not isinstance(result, Done):
        raise _Broken(_told(result))
    _same(result.output, trial.output)


async def _refuses_a_stale_guard(trial: _Trial) -> None:
    result = await trial.commit()
    if not isinstance(result, Failed) or result.code != Conflict.code:
        raise _Broken(f"sent again with the same guard: {_told(result)}")


async def _is_found(trial: _Trial) -> None:
    result = await trial.run(Phase.LOOKUP, idempotency_key=trial.key)
    if not isinstance(result, Found):
        raise _Broken(_told(result))


async def _came_as_predicted(trial: _Trial) -> None:
    result = await trial.run(Phase.OBSERVE, output=trial.output)
    if not isinstance(result, Observed):
        raise _Broken(_told(result))
    for change in trial.preview.changes:
        found = result.records.get(change.target)
        if (found is None) != (change.after is None):
            raise _Broken(f"{change.target} is {'missing' if found is None else 'still there'}")
        predicted = {name: value for name, value in (change.after or {}).items() if name not in trial.spec.volatile}
        _same({name: (found or {}).get(name) for name in predicted}, predicted)


async def _can_be_undone(trial: _Trial) -> None:
    compensation = trial.spec.compensation
    assert compensation is not None  # noqa: S101  # the rule applies only where one is declared
    befores = [change.before for change in trial.preview.changes]
    receipt = {"input": dict(trial.arguments), "output": trial.output, "before": befores}
    undo = compensation.arguments_for(receipt)
    preview = _previewed(await trial.bench.preview(compensation.tool, **undo))
    result = await trial.bench.commit(compensation.tool, preview, **undo)
    if not isinstance(result, Done):
        raise _Broken(_told(result))
    if trial.spec.observable:
        await _what_was_made_is_gone(trial)
    restored = _previewed(await trial.run(Phase.PREVIEW))
    residue = {*trial.spec.residue, *trial.spec.volatile}
    _same([_without(residue, c.before) for c in restored.changes], [_without(residue, before) for before in befores])


async def _what_was_made_is_gone(trial: _Trial) -> None:
    result = await trial.run(Phase.OBSERVE, output=trial.output)
    left: Mapping[str, Mapping[str, Json] | None] = result.records if isinstance(result, Observed) else {}
    for change in trial.preview.changes:
        if change.before is None and left.get(change.target) is not None:
            raise _Broken(f"{change.target} is still there")


def _previewed(result: PhaseResult) -> Preview:
    if not isinstance(result, Previewed):
        raise _Broken(_told(result))
    return result.preview


def _same(found: Json, expected: Json) -> None:
    if found != expected:
        raise _Broken(f"found {found}, expected {expected}")


def _without(names: set[str], record: Mapping[str, Json] | None) -> dict[str, Json] | None:
    return None if record is None else {name: value for name, value in record.items() if name not in names}


def _told(result: PhaseResult) -> str:
    return f"{result.code}: {result.message}" if isinstance(result, Failed) else result.kind.replace("_", " ")


Rule = tuple[str, Callable[[OperationSpec], bool], Step, bool]
_RULES: tuple[Rule, ...] = (
    ("a preview is made without any write", lambda _: True, _previews, True),
    ("the same input previews the same", lambda _: True, _previews_the_same, False),
    ("a commit succeeds and answers as declared", lambda _: True, _commits, True),
    ("what was predicted is what came", lambda spec: spec.observable, _came_as_predicted, False),
    ("the same key applies once", lambda spec: spec.upstream_class is UpstreamClass.A, _applies_once, False),
    ("a stale guard is refused", lambda spec: spec.upstream_class is UpstreamClass.B, _refuses_a_stale_guard, False),
    ("a lost answer is found by our reference", lambda spec: spec.upstream_class is UpstreamClass.C, _is_found, False),
    ("the compensation restores what was there", lambda spec: spec.compensation is not None, _can_be_undone, False),
)
