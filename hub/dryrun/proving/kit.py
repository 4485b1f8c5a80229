"""The contract kit's order of work: each case of a harness through every line, the worst word on each line counting."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from connectors.sdk.harness import Case
from connectors.sdk.vocabulary import Effect
from hub.dryrun.proving import answers, previews, writes
from hub.dryrun.proving.laboratory import Laboratory
from hub.dryrun.proving.trial import Broken, BrokenDown, NotApplicable, Trial
from hub.execution import Succeeded
from hub.registry import BadgeLine, BadgeVerdict, Rule

Check = Callable[[Trial], Awaitable[str]]

OF_WRITES: Final[Sequence[tuple[Rule, Check]]] = (
    (Rule.FENCE, previews.fence),
    (Rule.UNTOUCHED, previews.untouched),
    (Rule.DIGEST, previews.digest),
    (Rule.UNKNOWN_FIELDS, answers.unknown_fields),
    (Rule.THROTTLING, answers.throttling),
    (Rule.PERMIT, previews.permit),
    (Rule.ERRORS, answers.errors),
    (Rule.GUARD, writes.guard),
    (Rule.PREDICTION, writes.prediction),
    (Rule.FENCE, previews.fence_around_the_write),
    (Rule.ONCE, writes.once),
    (Rule.GUARD, writes.guard_after_the_write),
    (Rule.UNDO, writes.undo),
    (Rule.SECRETS, answers.secrets),
)
"""Each rests on what those before it have left, so what is only asked comes before what is written."""

_SEVERITY: Final = (BadgeVerdict.FAILED, BadgeVerdict.PASSED, BadgeVerdict.NOT_APPLICABLE)


async def check(lab: Laboratory) -> list[BadgeLine]:
    """Return the lines about every case of the laboratory's harness, in the order of cases and rules."""
    lines = list[BadgeLine]()
    for case in lab.harness.cases:
        lines += await check_case(lab, case)
    return _worst(lines)


async def check_case(lab: Laboratory, case: Case) -> list[BadgeLine]:
    """Return the lines about one case."""
    trial = Trial(lab=lab, case=case)
    lab.heard.clear()
    of_reads = ((Rule.ERRORS, _reads), *((rule, one) for rule, one in OF_WRITES if one in _OF_READS))
    steps = of_reads if trial.spec.effect is Effect.READ else OF_WRITES
    is_broken_down = False
    for rule, step in steps:
        if is_broken_down and rule is not Rule.SECRETS:
            trial.write_line(rule, BadgeVerdict.NOT_APPLICABLE, "Not tried: repair the line that failed first.")
        else:
            is_broken_down |= await _try(trial, rule, step)
    return _worst(trial.lines)


async def _try(trial: Trial, rule: Rule, step: Check) -> bool:
    """Write the line of one step; return whether nothing after it can be tried."""
    try:
        trial.write_line(rule, BadgeVerdict.PASSED, await step(trial))
    except NotApplicable as because:
        trial.write_line(rule, BadgeVerdict.NOT_APPLICABLE, str(because))
    except Broken as broken:
        trial.write_line(broken.rule or rule, BadgeVerdict.FAILED, str(broken))
        return isinstance(broken, BrokenDown)
    return False


async def _reads(trial: Trial) -> str:
    """The read answers at all, as declared."""
    outcome = await trial.lab.read(trial.case.operation, trial.arguments)
    if not isinstance(outcome, Succeeded):
        raise BrokenDown(f"It cannot be read at all: {getattr(outcome, 'message', 'no answer')}")
    return "It answers as declared."


_OF_READS: Final = (answers.unknown_fields, answers.throttling, answers.errors, answers.secrets)


def _worst(lines: Sequence[BadgeLine]) -> list[BadgeLine]:
    """Return one line per operation and rule: what failed before what passed before what did not apply."""
    kept = dict[tuple[str, Rule], BadgeLine]()
    for line in lines:
        known = kept.setdefault((line.operation, line.rule), line)
        if _SEVERITY.index(line.verdict) <= _SEVERITY.index(known.verdict):
            kept[line.operation, line.rule] = line
    rules = [*Rule]
    operations = [*dict.fromkeys(line.operation for line in lines)]
    return sorted(kept.values(), key=lambda line: (operations.index(line.operation), rules.index(line.rule)))
