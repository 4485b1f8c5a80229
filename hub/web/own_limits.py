"""Limits of what is mine: the page on which the owner of agents and tools sees and changes how much they may use.

It needs no role: what somebody owns decides, and what is not theirs is as if it were not there.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from starlette.responses import Response

from hub import budgets
from hub.budgets import Limit, Measure, Own, Used
from hub.core.errors import Conflict, Forbidden, InputError, NotFound
from hub.registry import cost_units
from hub.storage import Tx, now
from hub.web.inert import inert_name
from hub.web.limit_forms import MEASURES, amount_in, amount_typed, limit_in
from hub.web.limit_words import share_used, used_words
from hub.web.moments import at
from hub.web.views.catalog import Choice
from hub.web.views.own_limits import OwnLimitLine, OwnLimitsPage
from hub.web.visits import Shown, Visit, redirect_telling, show

PATH: Final = "/limits/own"
_MEASURES: Final = [one for one in MEASURES if one is not Measure.TIME]
"""What an agent or a tool can be limited by: only a run has a time that ends."""
_MOST_CHOICES: Final = 500


async def show_own_limits(visit: Visit) -> Response:
    """Show the limits that count for what the visitor owns."""
    return await _page(visit)


async def set_own_limit(visit: Visit) -> Response:
    """Set a limit on something of the visitor's."""
    form = visit.form

    async def change(tx: Tx, mine: Sequence[Own]) -> None:
        own = next((one for one in mine if one.id == form.one("of")), None)
        if own is None:
            raise InputError("Choose one of what is yours.")
        new = limit_in(form, per=own.per, subject=own.id, told=await cost_units(tx))
        await budgets.set_limit(tx, new, visit.own_authority)

    return await _change(visit, change, "The limit counts from the next call on.", is_new=True)


async def change_own_limit(visit: Visit) -> Response:
    """Let a limit that the visitor has set stand at another amount."""

    async def change(tx: Tx, mine: Sequence[Own]) -> None:
        limit = await _one_of_mine(tx, visit, mine)
        amount = amount_in(visit.form.one("amount"), limit.measure, limit.unit)
        await budgets.change_limit(tx, limit.id, amount, visit.own_authority)

    return await _change(visit, change, "The limit is changed. What was used of it stays used.")


async def lift_own_limit(visit: Visit) -> Response:
    """Lift a limit that the visitor has set."""

    async def change(tx: Tx, mine: Sequence[Own]) -> None:
        limit = await _one_of_mine(tx, visit, mine)
        await budgets.lift_limit(tx, limit.id, visit.own_authority)

    return await _change(visit, change, "The limit is lifted.")


async def _one_of_mine(tx: Tx, visit: Visit, mine: Sequence[Own]) -> Limit:
    """Return the limit that the form names, if it is one on something of the visitor's."""
    limit_id, own = visit.form.one("limit"), {(one.per, one.id) for one in mine}
    for one in await budgets.limits_now(tx):
        if one.id == limit_id and (one.per, one.subject) in own:
            return one
    raise NotFound("There is no such limit on anything of yours.")


async def _change(
    visit: Visit, change: Callable[[Tx, Sequence[Own]], Awaitable[None]], done: str, *, is_new: bool = False
) -> Response:
    try:
        async with visit.runtime.database.transaction() as tx:
            await change(tx, await budgets.owned(tx, visit.person.id))
    except (InputError, Conflict, NotFound, Forbidden) as error:
        return await _page(visit, problem=error.message, of_new=is_new)
    return redirect_telling(visit, PATH, done)


async def _page(visit: Visit, *, problem: str = "", of_new: bool = False) -> Response:
    async with visit.runtime.database.reading() as tx:
        mine = await budgets.owned(tx, visit.person.id)
        used, moment = await budgets.used_now(tx, mine), await now(tx)
        liftable = await budgets.liftable(tx, visit.own_authority)
    chosen = visit.form.one("of") or visit.request.query_params.get("of", "")
    measure = visit.form.one("measure")
    own = {one.id for one in mine}
    page = OwnLimitsPage(
        lines=tuple(
            _line(one, moment, may_change=one.limit.id in liftable and one.limit.subject in own) for one in used
        ),
        mine=tuple(_choices(mine, chosen)),
        measures=tuple(Choice(value=one.value, label=MEASURES[one], is_chosen=one == measure) for one in _MEASURES),
        amount=visit.form.one("amount") if of_new else "",
        unit=visit.form.one("unit") if of_new else "",
        window=visit.form.one("window") if of_new else "",
        problem="" if of_new else problem,
        problem_of_new=problem if of_new else "",
    )
    status = 400 if problem else 200
    title = "Limits of what is mine"
    return show(visit, Shown(template="own_limits.html", title=title, page=page, here="own-limits", status=status))


def _choices(mine: Sequence[Own], chosen: str) -> list[Choice]:
    first = sorted(mine, key=lambda one: one.id != chosen)[:_MOST_CHOICES]
    return [Choice(value=one.id, label=f"{one.per}: {one.name}", is_chosen=one.id == chosen) for one in first]


def _line(one: Used, moment: datetime, *, may_change: bool) -> OwnLimitLine:
    limit = one.limit
    of = one.own.name if one.own and limit.subject else f"each {limit.per}"
    return OwnLimitLine(
        id=limit.id,
        words=limit.words,
        of=inert_name(of),
        used=used_words(one),
        amount=amount_typed(limit),
        share=share_used(one),
        frees=at(limit.frees(moment), now=moment) if limit.measure.has_window else None,
        may_change=may_change,
    )
