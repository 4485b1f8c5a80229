"""The worker: continues what stands still, expires what is overdue, seals the audit log, delivers messages, deletes
what was kept long enough, and every day makes the decisions of the day before again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from hub import audit, ledger, outbox
from hub.budgets import forget_places, forget_usage
from hub.channels import CHANNEL_TOPIC
from hub.core.errors import Conflict, HubError
from hub.core.ids import new_id
from hub.erasures import USUAL, Keeping, retain
from hub.identity.expiring import warn_of_secrets
from hub.identity.newcomers import USUAL_UNUSED_DAYS
from hub.identity.sweeping import sweep
from hub.identity.unused import forget_unused
from hub.invocations.contact import look_after_connections
from hub.invocations.continuing import Continuing
from hub.invocations.handles import forget_handles
from hub.invocations.journal import WORK
from hub.invocations.late_questions import forget_questions
from hub.invocations.listening_upstream import StandingStreams
from hub.invocations.overtaking import Overtaking
from hub.invocations.pinning import Looks
from hub.invocations.provenance import forget_values
from hub.invocations.reminders import chase_due
from hub.invocations.replay import Replay, replay
from hub.invocations.resume import expire_overdue
from hub.invocations.runtime import Runtime
from hub.invocations.watching import watch
from hub.mcp.sessions import forget_sessions
from hub.metrics import BEAT_SECONDS, beat, roll_up
from hub.storage import now
from hub.watches import WANTED, forget_watches

Notify = Mapping[str, outbox.Handler]
"""Who delivers the messages of each outbox topic."""

_log = structlog.get_logger(__name__)

LOOK_AGAIN_SECONDS: Final = 1.0
ANNOUNCE_SECONDS: Final = 60.0
TIDY_SECONDS: Final = 3600.0
WATCH_SECONDS: Final = 5.0
COUNT_SECONDS: Final = 300.0
PIN_SECONDS: Final = 20.0
STREAM_SECONDS: Final = 5.0
CHECK_SECONDS: Final = 86_400.0
CHECKED: Final = timedelta(days=1)
"""How far back decisions are made again."""
DELIVERED_KEPT: Final = timedelta(days=7)


async def work(runtime: Runtime, notify: Notify, keeping: Keeping = USUAL) -> None:
    """Work until cancelled; what is under way then is finished or left to its lease."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_continue_invocations(runtime))
        group.create_task(keep(lambda: audit.keep_sequencing(runtime.database, runtime.keys), pause=LOOK_AGAIN_SECONDS))
        herald = audit.Herald(runtime.database, runtime.keys, runtime.witnesses)
        group.create_task(keep(herald.announce, pause=ANNOUNCE_SECONDS))
        worker_id = new_id("wrk")
        group.create_task(keep(lambda: beat(runtime.database, worker_id), pause=BEAT_SECONDS))
        group.create_task(keep(lambda: _tidy(runtime), pause=TIDY_SECONDS))
        group.create_task(keep(lambda: retain(runtime.database, runtime.keys, keeping), pause=TIDY_SECONDS))
        group.create_task(keep(lambda: roll_up(runtime.database), pause=COUNT_SECONDS))
        group.create_task(keep(lambda: check_decisions(runtime), pause=CHECK_SECONDS))
        for lane in lanes(notify):
            group.create_task(keep(partial(outbox.deliver, runtime.database, lane, limit=20), pause=LOOK_AGAIN_SECONDS))
        group.create_task(keep(lambda: expire_overdue(runtime), pause=LOOK_AGAIN_SECONDS))
        group.create_task(keep(Overtaking(runtime).turn, pause=LOOK_AGAIN_SECONDS))
        group.create_task(keep(lambda: chase_due(runtime), pause=LOOK_AGAIN_SECONDS))
        group.create_task(keep(lambda: watch(runtime), pause=WATCH_SECONDS))
        group.create_task(_look_at_servers(runtime))
        group.create_task(_listen_upstream(runtime))
        group.create_task(keep(lambda: look_after_connections(runtime), pause=LOOK_AGAIN_SECONDS))


