"""The contract kit's order of work: each case of a harness through every line, the worst word on each line counting."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from connectors.sdk.harness import Case
from connectors.sdk.vocabulary import Effect
from hub.core.errors import ArgumentsInvalid
from hub.execution import Succeeded
from hub.invocations.proving import answers, previews, writes
from hub.invocations.proving.laboratory import Laboratory
from hub.invocations.proving.trial import Broken, BrokenDown, NotApplicable, NotProvable, Trial, told
from hub.registry import BadgeLine, BadgeVerdict, Promise

Check = Callable[[Trial], Awaitable[str]]


async def arguments(trial: Trial) -> str:
    """Calls with the case's arguments come past the hub's door; this only has a line of its own if they do not."""
    try:
        trial.arguments = trial.lab.canonical(trial.case.operation, trial.case.arguments)
    except ArgumentsInvalid as refusal:
        raise BrokenDown(f"The hub refuses the case's arguments: {refusal.message}") from refusal
    raise NotApplicable("The hub takes the case's arguments.")


async def reads(trial: Trial) -> str:
    """A read answers at all, as declared; the same goes for its line."""
    outcome = await trial.lab.read(trial.case.operation, trial.arguments)
    if not isinstance(outcome, Succeeded):
        raise BrokenDown(f"It cannot be read at all: {told(outcome)}")
    raise NotApplicable("It answers as declared.")


OF_WRITES: Final[Sequence[tuple[Promise, Check]]] = (
    (Promise.FENCE, arguments),
    (Promise.FENCE, previews.fence),
    (Promise.UNTOUCHED, previews.untouched),
    (Promise.DIGEST, previews.digest),
    (Promise.UNKNOWN_FIELDS, answers.unknown_fields),
    (Promise.THROTTLING, answers.throttling),
    (Promise.PERMIT, previews.approval),
    (Promise.PERMIT, previews.permit),
    (Promise.ERRORS, answers.errors),
    (Promise.GUARD, writes.guard),
    (Promise.PREDICTION, writes.prediction),
    (Promise.FENCE, previews.fence_around_the_write),
    (Promise.ONCE, writes.once),
    (Promise.GUARD, writes.guard_after_the_write),
    (Promise.UNDO, writes.undo),
    (Promise.SECRETS, answers.secrets),
)
"""Each rests on what those before it have left, so what is only asked comes before what is written."""

OF_READS: Final[Sequence[tuple[Promise, Check]]] = (
    (Promise.ERRORS, arguments),
    (Promise.ERRORS, reads),
    (Promise.UNKNOWN_FIELDS, answers.unknown_fields),
    (Promise.THROTTLING, answers.throttling),
    (Promise.ERRORS, answers.errors),
    (Promise.SECRETS, answers.secrets),
)

_SEVERITY: Final = (
    BadgeVerdict.FAILED,
    BadgeVerdict.NOT_TRIED,
    BadgeVerdict.NOT_PROVABLE,
    BadgeVerdict.PASSED,
    BadgeVerdict.NOT_APPLICABLE,
)


async def check(lab: Laboratory) -> list[BadgeLine]:
    """Return the lines about every case of the laboratory's harness, in the order of cases and promises."""
    lines = list[BadgeLine]()
    for number, case in enumerate(lab.harness.cases):
        lines += await check_case(lab, case, number=number)
    return _worst(lines)


async def check_case(lab: Laboratory, case: Case, *, number: int = 0) -> list[BadgeLine]:
    """Return the lines about one case, which has this number among those of its harness."""
    trial = Trial(lab=lab, case=case)
    lab.heard.clear()
    steps = OF_READS if trial.spec.effect is Effect.READ else OF_WRITES
    is_broken_down = False
    for promise, step in steps:
        if is_broken_down and promise is not Promise.SECRETS:
            trial.write_line(promise, BadgeVerdict.NOT_TRIED, "Repair the line that failed first.")
        else:
            lab.on_step(f"{number} {case.operation}: {step.__name__}")
            is_broken_down |= await _try(trial, promise, step)
    return _worst(trial.lines)


async def _try(trial: Trial, promise: Promise, step: Check) -> bool:
    """Write the line of one step; return whether nothing after it can be tried."""
    verdict, ends = BadgeVerdict.PASSED, False
    try:
        reason = await step(trial)
    except NotApplicable as because:
        verdict, reason = BadgeVerdict.NOT_APPLICABLE, str(because)
    except NotProvable as because:
        verdict, reason = BadgeVerdict.NOT_PROVABLE, str(because)
    except Broken as broken:
        verdict, reason, promise = BadgeVerdict.FAILED, str(broken), broken.promise or promise
        ends = isinstance(broken, BrokenDown)
    if trial.lab.gaps:  # whatever the connector has made of it
        verdict, reason = BadgeVerdict.FAILED, f"The recording lacks {'; '.join(trial.lab.gaps)}. Record it again."
        trial.lab.gaps.clear()
    trial.write_line(promise, verdict, reason)
    return ends


def _worst(lines: Sequence[BadgeLine]) -> list[BadgeLine]:
    """Return one line per operation and promise: the worst verdict on it counts."""
    kept = dict[tuple[str, Promise], BadgeLine]()
    for line in lines:
        known = kept.setdefault((line.operation, line.promise), line)
        if _SEVERITY.index(line.verdict) <= _SEVERITY.index(known.verdict):
            kept[line.operation, line.promise] = line
    promises = [*Promise]
    operations = [*dict.fromkeys(line.operation for line in lines)]
    return sorted(kept.values(), key=lambda line: (operations.index(line.operation), promises.index(line.promise)))
