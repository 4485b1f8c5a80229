"""Breaking the glass on a page: what would go without its approval, why it cannot wait, and what follows from it."""

from dataclasses import dataclass

from starlette.responses import Response

from hub.core.errors import ChangedSinceSeen, Conflict, FreshLoginNeeded, InputError, NotFound
from hub.identity.permissions import Permission, demand
from hub.invocations.break_glass import Breaking, break_glass
from hub.reviews import unreviewed_glass
from hub.web.approval_views import inbox_card
from hub.web.dossier import open_dossier
from hub.web.grounds import grounds_of
from hub.web.views.approval import InboxCard
from hub.web.views.grounds import Grounds
from hub.web.visits import Shown, Visit, redirect, redirect_telling, show

_DONE = "It goes without its approval. Whoever answers for it is told, and somebody else reviews what you did."


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenGlassPage:
    """One question that waits, and the form that lets it go without its approval."""

    card: InboxCard
    action: str
    digest: str
    grounds: Grounds
    waits_for: str = ""
    """The review of what this operator let go before, which must come first; empty when there is none."""
    reason: str = ""
    problem: str = ""


async def show_glass(visit: Visit) -> Response:
    """Show what would go; looking decides nothing."""
    demand(visit.person, Permission.BREAK_GLASS)
    return await _shown(visit)


async def submit_glass(visit: Visit) -> Response:
    """Let exactly what the page showed go without its approval."""
    demand(visit.person, Permission.BREAK_GLASS)
    invocation_id = visit.request.path_params["invocation_id"]
    breaking = Breaking(
        invocation_id=invocation_id,
        digest=visit.form.one("approval_digest"),
        breaker=visit.person,
        authenticated_at=visit.session.authenticated_at,
        reason=visit.form.one("reason"),
    )
    try:
        await break_glass(breaking, visit.runtime)
    except FreshLoginNeeded:
        return redirect(f"/fresh-login?next={visit.request.url.path}")
    except ChangedSinceSeen as error:
        return await _shown(visit, problem=error.message, status=409)
    except (InputError, Conflict) as error:
        return await _shown(visit, problem=error.message, status=400 if isinstance(error, InputError) else 409)
    return redirect_telling(visit, f"/invocations/{invocation_id}", _DONE, tone="warn")


async def _shown(visit: Visit, *, problem: str = "", status: int = 200) -> Response:
    dossier = await open_dossier(visit, visit.request.path_params["invocation_id"])
    question, record, card = dossier.invocation.question, dossier.invocation.preview, inbox_card(dossier)
    if question is None or record is None or card is None:
        raise NotFound("Nothing waits for approval here.")
    async with visit.runtime.database.reading() as tx:
        waits_for = await unreviewed_glass(tx, visit.person.id)
    page = BrokenGlassPage(
        card=card,
        action=f"/approvals/{dossier.invocation.id}/broken-glass",
        digest=question.digest,
        grounds=grounds_of(dossier, record),
        waits_for=waits_for or "",
        reason=visit.form.one("reason"),
        problem=problem,
    )
    shown = Shown(template="broken_glass.html", title="Break the glass", page=page, here="approvals", status=status)
    return show(visit, shown)