def lanes(notify: Notify) -> list[Notify]:
    """Return who delivers what one after another: each channel by itself, so that a slow one delays no other."""
    channels = [topic for topic in notify if topic.startswith(CHANNEL_TOPIC)]
    others = {topic: handler for topic, handler in notify.items() if topic not in channels}
    return [others, *({topic: notify[topic]} for topic in channels)]


async def _continue_invocations(runtime: Runtime) -> None:
    """Begin to continue the calls that are due, again and again; nobody waits for those under way."""
    async with runtime.database.listening(WORK) as woken:
        continuing = Continuing(runtime, freed=woken.set)
        try:
            while True:
                woken.clear()
                await _guarded(continuing.turn)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                        await woken.wait()
        finally:
            await continuing.close()


async def _listen_upstream(runtime: Runtime) -> None:
    """Keep the streams to federated servers that fall to this process; a client that wants more need not wait."""
    streams = StandingStreams(runtime)
    try:
        async with runtime.database.listening(WANTED) as woken:
            while True:
                woken.clear()
                await _guarded(streams.turn)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STREAM_SECONDS):
                        await woken.wait()
    finally:
        await streams.close()


async def _look_at_servers(runtime: Runtime) -> None:
    """Begin the looks that are due, again and again; nobody waits for those under way."""
    looks = Looks(runtime)
    try:
        await keep(looks.begin, pause=PIN_SECONDS)
    finally:
        await looks.close()


async def _tidy(runtime: Runtime) -> None:
    """Delete what ended long ago and nothing refers to (sessions, codes, delivered messages, values that were seen),
    newcomers that nobody used, and tell of secrets that end soon.
    """
    async with runtime.database.transaction() as tx:
        await sweep(tx)
        await forget_unused(tx, _kept_unused(runtime), runtime.authority)
        await warn_of_secrets(tx)
        await ledger.sweep(tx)
        await forget_values(tx)
        await forget_places(tx)
        await forget_usage(tx)
        await forget_handles(tx)
        await forget_questions(tx)
        await forget_sessions(tx)
        await forget_watches(tx)
        await outbox.forget_delivered(tx, older_than=DELIVERED_KEPT)


def _kept_unused(runtime: Runtime) -> timedelta:
    newcomers = runtime.documents.newcomers if runtime.documents is not None else None
    return timedelta(days=newcomers.unused_days if newcomers is not None else USUAL_UNUSED_DAYS)


async def check_decisions(runtime: Runtime) -> Replay:
    """Make the decisions of the last day again; where one comes out otherwise, or cannot be made, the log says so."""
    async with runtime.database.reading() as tx:
        since = await now(tx) - CHECKED
    found = await replay(runtime.database, runtime.keys, since)
    if found.decisions != found.same or found.unreadable:
        differing = [one.recorded.event_id for one in found.differences[:10]]
        _log.error(
            "decisions on record do not come out the same; see `toolhub policy replay`",
            decisions=found.decisions,
            same=found.same,
            unreadable=found.unreadable,
            events=differing,
        )
    return found


async def keep(action: Callable[[], Awaitable[object]], *, pause: float) -> None:
    """Do `action` again and again with `pause` seconds between, whatever goes wrong, until cancelled."""
    while True:
        await _guarded(action)
        await asyncio.sleep(pause)


async def _guarded(action: Callable[[], Awaitable[object]]) -> None:
    """Do `action`; whatever goes wrong is logged and does not stop the worker."""
    try:
        await action()
    except Conflict:
        return  # somebody else was quicker
    except HubError as error:
        _log.warning("a step of the worker could not be taken", code=error.code, error=error.message)
    except Exception:  # noqa: BLE001  # the worker's loop is a door: one bad step must not end it
        _log.exception("a step of the worker failed")
