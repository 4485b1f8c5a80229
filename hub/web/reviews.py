"""Reviews: what went without anybody's approval, what it changed, and what a reviewer says of it."""

from typing import Final

from starlette.responses import Response

from hub.core.errors import Conflict, InputError, Malformed
from hub.identity.directory import get_many
from hub.invocations.journal import load
from hub.invocations.looking import note_looks
from hub.invocations.masking import as_seen_by
from hub.invocations.reviewing import Remark, remark, waiting_for
from hub.invocations.values import Invocation
from hub.registry import PublishedTool, read_current
from hub.reviews import ReviewKind, Verdict
from hub.storage import Tx, now
from hub.web.comparison import comparison
from hub.web.field_words import words_of
from hub.web.headlines import headline
from hub.web.inert import inert, inert_name
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
        found = {one.id: await load(tx, one.invocation_id) for one in waiting}
        known = {who for one in waiting for who in (one.agent_id, one.breaker_id) if who is not None}
        people = await get_many(tx, sorted(known))
        words = {one.tool_version_id: words_of((await _tool(tx, one)).operation) for one in found.values()}
        moment = await now(tx)
    await note_looks(visit.session.caller, found.values(), visit.own_authority, visit.runtime)
    calls = {name: await as_seen_by(visit.session.caller, call, visit.runtime) for name, call in found.items()}
    names = {one.id: inert_name(one.display_name) for one in people.values()}
    cards = [
        ReviewCard(
            action=f"/reviews/{one.id}",
            kind=_KINDS[one.kind],
            headline=inert_name(
                headline(
                    seen.preview if seen else None,
                    title=one.tool_name,
                    system=call.connector,
                    words=words[call.tool_version_id],
                )
            ),
            agent=names.get(one.agent_id, inert_name(one.agent_id)),
            tool=one.tool_name,
            state=STATES[call.state],
            environment=one.environment,
            changes=tuple(comparison(change, words[call.tool_version_id]) for change in seen.preview.changes)
            if seen
            else (),
            broken_by=names.get(one.breaker_id, inert_name(one.breaker_id)) if one.breaker_id else None,
            why=inert(one.why) if one.why else None,
            opened=at(one.opened_at or moment, now=moment),
        )
        for one in waiting
        for call in [calls[one.id]]
        for seen in [call.preview]
    ]
    page = ReviewsPage(cards=tuple(cards), problem=problem)
    shown = Shown(template="reviews.html", title="Reviews", page=page, here="approvals", status=400 if problem else 200)
    return show(visit, shown)


async def _tool(tx: Tx, call: Invocation) -> PublishedTool:
    return await read_current(tx, call.tool_version_id, call.connection_id, server=call.server, name=call.tool_name)
