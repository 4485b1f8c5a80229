"""What every client is asked to do, step by step, and what came of each step: the cells of the matrix."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from upstream.faults import Fault

from clients.clients import HUNG, Played
from clients.stage import CHARACTERS_OF_A_FALL, Fell, Stage

Json = Any

NEEDED: Final = {"item_get", "item_find", "item_put", "item_update", "ticket_create", "note_post", "hub_invocation_get"}
TICKET: Final = ("ticket_create", {"title": "The pencil broke"})
NOTE: Final = ("note_post", {"text": "Back at noon"})
RULER: Final = ("item_put", {"id": 2, "name": "ruler", "quantity": 3})
PAPER: Final = ("item_put", {"id": 3, "name": "paper", "quantity": 500})
FEWER: Final = ("item_update", {"id": 1, "quantity": 7})
PATIENCE: Final = 5.0
"""Seconds; what the most impatient client waits if nobody tells it otherwise."""
SLOW_SECONDS: Final = 6.0
"""More than the hub lets a client wait."""
LOOKS: Final = 12
_INVOCATION: Final = re.compile(r"\binv_[0-9a-z]{26}\b")
YES: Final = "yes"
RESUMED: Final = "yes, by resuming"
"""It gave up on the line, asked for the rest of the stream on another one, and got the answer without a second call."""
AFTER_A_HANG: Final = "yes, after a hang"
"""It did not go on by itself; once it was ended and started again, all was well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was seen of one client."""

    versions: Mapping[str, str]
    protocol: str
    token: str
    cells: Mapping[str, str]

    def as_json(self) -> dict[str, Json]:
        """Return it for the file of what was observed."""
        return {
            "versions": dict(self.versions),
            "protocol": self.protocol,
            "token": self.token,
            "cells": dict(self.cells),
        }


async def lists(stage: Stage) -> None:
    """The tools of the hub are offered to the model."""
    offered = (await stage.play(("item_get", {"id": 1}))).offered
    missing = NEEDED - set(offered)
    _expect(not missing, f"not offered: {', '.join(sorted(missing))}")


async def reads(stage: Stage) -> None:
    """A read gives its result."""
    played = await stage.play(("item_get", {"id": 1}))
    _expect("pencil" in played.last, played.last)


async def waits_and_gets_the_result(stage: Stage) -> None:
    """A write is told to wait, is the same call when repeated, and gives its result once somebody has approved it."""
    before = stage.effects
    first = await stage.play(TICKET)
    _expect("Nothing has been changed yet" in first.last, first.last)
    again = await stage.play(TICKET)
    _expect(_invocation(again.last) == _invocation(first.last), f"asked twice: {again.last}")
    _expect(stage.effects == before, "something happened before anybody approved it")

    await stage.decide(_invocation(first.last), "approve", "as agreed")

    result = await _ended(stage, _invocation(first.last))
    _expect("The pencil broke" in result, result)
    repeated = await stage.play(TICKET)
    _expect("The pencil broke" in repeated.last, repeated.last)
    _once(stage, before)


async def is_refused(stage: Stage) -> None:
    """The reason for which somebody rejected a write reaches the model, and the same call again changes nothing."""
    before = stage.effects
    asked = await stage.play(NOTE)
    await stage.decide(_invocation(asked.last), "reject", "nobody reads notes")
    told = await _ended(stage, _invocation(asked.last))
    _expect("nobody reads notes" in told, told)
    again = await stage.play(NOTE)
    _expect("nobody reads notes" in again.last, again.last)
    _expect(stage.effects == before, "something happened although it was rejected")


async def loses_an_answer(stage: Stage) -> str:
    """A proxy answers 502 although the write was carried out; the model makes the call again."""
    before = stage.effects
    stage.mishaps.lose_the_answer_of(RULER[0])
    first = await stage.play_into_a_mishap(RULER)
    unanswered(first, "ruler", struck=stage.mishaps.struck.is_set())
    again = await stage.play(RULER)
    _expect("ruler" in again.last, f"{first.last} / {again.last}")
    _once(stage, before)
    return _hanging(first)


async def gives_up(stage: Stage) -> str:
    """The line goes dead before the answer and the client gives up; the model calls again. What it left out stays."""
    before = stage.effects
    resumed = stage.mishaps.resumed
    stage.mishaps.withhold_the_answer_of(FEWER[0])
    first = await stage.play_into_a_mishap(FEWER, patience=PATIENCE)
    unanswered(first, "pencil", struck=stage.mishaps.struck.is_set(), resumed=stage.mishaps.resumed > resumed)
    again = await stage.play(FEWER)
    _expect("pencil" in again.last, f"{first.last} / {again.last}")
    _once(stage, before)
    return RESUMED if first.shown and "pencil" in first.last else _hanging(first)


async def is_slow(stage: Stage) -> None:
    """The system takes longer than the hub lets a client wait, and the client has its own patience."""
    before = stage.effects
    store = stage.served.world.upstream.store
    store.plan_fault(Fault.DELAY, method="PUT", argument=SLOW_SECONDS)
    for _ in range(LOOKS):
        said = (await stage.play(PAPER)).last
        if _INVOCATION.search(said):
            break
    said = await _ended(stage, _invocation(said))
    _expect("paper" in said, said)
    _once(stage, before)


STEPS: Final[Mapping[str, Callable[[Stage], Awaitable[str | None]]]] = {
    "lists": lists,
    "reads": reads,
    "waits, then gets the result": waits_and_gets_the_result,
    "is told of a refusal": is_refused,
    "loses an answer": loses_an_answer,
    "gives up waiting": gives_up,
    "meets a slow system": is_slow,
}
"""The columns of the table, in their order."""


async def observe(stage: Stage) -> Observed:
    """Return what this client can do: each step by itself, so that a fall in one hides no other."""
    cells: dict[str, str] = {}
    for name, step in STEPS.items():
        try:
            also = await step(stage)
        except Fell as fell:
            cells[name] = f"no: {' '.join(str(fell).split())[:CHARACTERS_OF_A_FALL]}"
        else:
            cells[name] = also or YES
    found_its_way = any(path.startswith("/.well-known/oauth-protected-resource") for path in stage.mishaps.paths)
    return Observed(
        versions=stage.process.versions,
        protocol=", ".join(sorted(stage.mishaps.protocols)),
        token="found from the 401" if found_its_way else "given in a header",
        cells=cells,
    )


def unanswered(played: Played, answer: str, *, struck: bool, resumed: bool = False) -> None:
    """Make sure that what was to happen on the way did, and that the client saw no answer unless it resumed its stream.

    Raises:
        Fell: one of both is not so; the step would show nothing.
    """
    _expect(struck, "nothing happened to the answer on its way")
    _expect(resumed or answer not in "".join(played.shown), f"the answer arrived all the same: {played.last}")


def _hanging(played: Played) -> str:
    return AFTER_A_HANG if played.raised == HUNG else YES


async def _ended(stage: Stage, invocation_id: str) -> str:
    """Return what the hub says of an invocation once it has ended, as the model sees it."""
    said = ""
    for _ in range(LOOKS):
        played = await stage.play(("hub_invocation_get", {"id": invocation_id, "wait_seconds": 4}))
        said = played.last
        if '"pending_approval"' not in said.replace("\\", "") and '"running"' not in said.replace("\\", ""):
            break
    return said


def _invocation(said: str) -> str:
    found = _INVOCATION.search(said)
    if found is None:
        raise Fell(f"no invocation is named: {said}")
    return found[0]


def _expect(holds: bool, instead: str) -> None:  # noqa: FBT001  # reads as the sentence it is
    if not holds:
        raise Fell(instead)


def _once(stage: Stage, before: int) -> None:
    happened = stage.effects - before
    _expect(happened == 1, f"{happened} effects of one decision")
