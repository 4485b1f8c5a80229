"""Limits and kill switches: the page on which the hub is held back, for those who may stop things."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final

from starlette.responses import Response

from hub import budgets
from hub.budgets import Measure, Per, Stop, StopKind, Used
from hub.core.errors import Conflict, Forbidden, InputError, NotFound
from hub.identity.directory import get_many
from hub.identity.permissions import Permission, demand, may
from hub.registry import cost_units
from hub.storage import Tx, now
from hub.web.inert import inert
from hub.web.limit_forms import MEASURES, limit_in, one_of
from hub.web.limit_words import share_used, used_words
from hub.web.moments import at
from hub.web.views.brakes import BrakesPage, LimitLine, StopLine
from hub.web.views.catalog import Choice
from hub.web.visits import Shown, Visit, redirect_telling, show

_MOST_KNOWN: Final = 500


async def show_brakes(visit: Visit) -> Response:
    """Show the switches that are on and the limits that count."""
    demand(visit.person, Permission.STOP_THINGS)
    return await _page(visit)


async def set_stop(visit: Visit) -> Response:
    """Turn a switch on."""
    form = visit.form

    async def change(tx: Tx) -> None:
        kind = one_of(StopKind, form.one("kind"))
        await budgets.set_stop(tx, kind, form.one("subject").strip(), form.one("reason"), visit.own_authority)

    return await _change(visit, change, "It is stopped. What has been sent already is finished.")


async def lift_stop(visit: Visit) -> Response:
    """Turn a switch off."""
    form = visit.form

    async def change(tx: Tx) -> None:
        await budgets.lift_stop(tx, one_of(StopKind, form.one("kind")), form.one("subject"), visit.own_authority)

    return await _change(visit, change, "It goes on.")


async def set_limit(visit: Visit) -> Response:
    """Set a limit."""
    form = visit.form

    async def change(tx: Tx) -> None:
        new = limit_in(
            form, per=one_of(Per, form.one("per")), subject=form.one("of").strip(), told=await cost_units(tx)
        )
        await budgets.set_limit(tx, new, visit.own_authority)

    return await _change(visit, change, "The limit counts from the next call on.")


async def lift_limit(visit: Visit) -> Response:
    """Lift a limit."""

    async def change(tx: Tx) -> None:
        await budgets.lift_limit(tx, visit.form.one("limit"), visit.own_authority)

    return await _change(visit, change, "The limit is lifted.")


async def _change(visit: Visit, change: Callable[[Tx], Awaitable[None]], done: str) -> Response:
    demand(visit.person, Permission.STOP_THINGS)
    try:
        async with visit.runtime.database.transaction() as tx:
            await change(tx)
    except (InputError, Conflict, NotFound, Forbidden) as error:
        return await _page(visit, problem=error.message)
    return redirect_telling(visit, "/limits", done)


async def _page(visit: Visit, *, problem: str = "") -> Response:
    async with visit.runtime.database.reading() as tx:
        stops, limits, moment = await budgets.stops_now(tx), await budgets.used_by_all(tx), await now(tx)
        liftable = await budgets.liftable(tx, visit.own_authority)
        people = await get_many(tx, [one.set_by for one in stops if one.set_by])
        names = await budgets.names_of(tx, {one.subject for one in stops} | {one.limit.subject for one in limits})
        known = await budgets.limitable(tx, most=_MOST_KNOWN)

    def stop_line(one: Stop) -> StopLine:
        by = people[one.set_by].display_name if one.set_by in people else "the hub"
        since = at(one.set_at, now=moment)
        name = names.get(one.subject, one.subject)
        return StopLine(
            kind=one.kind.value, subject=one.subject, name=name, reason=inert(one.reason), by=by, since=since
        )

    page = BrakesPage(
        stops=tuple(map(stop_line, stops)),
        limits=tuple(_limit_line(one, names, moment, may_lift=one.limit.id in liftable) for one in limits),
        kinds=tuple(Choice(value=one.value, label=one.value) for one in StopKind),
        pers=tuple(Choice(value=one.value, label=one.value) for one in Per),
        measures=tuple(Choice(value=one.value, label=MEASURES[one]) for one in Measure),
        known=tuple(Choice(value=one.name, label=one.per.value) for one in known),
        may_limit=may(visit.person, Permission.MANAGE_REGISTRY),
        problem=problem,
    )
    status = 400 if problem else 200
    return show(visit, Shown(template="brakes.html", title="Limits", page=page, here="limits", status=status))


def _limit_line(one: Used, names: Mapping[str, str], moment: datetime, *, may_lift: bool) -> LimitLine:
    limit = one.limit
    return LimitLine(
        id=limit.id,
        words=limit.words,
        subject=names.get(limit.subject, limit.subject) or f"each {limit.per}",
        used="" if limit.measure is Measure.TIME else used_words(one),
        share=share_used(one),
        frees=at(limit.frees(moment), now=moment) if limit.measure.has_window else None,
        may_lift=may_lift,
    )
