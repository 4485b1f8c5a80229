"""Continuing what stands still: many calls at once, of one system a few, so that a slow one delays its own alone.

A call is taken further by whoever leases it (see `resume`); what is kept here only says what this process is at.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final

import structlog

from hub.core.errors import Conflict, HubError
from hub.invocations.resume import Due, due, resume
from hub.invocations.runtime import Runtime

_LOG: Final = structlog.get_logger(__name__)
IN_ALL: Final = 64
"""How many calls one process continues at the same time. Most of that time they wait for systems."""
OF_ONE_SYSTEM: Final = 8
"""How many of them may be those of one connection."""


class Continuing:
    """The calls that one process continues, beside each other."""

    def __init__(self, runtime: Runtime, *, freed: Callable[[], object] = lambda: None) -> None:
        """Continue none yet; `freed` is called when a call leaves a place for which others wait."""
        self._runtime = runtime
        self._freed = freed
        self._under_way = dict[str, asyncio.Task[None]]()
        self._of = Counter[str]()
        self._is_short = False

    async def turn(self) -> Sequence[asyncio.Task[None]]:
        """Begin to continue what is due, as far as there are places; return what was begun.

        Nothing is begun twice in one turn: what fails at once is tried again in a later one.
        """
        begun = dict[str, asyncio.Task[None]]()
        self._is_short = False
        while len(begun) < IN_ALL:
            places = IN_ALL - len(self._under_way)
            full = [connection for connection, count in self._of.items() if count >= OF_ONE_SYSTEM]
            self._is_short = self._is_short or bool(full) or places <= 0
            if places <= 0:
                break
            found = await due(self._runtime, limit=places, but={*self._under_way, *begun}, elsewhere_than=full)
            fitting = [one for one in self._fitting(found) if one.invocation_id not in begun]
            if not fitting:
                break
            begun |= {one.invocation_id: self._begin(one) for one in fitting}
        return [*begun.values()]

    async def close(self) -> None:
        """Stop continuing; what is under way is left to its lease."""
        ending = [*self._under_way.values()]
        for one in ending:
            one.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _fitting(self, found: Collection[Due]) -> list[Due]:
        """Return those of them for which their systems have places left."""
        of, fitting = Counter(self._of), list[Due]()
        for one in found:
            of[one.connection_id] += 1
            if of[one.connection_id] <= OF_ONE_SYSTEM:
                fitting.append(one)
        return fitting

    def _begin(self, one: Due) -> asyncio.Task[None]:
        self._of[one.connection_id] += 1
        self._under_way[one.invocation_id] = task = asyncio.create_task(self._continue(one))
        return task

    async def _continue(self, one: Due) -> None:
        has_gone_on = False
        try:
            await resume(one.invocation_id, self._runtime)
            has_gone_on = True
        except Conflict:
            pass  # somebody else was quicker
        except HubError as error:
            _LOG.warning("not_continued", invocation=one.invocation_id, code=error.code, error=error.message)
        except Exception:  # noqa: BLE001  # whatever is wrong with one call must not keep the others from going on
            _LOG.exception("not_continued", invocation=one.invocation_id)
        finally:
            del self._under_way[one.invocation_id]
            self._of[one.connection_id] -= 1
            self._of += Counter()  # forgets those that are at none
            if has_gone_on and self._is_short:
                self._freed()
