"""Promotions: the list, one with its gates and evidence, and the forms by which people ask, decide and take back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response

from hub import promotions, registry
from hub.core.errors import Conflict, Forbidden, FreshLoginNeeded, InputError, Malformed, NotFound
from hub.identity.directory import get_many
from hub.identity.permissions import Permission, demand, may
from hub.invocations.promoting import ask_for, check_gates
from hub.promotions import Decision, Promotion, State, Wish
from hub.registry import Environment, is_composite
from hub.registry.differing import differences
from hub.storage import Tx, now
from hub.web.composite_form import composite_form
from hub.web.promotion_views import STATES, Seen, promotion_line, promotion_page
from hub.web.views.catalog import Choice
from hub.web.views.promotions import PromotionsPage
from hub.web.visits import Shown, Visit, redirect, redirect_telling, show

_PAGE: Final = 30
_REFUSALS: Final = (Conflict, Forbidden, InputError, NotFound)


async def show_promotions(visit: Visit) -> Response:
    """Show what was asked to be promoted."""
    demand(visit.person, Permission.SEE_CATALOG)
    return await show_list(visit)


async def ask_promotion(visit: Visit) -> Response:
    """Ask for a promotion."""
    form = visit.form
    try:
        environment = Environment(form.one("environment"))
    except ValueError as error:
        raise Malformed("Choose one of the environments. Nothing was asked for.") from error
    wish = Wish(connector=form.one("connector"), environment=environment, reason=form.one("reason"))
    try:
        asked = await ask_for(wish, visit.runtime, visit.own_authority)
    except _REFUSALS as refusal:
        return await show_list(visit, problem=refusal.message)
    return redirect_telling(visit, f"/promotions/{asked.id}", "Asked for. Its gates are below.")


async def show_promotion(visit: Visit) -> Response:
    """Show one promotion."""
    demand(visit.person, Permission.SEE_CATALOG)
    return await _one(visit)


async def decide(visit: Visit) -> Response:
    """Put the release in use, or refuse it."""
    choices = {"use": promotions.put_in_force, "reject": promotions.reject}
    chosen = choices.get(visit.form.one("choice"))
    if chosen is None:
        raise Malformed("Press one of the buttons. Nothing was decided.")
    decision = Decision(
        digest=visit.form.one("digest"),
        reason=visit.form.one("reason"),
        authenticated_at=visit.session.authenticated_at,
    )

    async def change(tx: Tx, promotion_id: str) -> Promotion:
        return await chosen(tx, promotion_id, decision, visit.runtime.promotions, visit.own_authority)

    return await _change(visit, change)


async def check(visit: Visit) -> Response:
    """Look at the gates again."""
    promotion_id = _id(visit)
    try:
        await check_gates(promotion_id, visit.runtime, visit.own_authority)
    except _REFUSALS as refusal:
        return await _one(visit, problem=refusal.message)
    return redirect_telling(visit, f"/promotions/{promotion_id}", "The gates were looked at again.")


async def explain(visit: Visit) -> Response:
    """Put on record why calls come out otherwise."""

    async def change(tx: Tx, promotion_id: str) -> Promotion:
        words = visit.form.one("reason")
        return await promotions.explain(tx, promotion_id, words, visit.runtime.promotions, visit.own_authority)

    return await _change(visit, change)


async def withdraw(visit: Visit) -> Response:
    """Take back a wish."""

    async def change(tx: Tx, promotion_id: str) -> Promotion:
        return await promotions.withdraw(tx, promotion_id, visit.form.one("reason"), visit.own_authority)

    return await _change(visit, change)


async def revert(visit: Visit) -> Response:
    """Use the former release again."""

    async def change(tx: Tx, promotion_id: str) -> Promotion:
        return await promotions.revert(tx, promotion_id, visit.form.one("reason"), visit.own_authority)

    return await _change(visit, change)


async def _change(visit: Visit, change: Callable[[Tx, str], Awaitable[Promotion]]) -> Response:
    promotion_id = _id(visit)
    try:
        async with visit.runtime.database.transaction() as tx:
            changed = await change(tx, promotion_id)
    except FreshLoginNeeded:
        return redirect(f"/fresh-login?next=/promotions/{promotion_id}")
    except (Conflict, Forbidden, InputError) as refusal:
        return await _one(visit, problem=refusal.message)
    return redirect_telling(visit, f"/promotions/{promotion_id}", STATES[changed.state].meaning)


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["promotion_id"])


async def show_list(visit: Visit, *, problem: str = "", of_composite: str = "") -> Response:
    """Show the list; with a problem of what was asked for, of a release or of a composite tool."""
    wanted = visit.request.query_params.get("connector")
    async with visit.runtime.database.reading() as tx:
        before = visit.request.query_params.get("before")
        found = await promotions.promotions(tx, connector=wanted, before=before, limit=_PAGE)
        names = [spec.name for spec in await registry.connectors(tx) if not any(map(is_composite, spec.operations))]
        mine = [name for name in names if await promotions.may_ask(tx, name, visit.person.id)]
        composites = await composite_form(tx, visit, problem=of_composite)
        moment = await now(tx)
    page = PromotionsPage(
        lines=tuple(promotion_line(one, moment) for one in found),
        connectors=tuple(Choice(value=name, label=name, is_chosen=name == wanted) for name in mine),
        environments=tuple(Choice(value=one, label=one) for one in ("staging", "prod")),
        composites=composites,
        more_url=f"/promotions?before={found[-1].id}" if len(found) == _PAGE else "",
        problem=problem,
    )
    status = 400 if problem or of_composite else 200
    shown = Shown(template="promotions.html", title="Promotions", page=page, here="servers", status=status)
    return show(visit, shown)


async def _one(visit: Visit, *, problem: str = "") -> Response:
    rules, person = visit.runtime.promotions, visit.person
    async with visit.runtime.database.reading() as tx:
        promotion = await promotions.get_promotion(tx, _id(visit))
        release = await registry.get_release(tx, promotion.release_id)
        former_id = promotion.former_release_id
        former = None if former_id is None else await registry.get_release(tx, former_id)
        involved = [
            one for one in (promotion.asked_by, promotion.explained_by, promotion.decided_by) if one is not None
        ]
        may_ask = await promotions.may_ask(tx, promotion.connector, person.id)
        seen = Seen(
            people=await get_many(tx, involved),
            changed=await asyncio.to_thread(differences, None if former is None else former.spec, release.spec),
            now=await now(tx),
            shows_calls=await promotions.may_look(tx, promotion, rules, person.id),
            may_ask=may_ask,
            may_decide=await promotions.may_decide(tx, promotion, rules, person.id),
            may_revert=promotion.state is State.IN_FORCE and (may_ask or may(person, Permission.STOP_THINGS)),
            deciders=rules.to(promotion.environment).deciders,
            changed_from=visit.request.query_params.get("from", ""),
        )
    page = promotion_page(promotion, seen, problem=problem)
    title, status = f"{promotion.connector} {promotion.version}", 400 if problem else 200
    return show(visit, Shown(template="promotion.html", title=title, page=page, here="servers", status=status))
