"""The declared line: whether what came of a promoted release crosses it, told with the numbers. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hub.promotions.values import Line

SHORTEST_MS: Final = 100
"""What takes less is fast enough, however many times as long as before it takes."""
_PER_CENT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long calls of one tool took, in milliseconds: with the release, and with the former one."""

    now: Sequence[int] = ()
    former: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of a release so far, and of its predecessor where the two are compared."""

    judged: int = 0
    """How many of its latest writes were read back, as many as the line looks at."""
    diverged: int = 0
    calls: int = 0
    failed: int = 0
    former_calls: int = 0
    former_failed: int = 0
    timings: Mapping[str, Timing] = field(default_factory=dict[str, Timing])


def crossed(line: Line, tally: Tally) -> tuple[str, ...]:
    """Return a sentence for each way in which `tally` crosses `line`, with the numbers; none if it does not."""
    return tuple(_crossed(line, tally))


def _crossed(line: Line, tally: Tally) -> Iterator[str]:
    if tally.diverged >= line.divergences:
        yield (
            f"{tally.diverged} of its latest {tally.judged} judged writes came out otherwise than previewed; "
            f"the line is {line.divergences} of {line.divergences_of}."
        )
    if _fails_too_often(line, tally):
        yield (
            f"{tally.failed} of {tally.calls} calls failed; the line is {line.error_percent} % of at least "
            f"{line.errors_of}, and more than the {tally.former_failed} of {tally.former_calls} before."
        )
    for tool, timing in sorted(tally.timings.items()):
        now, former = percentile_95(timing.now), percentile_95(timing.former)
        has_enough = min(len(timing.now), len(timing.former)) >= line.timed
        if has_enough and now > max(SHORTEST_MS, former * line.slower_times):
            yield (
                f"{tool}: 95 % of the calls took up to {now} ms, before {former} ms; "
                f"the line is {line.slower_times} times as long."
            )


def _fails_too_often(line: Line, tally: Tally) -> bool:
    if tally.calls < line.errors_of or tally.failed * _PER_CENT <= line.error_percent * tally.calls:
        return False
    return tally.failed * max(tally.former_calls, 1) > tally.former_failed * tally.calls


def percentile_95(values: Sequence[int]) -> int:
    """Return the smallest of `values` that 95 % of them do not exceed, 0 of none."""
    ranked = sorted(values)
    return ranked[-(-95 * len(ranked) // 100) - 1] if ranked else 0
