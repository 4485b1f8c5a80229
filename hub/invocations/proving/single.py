"""Single calls of a connector in a laboratory, and what came of each as plain values, for who serves it alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.sdk.declaration import Commit
from connectors.sdk.errors import Conflict, Fenced
from connectors.sdk.errors import Unknown as UpstreamUnknown
from connectors.sdk.preview import Preview
from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Fidelity, Phase
from hub.execution import (
    CheckOutcome,
    CommitOutcome,
    Conflicted,
    Failed,
    LookUpOutcome,
    Observed,
    ObserveOutcome,
    Passed,
    Previewed,
    PreviewOutcome,
    ReadOutcome,
    Succeeded,
    Unknown,
    Violation,
)
from hub.invocations.proving.laboratory import Laboratory, Order

Json = Any
"""Any JSON value."""

_NOT_APPLIED = "not_applied"
_CODES: Mapping[type, str] = {Conflicted: Conflict.code, Unknown: UpstreamUnknown.code, Violation: Fenced.code}

Outcome = CheckOutcome | ReadOutcome | PreviewOutcome | CommitOutcome | LookUpOutcome | ObserveOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the connector answered."""

    value: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What it may not or cannot do: the code of a connector's error, and a sentence."""

    code: str
    message: str


Told = Answered | Refused


async def read(lab: Laboratory, operation: str, arguments: Mapping[str, Json]) -> Told:
    """Return what a read found."""
    return _told(await lab.read(operation, arguments))


async def write(
    lab: Laboratory, operation: OperationSpec, arguments: Mapping[str, Json], commit: Commit | None
) -> Told:
    """Carry a write out as it was previewed; where nobody says how, as a preview taken now shows it."""
    if commit is not None:
        order = Order(guard=commit.guard, before=commit.before, key=commit.key)
    else:
        preview = await _preview_now(lab, operation, arguments)
        if not isinstance(preview, Preview):
            return preview
        order = Order.of(preview, key=lab.new_key())
    checked = await lab.check(operation.name, arguments, order.guard)
    if not isinstance(checked, Passed):
        return _told(checked)
    return _told(await lab.commit(operation.name, arguments, order))


async def phase_of(lab: Laboratory, operation: str, phase: Phase, given: Mapping[str, Json]) -> Told:
    """Return what a phase that only reads answers; `given` is what `connectors.sdk.declaration` says it takes."""
    match phase:
        case Phase.PREVIEW:
            checked = await lab.check(operation, given, {})
            return _told(await lab.preview(operation, given) if isinstance(checked, Passed) else checked)
        case Phase.OBSERVE:
            before: Mapping[str, Mapping[str, Json]] = given.get("before") or {}
            arguments: Mapping[str, Json] = given.get("input") or {}
            return _told(await lab.observe(operation, arguments, before=before, output=given.get("output")))
        case _:
            return _found(await lab.look_up(operation, given.get("input") or {}, str(given.get("key", ""))))


async def _preview_now(lab: Laboratory, operation: OperationSpec, arguments: Mapping[str, Json]) -> Preview | Told:
    if operation.fidelity is Fidelity.NONE:
        return Preview(changes=())
    previewed = await lab.preview(operation.name, arguments)
    return previewed.preview if isinstance(previewed, Previewed) else _told(previewed)


def _found(outcome: LookUpOutcome) -> Told:
    match outcome:
        case Succeeded(output=output):
            return Answered(value={"found": output})
        case Failed(code=code) if code == _NOT_APPLIED:
            return Answered(value={"found": None})
        case _:
            return _told(outcome)


def _told(outcome: Outcome) -> Told:
    match outcome:
        case Failed(code=code, message=message):
            return Refused(code=code, message=message)
        case Conflicted() | Unknown() | Violation():
            return Refused(code=_CODES[type(outcome)], message=outcome.message)
        case Succeeded(output=output):
            return Answered(value=output)
        case Previewed(preview=preview):
            return Answered(value=preview.model_dump(mode="json"))
        case _:
            return Answered(value={"records": dict(outcome.records)} if isinstance(outcome, Observed) else {})
