"""Limits and kill switches: the page on which the hub is held back, for those who may stop things."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
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
from hub.web.forms import Form
from hub.web.inert import inert
from hub.web.limit_forms import MEASURES, limit_in, one_of
from hub.web.limit_words import share_used, used_words
from hub.web.moments import at
from hub.web.views.brakes import BrakesPage, LimitForm, LimitLine, StopForm, StopLine
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

    done = "It is stopped. What has been sent already is finished."
    return await _change(visit, change, done, problem_with="stop")


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

    return await _change(visit, change, "The limit counts from the next call on.", problem_with="limit")


async def lift_limit(visit: Visit) -> Response:
    """Lift a limit."""

    async def change(tx: Tx) -> None:
        await budgets.lift_limit(tx, visit.form.one("limit"), visit.own_authority)

    return await _change(visit, change, "The limit is lifted.")


async def _change(
    visit: Visit, change: Callable[[Tx], Awaitable[None]], done: str, *, problem_with: str = "lifting"
) -> Response:
    demand(visit.person, Permission.STOP_THINGS)
    try:
        async with visit.runtime.database.transaction() as tx:
            await change(tx)
    except (InputError, Conflict, NotFound, Forbidden) as error:
        return await _page(visit, problems={problem_with: error.message})
    return redirect_telling(visit, "/limits", done)


_NO_PROBLEMS: Final[Mapping[str, str]] = {}


async def _page(visit: Visit, *, problems: Mapping[str, str] = _NO_PROBLEMS) -> Response:
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
        stop_form=_stop_form(visit.form if "stop" in problems else Form(fields={}), problems.get("stop", "")),
        known=tuple(Choice(value=one.name, label=one.per.value) for one in known),
        problem=problems.get("lifting", ""),
    )
    if may(visit.person, Permission.MANAGE_REGISTRY):
        typed = visit.form if "limit" in problems else Form(fields={})
        page = replace(page, limit_form=_limit_form(typed, problems.get("limit", "")))
    status = 400 if problems else 200
    return show(visit, Shown(template="brakes.html", title="Limits", page=page, here="limits", status=status))


def _stop_form(typed: Form, problem: str) -> StopForm:
    kind = typed.one("kind")
    return StopForm(
        kinds=tuple(Choice(value=one.value, label=one.value, is_chosen=one.value == kind) for one in StopKind),
        subject=typed.one("subject"),
        reason=typed.one("reason"),
        problem=problem,
    )


def _limit_form(typed: Form, problem: str) -> LimitForm:
    measure, per = typed.one("measure"), typed.one("per")
    return LimitForm(
        measures=tuple(Choice(value=one.value, label=MEASURES[one], is_chosen=one.value == measure) for one in Measure),
        pers=tuple(Choice(value=one.value, label=one.value, is_chosen=one.value == per) for one in Per),
        amount=typed.one("amount"),
        unit=typed.one("unit"),
        window=typed.one("window"),
        of=typed.one("of"),
        problem=problem,
    )


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
