"""Moves that quote a system of record: what speaks to the model in an answer, an error or a finding of a write.

An error is read like an answer. So the event that quotes one says which patterns were found, never the text, and later
writes of the run are looked at by people, unless the tool's owner vouches for what it brings back.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from hub.core.addressing import addressed_in
from hub.invocations.journal import TEXTS, Step, hold, move
from hub.invocations.provenance import Source, addressed_by, keep_values
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.registry import get_tool
from hub.storage import Tx

Json = Any
"""Any JSON value."""

_MARK: Final = "speaks_to_model"


async def move_quoting(tx: Tx, runtime: Runtime, standing: Invocation, step: Step) -> Invocation:
    """Make a move whose words may be those of a system; return how the invocation stands then.

    Raises:
        Conflict: the invocation has moved on.
    """
    quoted = list(_quoted(step))
    found = addressed_in(quoted)
    if found:
        marks = list(dict.fromkeys([*step.facts.get(_MARK, []), *found]))
        step = replace(step, facts={**step.facts, _MARK: marks})
        await hold(tx, standing.id)
        tool = await get_tool(tx, standing.tool_id)
        source = Source(standing=standing, tool=f"{tool.connector}.{tool.name}", is_trusted=tool.is_trusted)
        await keep_values(tx, addressed_by(source, runtime.keys))
    return await move(tx, runtime, standing, step)


def addressing_facts(output: Json) -> dict[str, Json]:
    """Return what the event of an answer says of text in it that speaks to the model: which patterns, not the text."""
    found = addressed_in(output)
    return {_MARK: list(found)} if found else {}


def speaks_to_model(step: Step) -> bool:
    """Return whether the facts of a move say that its answer does, or its error, which is read like one."""
    return bool(step.facts.get(_MARK))


def _quoted(step: Step) -> Iterator[Json]:
    """Yield the texts of a move that may be a system's, wherever they are kept."""
    yield from (step.facts[name] for name in TEXTS if name in step.facts)
    yield from (step.changes[name] for name in ("error_message", "findings", "output") if name in step.changes)
