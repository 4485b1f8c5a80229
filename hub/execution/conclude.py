"""What may be said of a run: the connector's result, read in the light of what the broker saw. Pure.

The rule for a commit: "not done" is said only if nothing left, or if the one request that left was refused by the
system's own answer and the connector agrees. "Done" is said only if no answer was lost and nothing was fenced.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from pydantic import ValidationError

from connectors.sdk.errors import Conflict, Fenced, Refused, Unavailable, Unreadable
from connectors.sdk.errors import NotFound as UpstreamNotFound
from connectors.sdk.errors import Unknown as UpstreamUnknown
from connectors.sdk.run import (
    ARGUMENTS_INVALID,
    CONNECTOR_BROKEN,
    PHASE_MISSING,
    UNKNOWN_OPERATION,
    Checked,
    Done,
    Found,
    NotFoundYet,
    PhaseResult,
)
from connectors.sdk.run import Asks as PhaseAsks
from connectors.sdk.run import Failed as PhaseFailed
from connectors.sdk.run import Observed as PhaseObserved
from connectors.sdk.run import Previewed as PhasePreviewed
from hub.core.leisure import at_leisure
from hub.execution.outcomes import (
    Asks,
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
    Target,
    TranscriptEntry,
    Unknown,
    Violation,
)
from hub.execution.outputs import OutputSchemas, storable
from sandbox.transcript import Entry, Fate, Transcript

CONNECTOR_FAILED: Final = "connector_failed"
"""The process died, hung or talked nonsense."""
OUT_OF_TIME: Final = "out_of_time"
OUTPUT_INVALID: Final = "output_invalid"
PREVIEW_INVALID: Final = "preview_invalid"
NOT_APPLIED: Final = "not_applied"
_DEFINITE: Final = frozenset({Refused.code, UpstreamNotFound.code, Conflict.code, Unavailable.code})
"""What a connector may conclude from an answer that says no."""
_CODES: Final = _DEFINITE | {
    *(Fenced.code, Unreadable.code, UpstreamUnknown.code, CONNECTOR_FAILED, OUT_OF_TIME),
    *(ARGUMENTS_INVALID, CONNECTOR_BROKEN, PHASE_MISSING, UNKNOWN_OPERATION),
}
_LONGEST_MESSAGE: Final = 1000
LONGEST_ASKED: Final = 1024 * 1024
"""Characters of what is asked at once, as JSON, with the system's own state."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a run: the connector's word and the broker's record."""

    target: Target
    result: PhaseResult
    transcript: Transcript
    schemas: OutputSchemas


async def concluded(conclude: Callable[[Evidence], T], evidence: Evidence) -> T:
    """Return what `conclude` makes of `evidence`, while everybody else goes on if there is much of it."""
    result = evidence.result
    said = result.output if isinstance(result, Done | Found) else None
    said = [result.requests, result.state, result.needs] if isinstance(result, PhaseAsks) else said
    return await at_leisure(partial(conclude, evidence), said)


def read(evidence: Evidence) -> ReadOutcome:
    """Return what a read came to; an answer that is not what the tool declares is none."""
    if evidence.transcript.violations:
        return _violation(evidence.transcript)
    if isinstance(evidence.result, PhaseAsks):
        return _asks(evidence.result)
    if not isinstance(evidence.result, Done):
        return _failed(evidence.result)
    output, unkeepable = storable(evidence.result.output)
    broken = unkeepable or evidence.schemas.violations(evidence.target.operation, output)
    if broken:
        return _unreadable("; ".join(broken))
    return Succeeded(output=output, findings=_findings(evidence.result))


def _asks(result: PhaseAsks) -> Asks | Failed:
    """Return what a system asks; what nobody could be asked is no answer of it."""
    said = {"requests": dict(result.requests), "state": result.state, "needs": dict(result.needs)}
    asked, unkeepable = storable(said)  # not dumped: what it says may be nested as deep as it likes
    if not unkeepable and len(json.dumps(asked)) > LONGEST_ASKED:
        unkeepable = ("It asks at greater length than anybody can be asked.",)
    return _unreadable("; ".join(unkeepable)) if unkeepable else Asks(**asked)


def check(evidence: Evidence) -> CheckOutcome:
    """Return what a check came to; whatever is not a clear yes is a no."""
    if evidence.transcript.violations:
        return _violation(evidence.transcript)
    return Passed() if isinstance(evidence.result, Checked) else _failed(evidence.result)


def preview(evidence: Evidence) -> PreviewOutcome:
    """Return what a preview came to; one that tried to write is a violation, whatever it says."""
    if evidence.transcript.violations:
        return _violation(evidence.transcript)
    if not isinstance(evidence.result, PhasePreviewed):
        return _failed(evidence.result)
    try:  # again, after the process has done so: what a process says is anything
        said = evidence.result.preview.at_most(evidence.target.operation.fidelity)
    except ValidationError:
        return Failed(code=PREVIEW_INVALID, message="The preview claims more than the tool declares.")
    if findings := storable(said.model_dump()).findings:
        return Failed(code=PREVIEW_INVALID, message=f"The preview cannot be put on record. {' '.join(findings)}")
    return Previewed(preview=said)


