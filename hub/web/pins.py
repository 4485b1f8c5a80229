"""Pins: what federated servers say otherwise than was accepted, and the form by which an owner decides about it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from starlette.responses import Response

from hub import pins, registry
from hub.core.errors import Conflict, Forbidden, InputError, Malformed
from hub.identity.directory import get_many
from hub.identity.permissions import Permission, demand
from hub.identity.principals import Principal
from hub.invocations.pinning import changed_by
from hub.pins import Change, Look, Sign, State
from hub.registry import Connection
from hub.registry.differing import Difference
from hub.storage import now
from hub.web.changed_lines import changed_part
from hub.web.inert import inert, inert_name
from hub.web.moments import at
from hub.web.views.pins import AdviceLine, PinLine, PinPage, PinsPage, ServerLine
from hub.web.visits import Shown, Visit, redirect_telling, show
from hub.web.wording import Word

_PAGE: Final = 30
STATES: Final = {
    State.WAITING: Word(label="waits", meaning="It waits for the connector's owner.", tone="warn"),
    State.ACCEPTED: Word(label="accepted", meaning="Accepted: a release in use in dev from now on.", tone="good"),
    State.REFUSED: Word(label="refused", meaning="Refused: everything stays as it was accepted.", tone="bad"),
    State.REPLACED: Word(label="replaced", meaning="The server says something else by now.", tone="neutral"),
}
_SIGNS: Final = {
    Sign.SPEAKS: Word(label="speaks to the model", meaning="", tone="bad"),
    Sign.HIDDEN: Word(label="hidden text", meaning="", tone="bad"),
    Sign.SHADOWS: Word(label="mimics another", meaning="", tone="bad"),
    Sign.MENTIONS: Word(label="speaks of another", meaning="", tone="warn"),
    Sign.RENAMED: Word(label="renamed", meaning="", tone="neutral"),
    Sign.WRITES: Word(label="writes now", meaning="", tone="bad"),
    Sign.BROKEN: Word(label="held back", meaning="", tone="warn"),
}


async def show_pins(visit: Visit) -> Response:
    """Show what servers say otherwise, and when they were looked at."""
    demand(visit.person, Permission.SEE_CATALOG)
    async with visit.runtime.database.reading() as tx:
        found = await pins.changes(tx, before=visit.request.query_params.get("before"), limit=_PAGE)
        looked = await pins.looks(tx)
        connections = [one for one in await registry.connections(tx) if one.id in looked]
        page = pins_page(found, [(one, looked[one.id]) for one in connections], await now(tx))
    return show(visit, Shown(template="pins.html", title="Federated servers", page=page, here="servers"))


async def show_pin(visit: Visit) -> Response:
    """Show one change."""
    demand(visit.person, Permission.SEE_CATALOG)
    return await _one(visit)


async def decide(visit: Visit) -> Response:
    """Accept what the server says, or refuse it."""
    form, authority, pin_id = visit.form, visit.own_authority, _id(visit)
    choice, digest = form.one("choice"), form.one("digest")
    if choice not in {"accept", "refuse"}:
        raise Malformed("Press one of the buttons. Nothing was decided.")
    try:
        async with visit.runtime.database.transaction() as tx:
            if choice == "accept":
                changed = await pins.accept(tx, pin_id, digest, authority)
            else:
                changed = await pins.refuse(tx, pin_id, digest, form.one("reason"), authority)
    except (Conflict, Forbidden, InputError) as refusal:
        return await _one(visit, problem=refusal.message)
    return redirect_telling(visit, f"/pins/{pin_id}", STATES[changed.state].meaning)


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["pin_id"])


async def _one(visit: Visit, *, problem: str = "") -> Response:
    async with visit.runtime.database.reading() as tx:
        change = await pins.get_change(tx, _id(visit))
        people = await get_many(tx, [change.decided_by] if change.decided_by else [])
        connection = await registry.get_connection(tx, change.connection_id)
        page = pin_page(
            change,
            connection.name,
            await changed_by(tx, change) if change.state is State.WAITING else [],
            await now(tx),
            may_decide=await pins.may_decide(tx, change, visit.person.id),
            decider=people.get(change.decided_by or ""),
            changed_from=visit.request.query_params.get("from", ""),
            problem=problem,
        )
    status = 400 if problem else 200
    title = f"What {change.connector} says"
    return show(visit, Shown(template="pin.html", title=title, page=page, here="servers", status=status))


def pins_page(found: Sequence[Change], servers: Sequence[tuple[Connection, Look]], moment: datetime) -> PinsPage:
    """Return the list as its page shows it."""
    return PinsPage(
        lines=tuple(
            PinLine(
                url=f"/pins/{one.id}",
                connector=one.connector,
                state=STATES[one.state],
                signs=len(one.advice),
                found=at(one.found_at, now=moment),
            )
            for one in found
        ),
        servers=tuple(
            ServerLine(
                connection=connection.name,
                url=f"/connections/{connection.id}",
                looked=at(look.looked_at, now=moment) if look.looked_at else None,
                problem=inert(look.problem) if look.problem else None,
            )
            for connection, look in servers
        ),
        more_url=f"/pins?before={found[-1].id}" if len(found) == _PAGE else "",
    )


def pin_page(  # noqa: PLR0913  # what one page shows
    change: Change,
    connection: str,
    changed: Sequence[Difference],
    moment: datetime,
    *,
    may_decide: bool,
    decider: Principal | None = None,
    changed_from: str = "",
    problem: str = "",
) -> PinPage:
    """Return one change as its page shows it."""
    return PinPage(
        address=f"/pins/{change.id}",
        connector=change.connector,
        connection=connection,
        state=STATES[change.state],
        digest=change.digest,
        found=at(change.found_at, now=moment),
        advice=tuple(
            AdviceLine(
                operation=inert(one.operation or "the server itself"), sign=_SIGNS[one.sign], says=inert(one.says)
            )
            for one in change.advice
        ),
        changed=changed_part(changed, f"/pins/{change.id}", changed_from),
        decided_by=None if decider is None else inert_name(decider.display_name),
        ended=at(change.ended_at, now=moment) if change.ended_at else None,
        reason=inert(change.reason) if change.reason else None,
        waits=change.state is State.WAITING,
        may_decide=may_decide,
        problem=problem,
    )
