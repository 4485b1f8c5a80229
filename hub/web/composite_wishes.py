"""Asking on a page that a composite tool be promoted."""

from typing import Final

from starlette.responses import Response

from hub.core.errors import Conflict, Forbidden, InputError, NotFound
from hub.invocations.promoting import ask_for_composite
from hub.promotions import CompositeWish
from hub.web.composite_form import connections_of, environment_of
from hub.web.promotions import show_list
from hub.web.visits import Visit, redirect_telling

_REFUSALS: Final = (Conflict, Forbidden, InputError, NotFound)


async def ask_composite(visit: Visit) -> Response:
    """Ask for the promotion of a composite tool, and show its gates; what speaks against it is told beside the form."""
    form = visit.form
    try:
        wish = CompositeWish(
            name=form.one("composite"),
            environment=environment_of(visit),
            reason=form.one("reason"),
            connections=connections_of(form.one("connections")),
        )
        asked = await ask_for_composite(wish, visit.runtime, visit.own_authority)
    except _REFUSALS as refusal:
        return await show_list(visit, of_composite=refusal.message)
    return redirect_telling(visit, f"/promotions/{asked.id}", "Asked for. Its gates are below.")
