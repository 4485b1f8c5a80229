"""Reviews: what went without anybody's approval, what it changed, and what a reviewer says of it."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from hub.core.errors import Conflict, InputError, Malformed
from hub.identity.directory import get_many
from hub.invocations.reviewing import Remark, remark
from hub.reviews import Review, ReviewKind, Verdict, waiting_for
from hub.web.dossier import Dossier, open_dossiers
from hub.web.grounds import grounds_of
from hub.web.inert import Inert, inert, inert_name
from hub.web.moments import at
from hub.web.state_words import STATES
from hub.web.views.reviews import ReviewCard, ReviewsPage
from hub.web.visits import Shown, Visit, redirect_telling, show
from hub.web.wording import Word

_KINDS: Final = {
    ReviewKind.GLASS: Word(label="glass broken", meaning="", tone="bad"),
    ReviewKind.SAMPLE: Word(label="sample", meaning="", tone="info"),
}
_NOTICES: Final = {
    Verdict.FINE: "You found it right, and that is on record.",
    Verdict.DISPUTED: "Your dispute is on record. The agent has lost its trust with this tool.",
}


async def show_reviews(visit: Visit) -> Response:
    """Show what waits for the visitor to look at."""
    return await _shown(visit)


async def conclude(visit: Visit) -> Response:
    """Put on record what the visitor says."""
    try:
        verdict = Verdict(visit.form.one("verdict"))
    except ValueError as error:
        raise Malformed("Press Fine or Dispute. Nothing was recorded.") from error
    review_id = visit.request.path_params["review_id"]
    said = Remark(review_id=review_id, reviewer=visit.person, verdict=verdict, reason=visit.form.one("reason"))
    try:
        await remark(said, visit.runtime)
    except (InputError, Conflict) as error:
        return await _shown(visit, problem=error.message)
    return redirect_telling(visit, "/reviews", _NOTICES[verdict])


async def _shown(visit: Visit, *, problem: str = "") -> Response:
    async with visit.runtime.database.reading() as tx:
        waiting = await waiting_for(tx, visit.person)
        people = await get_many(tx, sorted({who for one in waiting for who in (one.agent_id, one.breaker_id) if who}))
    names = {one.id: inert_name(one.display_name) for one in people.values()}
    dossiers = {one.invocation.id: one for one in await open_dossiers(visit, [one.invocation_id for one in waiting])}
    cards = [_card(one, dossiers[one.invocation_id], names) for one in waiting if one.invocation_id in dossiers]
    page = ReviewsPage(cards=tuple(cards), problem=problem)
    shown = Shown(template="reviews.html", title="Reviews", page=page, here="approvals", status=400 if problem else 200)
    return show(visit, shown)


def _card(review: Review, dossier: Dossier, names: Mapping[str, Inert]) -> ReviewCard:
    record = dossier.invocation.preview
    return ReviewCard(
        action=f"/reviews/{review.id}",
        kind=_KINDS[review.kind],
        headline=inert_name(dossier.headline),
        agent=names.get(review.agent_id, inert_name(review.agent_id)),
        tool=review.tool_name,
        state=STATES[dossier.invocation.state],
        environment=review.environment,
        grounds=grounds_of(dossier, record) if record else None,
        url=f"/invocations/{review.invocation_id}",
        broken_by=names.get(review.breaker_id, inert_name(review.breaker_id)) if review.breaker_id else None,
        why=inert(review.why) if review.why else None,
        opened=at(review.opened_at or dossier.at, now=dossier.at),
    )
