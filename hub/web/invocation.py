"""One invocation with its timeline, the list of one's own, and calling one off."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from urllib.parse import urlencode

from starlette.responses import Response

from hub.core.errors import InputError
from hub.identity.directory import find, get_many
from hub.identity.permissions import Permission, may
from hub.invocations.aftermath import taken_back_among
from hub.invocations.queries import Wanted, cancel, every_invocation, my_invocations
from hub.invocations.resolve import may_settle
from hub.invocations.states import State
from hub.invocations.undoing import Undo, undo
from hub.storage import Tx, now
from hub.web.dossier import open_dossier
from hub.web.invocation_views import invocation_line, invocation_page
from hub.web.state_words import STATES
from hub.web.timeline import read_timeline
from hub.web.views.catalog import Choice
from hub.web.views.invocation import InvocationsPage
from hub.web.visits import Shown, Visit, redirect_telling, show

_PAGE = 40
_ASKED = ("of", "agent", "tool", "state", "since")
"""What the list's address may ask for."""


async def show_invocations(visit: Visit) -> Response:
    """Show what agents asked for in the visitor's name, or to auditors in anybody's, newest first."""
    asked = {name: visit.request.query_params.get(name, "").strip() for name in _ASKED}
    of_everybody = asked["of"] == "everybody"
    read = every_invocation if of_everybody else my_invocations
    async with visit.runtime.database.reading() as tx:
        wanted = await _wanted(tx, asked)
    after = visit.request.query_params.get("after")
    found = await read(visit.runtime, visit.session.caller, wanted=wanted, after=after, limit=_PAGE)
    async with visit.runtime.database.reading() as tx:
        agents = await get_many(tx, [each.agent_id for each in found.items])
        taken_back = await taken_back_among(tx, found.items)
        at = await now(tx)
    more = {**{name: text for name, text in asked.items() if text}, "after": found.next_after or ""}
    page = InvocationsPage(
        lines=tuple(invocation_line(each, agents, at, is_taken_back=each.id in taken_back) for each in found.items),
        more_url=f"/invocations?{urlencode(more)}" if found.next_after else "",
        of_everybody=of_everybody,
        agent=asked["agent"],
        tool=asked["tool"],
        states=tuple(
            Choice(value=one.value, label=STATES[one].label, is_chosen=one.value == asked["state"]) for one in State
        ),
        since=asked["since"],
        may_see_all=may(visit.person, Permission.SEE_AUDIT),
    )
    title = "Everybody's invocations" if of_everybody else "My invocations"
    shown = Shown(template="invocations.html", title=title, page=page, here="invocations")
    return show(visit, shown)


async def _wanted(tx: Tx, asked: Mapping[str, str]) -> Wanted:
    """Return what the page's address asks for; what nobody can read there asks for nothing."""
    named = await find(tx, asked["agent"]) if asked["agent"] else None
    is_state = asked["state"] in {one.value for one in State}
    return Wanted(
        agent_id=named.id if named else asked["agent"] or None,
        tool=asked["tool"] or None,
        states=frozenset({State(asked["state"])}) if is_state else None,
        since=_midnight(asked["since"]),
    )


def _midnight(day: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(day), time.min, UTC)
    except ValueError:
        return None


async def show_invocation(visit: Visit) -> Response:
    """Show one invocation from request to outcome."""
    dossier = await open_dossier(visit, visit.request.path_params["invocation_id"])
    async with visit.runtime.database.reading() as tx:
        events = await read_timeline(tx, dossier, visit.runtime.keys)
        is_theirs = await may_settle(tx, visit.person, dossier.invocation)
    page = invocation_page(dossier, events, may_settle=is_theirs)
    shown = Shown(template="invocation.html", title=page.state.label, page=page, here="invocations")
    return show(visit, shown)


async def undo_invocation(visit: Visit) -> Response:
    """Propose what undoes an invocation, and show that call."""
    invocation_id, reason = visit.request.path_params["invocation_id"], visit.form.one("reason").strip()
    if not reason:
        raise InputError("Say why it is to be undone; the reason is kept on record.")
    wanted = Undo(
        caller=visit.session.caller, invocation_id=invocation_id, reason=reason[:500], trace_id=visit.trace_id
    )
    undoing = await undo(wanted, visit.runtime)
    told = "Somebody has asked for that already; this is the undo." if undoing.repeats else "This is the undo."
    return redirect_telling(visit, f"/invocations/{undoing.id}", told)


async def cancel_invocation(visit: Visit) -> Response:
    """Call off one of the visitor's own invocations."""
    invocation_id, reason = visit.request.path_params["invocation_id"], visit.form.one("reason").strip()
    if not reason:
        raise InputError("Say why you cancel it; the reason is kept on record.")
    await cancel(visit.runtime, visit.session.caller, invocation_id, reason=reason[:500])
    return redirect_telling(visit, f"/invocations/{invocation_id}", "It was called off.")