def commit(evidence: Evidence) -> CommitOutcome:
    """Return what a commit came to."""
    transcript, result = evidence.transcript, evidence.result
    if any(entry.fate is Fate.UNKNOWN for entry in transcript.left):
        return Unknown(message=_message(result) or "A request was sent, and its answer was lost.")
    if isinstance(result, Done) and not transcript.violations:
        output, unkeepable = storable(result.output)
        broken = evidence.schemas.violations(evidence.target.operation, output)
        return Succeeded(output=output, findings=(*_findings(result), *unkeepable, *broken))
    failed = _failed(result)
    if transcript.left and not _is_definitely_refused(transcript.left, failed):
        return Unknown(message=failed.message)
    return Conflicted(message=failed.message) if failed.code == Conflict.code else failed


def look_up(evidence: Evidence) -> LookUpOutcome:
    """Return what a lookup came to: found, `not_applied` (it is not there), or Unknown."""
    if evidence.transcript.violations:
        return Unknown(message=_violation(evidence.transcript).message)
    match evidence.result:
        case Found():
            output, findings = storable(evidence.result.output)
            broken = evidence.schemas.violations(evidence.target.operation, output)
            return Succeeded(output=output, findings=(*findings, *broken))
        case NotFoundYet():
            return Failed(code=NOT_APPLIED, message="The system has no record with our reference.")
        case _:
            return Unknown(message=_failed(evidence.result).message)


def observe(evidence: Evidence) -> ObserveOutcome:
    """Return the records as they are now."""
    if evidence.transcript.violations:
        return Failed(code=Fenced.code, message=_violation(evidence.transcript).message)
    if not isinstance(evidence.result, PhaseObserved):
        return _failed(evidence.result)
    return Observed(records={target: storable(record).value for target, record in evidence.result.records.items()})


def problem_with(status: int) -> str | None:
    """Return what a system's answer to a probe says against using its connection, None: nothing."""
    if status in {401, 403}:
        return f"It does not accept the credential ({status})."
    if status >= 500:  # noqa: PLR2004  # RFC 9110 section 15.6
        return f"It is there, but cannot answer at the moment ({status})."
    return None


def told(transcript: Transcript) -> tuple[TranscriptEntry, ...]:
    """Return the transcript as it goes on record."""
    return tuple(
        TranscriptEntry(
            method=entry.method,
            path=entry.path,
            operation=entry.operation,
            is_safe=entry.is_safe,
            status=entry.answer.status if entry.answer else None,
            verdict=entry.fate.value,
            milliseconds=entry.milliseconds,
            size=entry.answer.size if entry.answer else 0,
            on_twin=entry.on_twin,
        )
        for entry in transcript.entries
    )


def _is_definitely_refused(left: list[Entry], failed: Failed) -> bool:
    """Return whether the one request that left was refused by its own answer, and the connector read it so.

    A connector's word alone is not enough: it may have stumbled over something that came after a request was accepted.
    """
    return len(left) == 1 and left[0].answer is not None and left[0].answer.says_no and failed.code in _DEFINITE


def _unreadable(where: str) -> Failed:
    return Failed(code=OUTPUT_INVALID, message=f"The system's answer is not what the tool declares: {where}")


def _violation(transcript: Transcript) -> Violation:
    tried = ", ".join(dict.fromkeys(entry.name for entry in transcript.violations))
    return Violation(message=_keepable(f"It tried to send {tried}."))


def _failed(result: PhaseResult) -> Failed:
    if not isinstance(result, PhaseFailed):
        return Failed(code=CONNECTOR_BROKEN, message="The connector answered something that does not fit the question.")
    code = result.code if result.code in _CODES else CONNECTOR_FAILED  # foreign code may say anything
    return Failed(code=code, message=_keepable(result.message), rpc_code=_whole(result.rpc_code))


def _whole(code: int | None) -> int | None:
    """Return the code of an error if every reader of JSON, and the record, takes it for the same number."""
    return code if code is not None and abs(code) < 2**53 else None


def _message(result: PhaseResult) -> str | None:
    return _keepable(result.message) if isinstance(result, PhaseFailed) else None


def _findings(result: Done) -> tuple[str, ...]:
    return tuple(_keepable(finding) for finding in result.findings[:10])


def _keepable(text: str) -> str:
    kept = str(storable(text[:_LONGEST_MESSAGE]).value)
    return "".join(one if one.isprintable() or one == "\n" else " " for one in kept)
