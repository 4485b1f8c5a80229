"""How the hub is, part by part, for those who run it."""

import time
from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from hub import audit, outbox
from hub.audit import Checkpoint
from hub.budgets import Outage, outages_now
from hub.channels import webhooks
from hub.identity.permissions import Permission, demand, may
from hub.invocations.resolve import count_doubts
from hub.outbox import Message
from hub.pins import waiting_now
from hub.registry import Connection, reading
from hub.storage import now
from hub.web.doubts import PATH
from hub.web.servers import connection_state
from hub.web.views.operations import HealthLine, HealthPage
from hub.web.visits import Shown, Visit, show
from hub.web.wording import Word

_WELL: Final = Word(label="well", meaning="Every part that was looked at is well.", tone="good")
_ILL: Final = Word(label="needs a look", meaning="At least one part needs a look.", tone="bad")
_NAMED: Final = 5
_QUIET: Final = Word(label="off", meaning="", tone="neutral")


async def show_health(visit: Visit) -> Response:
    """Show how each part of the hub is."""
    demand(visit.person, Permission.SEE_HEALTH)
    runtime = visit.runtime
    started = time.monotonic()
    async with runtime.database.reading() as tx:
        await now(tx)
        milliseconds = round((time.monotonic() - started) * 1000)
        connections = await reading.connections(tx)
        checkpoint = await audit.latest_checkpoint(tx, runtime.keys)
        lost = await outbox.given_up(tx)
        outages = {one.connection_id: one for one in await outages_now(tx)}
        gone = [one.name for one in await webhooks.disabled(tx)]
        doubts = await count_doubts(tx)
        changed = {one.connector for one in (await waiting_now(tx)).values()}
    engine = "SQLite" if runtime.database.is_sqlite else "PostgreSQL"
    lines = (
        HealthLine(part="Database", state=_WELL, detail=f"{engine} answers in {milliseconds} ms."),
        _audit_line(checkpoint),
        _doubts_line(doubts, is_operator=may(visit.person, Permission.RESOLVE_DOUBTS)),
        _pins_line(sorted(changed)),
        _outbox_line([message for message, _ in lost]),
        *(_webhook_line(name) for name in gone),
        *(_connection_line(connection, outages.get(connection.id)) for connection in connections),
    )
    overall = _ILL if any(line.state.tone in {"warn", "bad"} for line in lines) else _WELL
    page = HealthPage(overall=overall, lines=lines)
    return show(visit, Shown(template="health.html", title="Health", page=page, here="health"))


def _audit_line(checkpoint: Checkpoint | None) -> HealthLine:
    detail = f"{checkpoint.size:,} events are under a signed checkpoint." if checkpoint else "No checkpoint yet."
    return HealthLine(part="Audit log", state=_WELL if checkpoint else _ILL, detail=detail)


def _doubts_line(count: int, *, is_operator: bool) -> HealthLine:
    if not count:
        return HealthLine(part="Writes in doubt", state=_WELL, detail="There are none.")
    who = "You settle them" if is_operator else "Operators settle them"
    whether = "1 was sent, and whether it was" if count == 1 else f"{count:,} were sent, and whether they were"
    detail = f"{whether} done is not known. {who}, once somebody has looked in the system."
    return HealthLine(part="Writes in doubt", state=_ILL, detail=detail, url=PATH if is_operator else "")


def _pins_line(connectors: Sequence[str]) -> HealthLine:
    if not connectors:
        return HealthLine(part="Federated servers", state=_WELL, detail="What they say is what was accepted.")
    named = f"{', '.join(connectors[:_NAMED])}{' and others' if len(connectors) > _NAMED else ''}"
    detail = f"Servers say otherwise than was accepted of {named}; agents are not shown it before its owner accepts it."
    return HealthLine(part="Federated servers", state=_ILL, detail=detail, url="/pins")


def _outbox_line(lost: Sequence[Message]) -> HealthLine:
    if not lost:
        return HealthLine(part="Messages", state=_WELL, detail="None was given up.")
    topics = ", ".join(sorted({message.topic for message in lost}))
    return HealthLine(part="Messages", state=_ILL, detail=f"{len(lost)} were given up: {topics}.")


def _webhook_line(name: str) -> HealthLine:
    detail = "Answered 410 Gone, and is told nothing until an administrator enables it again."
    return HealthLine(part=f"Webhook {name}", state=_ILL, detail=detail)


def _connection_line(connection: Connection, outage: Outage | None) -> HealthLine:
    part, url = f"Connection {connection.name}", f"/connections/{connection.id}"
    if not connection.is_enabled:
        return HealthLine(part=part, state=_QUIET, detail="Disabled: no call may use it.", url=url)
    detail = f"{connection.connector}, {connection.environment.value}, generation {connection.generation}."
    if outage is not None:
        detail = _of_outage(outage)
    return HealthLine(part=part, state=connection_state(connection, outage), detail=detail, url=url)


def _of_outage(outage: Outage) -> str:
    if outage.unavailable_since is None:
        return f"Calls that did not reach its system, in a row: {outage.failures}."
    since, look = (f"{one:%Y-%m-%d %H:%M:%S} UTC" for one in (outage.unavailable_since, outage.look_at))
    return f"No call is made since {since}. {outage.reason} The next look is at {look}, or now, on its page."
