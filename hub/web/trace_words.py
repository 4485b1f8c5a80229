"""Where the values of a write come from, in words: one line for each argument."""

from typing import Final

from hub.invocations.provenance import Origin, Trace, traces_of
from hub.invocations.values import Invocation
from hub.web.inert import inert_name
from hub.web.views.approval import TraceLine
from hub.web.wording import Word

_UNTRUSTED: Final = Word(label="from an untrusted result", meaning="", tone="bad")
_TRUSTED: Final = Word(label="from a trusted result", meaning="", tone="good")
_APPROVED: Final = Word(label="agreed to before", meaning="", tone="good")
_UNKNOWN: Final = Word(label="not seen in this run", meaning="", tone="warn")
_NO_RUN: Final = Word(label="not looked for", meaning="", tone="warn")
_WITHOUT_RUN: Final = "The agent names no run, so the hub cannot tell which results came before this call."


def trace_lines(invocation: Invocation) -> tuple[TraceLine, ...]:
    """Return where each value of the arguments was first seen; the values themselves are not kept."""
    has_run = invocation.claims.run is not None
    return tuple(trace_line(one, has_run=has_run) for one in traces_of(invocation))


def trace_line(one: Trace, *, has_run: bool = True) -> TraceLine:
    """Return where one value was first seen; of a call that names no run (`has_run`) nobody knows what came before."""
    name = inert_name(one.argument.removeprefix("/") or "the rest")
    if one.origin is Origin.UNKNOWN and not has_run:
        return TraceLine(argument=name, word=_NO_RUN, told=_WITHOUT_RUN)
    return TraceLine(argument=name, word=_word(one), told=_told(one))


def _word(one: Trace) -> Word:
    match one.origin:
        case Origin.APPROVED:
            return _APPROVED
        case Origin.RESULT:
            return _UNTRUSTED if one.is_untrusted else _TRUSTED
        case Origin.UNKNOWN:
            return _UNKNOWN


def _told(one: Trace) -> str:
    where = "in another run" if one.in_another_run else "in this run"
    match one.origin:
        case Origin.APPROVED:
            return f"People agreed to an earlier call of {one.tool} with it {where}."
        case Origin.RESULT if one.is_certain:
            return f"{one.tool} showed it first {where}."
        case Origin.RESULT:
            return f"{one.tool} showed more {where} than is kept; it may stand in there."
        case Origin.UNKNOWN:
            return (
                "No result of this run is known to have it: the agent has it from its user, another run, or elsewhere."
            )
