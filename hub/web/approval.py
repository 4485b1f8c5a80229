"""The approval page, the inbox that leads to it, and the vote."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from connectors.sdk.preview import Change, Preview
from hub import approvals, dryrun, promotions, standing
from hub.approvals import Ballot, Choice, Question
from hub.approvals.rules import login_is_fresh
from hub.core.errors import ChangedSinceSeen, Conflict, Forbidden, FreshLoginNeeded, InputError, Malformed, NotFound
from hub.dryrun import PlanPreview
from hub.identity.directory import get_many
from hub.identity.permissions import Permission, demand, may
from hub.identity.principals import Principal
from hub.invocations import votes
from hub.invocations.aftermath import taken_back_among
from hub.invocations.journal import load
from hub.invocations.masking import mask_for
from hub.invocations.queries import current
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.promotions import Promotion
from hub.storage import now
from hub.web.approval_views import approval_page, inbox_card
from hub.web.batches import batch_lines
from hub.web.brief_changes import told_apart
from hub.web.comparison import FieldState, Veil, compare_records
from hub.web.counter import counter_form, propose, revised
from hub.web.dossier import Dossier, open_dossier, open_dossiers
from hub.web.field_words import FieldWords
from hub.web.inert import inert_name
from hub.web.invocation_views import invocation_line
from hub.web.moments import span
from hub.web.notices import Notice
from hub.web.views.approval import ApprovalPage, Decision, Difference, InboxPage, ReleaseLine
from hub.web.views.invocation_line import InvocationLine
from hub.web.visits import Shown, Visit, redirect, redirect_telling, show

DRAFT_SECONDS: Final = 900
_NO_WORDS: Final = FieldWords()
_DRAFT: Final = "web draft of a reason"
_NOTICES: Final = {
    Choice.APPROVE: "Your approval is on record.",
    Choice.REJECT: "Your rejection is on record, and your reason goes back to the agent.",
}
_CONFIRMED: Final = "Your confirmation is on record."
_VOID: Final = Notice(
    text="You agreed, and something has changed since then, so that counts no more. Nothing was carried out.",
    tone="warn",
)


async def count_waiting(runtime: Runtime, person: Principal) -> int:
    """Return how many questions and releases wait for a person."""
    async with runtime.database.reading() as tx:
        releases = await promotions.waiting_for(tx, runtime.promotions, person.id)
        return len(await approvals.waiting_for(tx, person)) + len(releases)


async def show_inbox(visit: Visit) -> Response:
    """Show the questions that wait for the visitor, the most urgent first."""
    async with visit.runtime.database.reading() as tx:
        waiting = await approvals.waiting_for(tx, visit.person)
        releases = await promotions.waiting_for(tx, visit.runtime.promotions, visit.person.id)
    dossiers = await open_dossiers(visit, waiting)
    page = InboxPage(
        cards=tuple(told_apart([card for dossier in dossiers if (card := inbox_card(dossier)) is not None])),
        batches=await batch_lines(visit),
        releases=tuple(map(_release_line, releases)),
        decided=await _decided(visit),
    )
    return show(visit, Shown(template="inbox.html", title="Approvals", page=page, here="approvals"))


async def _decided(visit: Visit) -> tuple[InvocationLine, ...]:
    async with visit.runtime.database.reading() as tx:
        found = [await load(tx, one) for one in await approvals.decided_by(tx, visit.person.id)]
        agents = await get_many(tx, [one.agent_id for one in found])
        taken_back, at = await taken_back_among(tx, found), await now(tx)
    return tuple(invocation_line(one, agents, at, is_taken_back=one.id in taken_back) for one in found)


def _release_line(one: Promotion) -> ReleaseLine:
    return ReleaseLine(
        url=f"/promotions/{one.id}",
        connector=one.connector,
        version=one.version,
        environment=one.environment.value,
        reason=inert_name(one.reason),
    )


async def show_waiting(visit: Visit) -> Response:
    """Show all that waits for anybody to those who see how the hub is; they vote only where they are asked."""
    demand(visit.person, Permission.SEE_WAITING)
    async with visit.runtime.database.reading() as tx:
        waiting = await approvals.all_waiting(tx)
    dossiers = await open_dossiers(visit, waiting)
    cards = tuple(told_apart([card for dossier in dossiers if (card := inbox_card(dossier)) is not None]))
    shown = Shown(template="waiting.html", title="All that waits", page=InboxPage(cards=cards), here="health")
    return show(visit, shown)


async def show_approval(visit: Visit) -> Response:
    """Show one question with all that is known; looking decides nothing."""
    invocation_id = visit.request.path_params["invocation_id"]
    page = await _page(visit, invocation_id)
    if page.decision is not None:
        page = replace(page, decision=replace(page.decision, reason=_draft(visit)))
    return _shown(visit, page)


async def submit_vote(visit: Visit) -> Response:
    """Count the visitor's vote on exactly what the page showed."""
    invocation_id, form = visit.request.path_params["invocation_id"], visit.form
    await open_dossier(visit, invocation_id)  # whoever may not look learns nothing from voting either
    ballot = Ballot(
        invocation_id=invocation_id,
        digest=form.one("approval_digest"),
        choice=_choice(form.one("decision")),
        reason=form.one("reason"),
        voter=visit.person,
        authenticated_at=visit.session.authenticated_at,
    )
    try:
        counted = await votes.vote(ballot, visit.runtime)
    except FreshLoginNeeded:
        return _to_fresh_login(visit, invocation_id)
    except ChangedSinceSeen:
        return await _changed(visit, ballot)
    except (InputError, Conflict, Forbidden) as error:
        return await _refused(visit, ballot, error)
    confirmed = ballot.choice is Choice.APPROVE and _has_confirmed(visit.person, counted.question)
    notice = _CONFIRMED if confirmed else _NOTICES[ballot.choice]
    return redirect_telling(visit, f"/approvals/{invocation_id}", notice)


def _has_confirmed(person: Principal, question: Question | None) -> bool:
    return question is not None and person.id == question.confirmer_id


def _choice(pressed: str) -> Choice:
    try:
        return Choice(pressed)
    except ValueError as error:
        raise Malformed("Press Approve or Reject. Nothing was decided.") from error


async def submit_counter(visit: Visit) -> Response:
    """Ask about the visitor's arguments instead; what stood against it is shown beside what was typed."""
    invocation_id = visit.request.path_params["invocation_id"]
    try:
        return await propose(visit)
    except FreshLoginNeeded:
        return _to_fresh_login(visit, invocation_id)
    except ChangedSinceSeen:
        return _shown(visit, replace(await _page(visit, invocation_id), has_changed=True), status=409)
    except (InputError, Conflict) as error:
        page = await _page(visit, invocation_id)
        if page.counter is None:
            raise
        typed = {"arguments": visit.form.one("arguments"), "reason": visit.form.one("reason")}
        page = replace(page, counter=replace(page.counter, problem=error.message, **typed))
        return _shown(visit, page, status=400 if isinstance(error, InputError) else 409)


async def _page(visit: Visit, invocation_id: str) -> ApprovalPage:
    dossier = await open_dossier(visit, invocation_id)
    question, record = dossier.invocation.question, dossier.invocation.preview
    if question is None or record is None:
        raise NotFound("Nobody has been asked about this invocation.")
    if record.revision != question.revision:  # a newer preview is under way; what was asked is what is shown
        async with visit.runtime.database.reading() as tx:
            asked = await dryrun.of_revision(tx, invocation_id, question.revision)
        if asked is not None:
            record = replace(asked, preview=(await _hiding(visit, invocation_id))(asked.preview))
    page = replace(
        approval_page(dossier, record, question),
        revised=revised(dossier),
        drifted=await _drifted(visit, dossier),
        is_overtaken=_is_overtaken(visit.person, dossier.invocation, question),
    )
    if page.is_open and _may_break_glass(visit.person, question):
        page = replace(page, glass_url=f"/approvals/{invocation_id}/broken-glass")
    if why_not := _why_not(visit.person, dossier, question):
        return replace(page, why_no_decision=why_not)
    async with visit.runtime.database.reading() as tx:
        try:
            mandate = await approvals.mandate_of(tx, question, visit.person)
        except (Forbidden, Conflict) as refusal:
            return replace(page, why_no_decision=refusal.message)
        why_not_approve = await votes.why_not_approve(tx, mandate, await load(tx, invocation_id), visit.runtime)
    decision = Decision(
        action=f"/approvals/{invocation_id}",
        digest=question.digest,
        in_place_of=mandate.counts_as.display_name if mandate.for_id else "",
        needs_fresh_login=_fresh_words(visit, dossier, question),
        confirms=question.awaits_requester,
        why_not_approve=why_not_approve,
    )
    if why_not_approve:
        return replace(page, decision=decision)
    decision = replace(decision, grant_url=_grant_url(visit.person, dossier, question))
    return replace(page, decision=decision, counter=counter_form(dossier.invocation, question))


def _is_overtaken(person: Principal, invocation: Invocation, question: Question) -> bool:
    is_asked_anew = (
        question.is_open and question.revision > 1 and person.id not in {one.voter_id for one in question.votes}
    )
    return is_asked_anew or invocation.state in {State.STALE, State.PREVIEWING}


def _may_break_glass(person: Principal, question: Question) -> bool:
    is_asked_of_others = not question.awaits_requester
    return is_asked_of_others and may(person, Permission.BREAK_GLASS) and person.id not in question.excluded


def _why_not(person: Principal, dossier: Dossier, question: Question) -> str:
    """Return why there is no form whoever looks; the vote itself is checked again where it is counted."""
    if dossier.invocation.state is not State.AWAITING_APPROVAL or not question.is_open:
        why = (dossier.invocation.error_message or "") if dossier.invocation.state is State.EXPIRED else ""
        return f"This question is closed; no more votes are counted. {why}".rstrip()
    if question.awaits_requester and person.id == question.confirmer_id:
        return ""
    if person.id in question.excluded:
        return "You take part in this call yourself, so somebody else has to decide it."
    if any(cast.voter_id == person.id for cast in question.votes):
        return "You have voted. Other people still have to."
    return ""


def _grant_url(person: Principal, dossier: Dossier, question: Question) -> str:
    """Return where calls like this can be allowed in advance; the grant itself is checked again where it is given."""
    invocation = dossier.invocation
    agent, record = dossier.people.get(invocation.agent_id), invocation.preview
    owns_agent = agent is not None and agent.owner_id == person.id
    if record is None or isinstance(record.preview, PlanPreview) or question.awaits_requester or owns_agent:
        return ""
    fidelity = record.preview.fidelity
    can_stand = standing.can_stand_for(question.obligations, tier=invocation.tier, fidelity=fidelity)
    return f"/approvals/{invocation.id}/standing-grant" if can_stand else ""


def _fresh_words(visit: Visit, dossier: Dossier, question: Question) -> str:
    limits = [one.fresh_seconds for one in question.obligations if one.fresh_seconds is not None]
    if login_is_fresh(question.obligations, authenticated_at=visit.session.authenticated_at, at=dossier.at):
        return ""
    return f"You will be asked for {visit.proof} first: this needs a login younger than {_lifetime(min(limits))}."


def _lifetime(seconds: int) -> str:
    return span(timedelta(seconds=seconds))


def _to_fresh_login(visit: Visit, invocation_id: str) -> Response:
    draft = {"reason": visit.form.one("reason"), "person": visit.person.id}
    sealed = visit.runtime.keys.seal(draft, purpose=_DRAFT, seconds=DRAFT_SECONDS)
    back = f"/approvals/{invocation_id}?{urlencode({'draft': sealed})}"
    return redirect(f"/fresh-login?{urlencode({'next': back})}")


def _draft(visit: Visit) -> str:
    """Return the reason that was typed before a fresh login interrupted; it decides nothing by itself."""
    sealed = visit.request.query_params.get("draft", "")
    if not sealed:
        return ""
    try:
        draft = visit.runtime.keys.unseal(sealed, purpose=_DRAFT)
    except Malformed:
        return ""
    return str(draft["reason"]) if draft["person"] == visit.person.id else ""


async def _refused(visit: Visit, ballot: Ballot, error: InputError | Conflict | Forbidden) -> Response:
    page = await _page(visit, ballot.invocation_id)
    status = 400 if isinstance(error, InputError) else 409 if isinstance(error, Conflict) else 403
    if page.decision is None:
        return _shown(visit, replace(page, why_no_decision=error.message), status=max(status, 403))
    decision = replace(page.decision, reason=ballot.reason, problem=error.message)
    return _shown(visit, replace(page, decision=decision), status=status)


async def _changed(visit: Visit, ballot: Ballot) -> Response:
    page = await _page(visit, ballot.invocation_id)
    if page.decision is not None:
        page = replace(page, decision=replace(page.decision, reason=ballot.reason))
    changed = await _differences(visit, ballot, (await open_dossier(visit, ballot.invocation_id)).words)
    return _shown(visit, replace(page, has_changed=True, changed=changed), status=409)


async def _differences(visit: Visit, ballot: Ballot, words: FieldWords) -> tuple[Difference, ...]:
    async with visit.runtime.database.reading() as tx:
        seen = await approvals.by_digest(tx, ballot.digest)
        if seen is None or seen.invocation_id != ballot.invocation_id:
            return ()
        then = await dryrun.of_revision(tx, ballot.invocation_id, seen.revision)
        now = await dryrun.latest(tx, ballot.invocation_id)
    if then is None or now is None:
        return ()
    hiding = await _hiding(visit, ballot.invocation_id)
    return differences(hiding(then.preview), hiding(now.preview), words)


async def _drifted(visit: Visit, dossier: Dossier) -> tuple[Difference, ...] | None:
    invocation = dossier.invocation
    if invocation.revision == 1 or invocation.preview is None:
        return None
    async with visit.runtime.database.reading() as tx:
        then = await dryrun.of_revision(tx, invocation.id, invocation.revision - 1)
    hiding = await _hiding(visit, invocation.id)
    return differences(hiding(then.preview), invocation.preview.preview, dossier.words) if then else None


async def _hiding(visit: Visit, invocation_id: str) -> Callable[[Preview], Preview]:
    """Return what puts markers into a preview that the visitor may not see all of."""
    mask = await mask_for(visit.session.caller, await current(visit.runtime, invocation_id), visit.runtime)
    return (lambda preview: preview) if mask is None else mask.preview


def differences(then: Preview, now: Preview, words: FieldWords = _NO_WORDS) -> tuple[Difference, ...]:
    """Return how `now` differs from `then`, record by record: as it stands, and as it would become."""
    old, new = ({change.target: change for change in preview.changes} for preview in (then, now))
    found: list[Difference] = []
    for target in dict.fromkeys([*new, *old]):
        found += _of_record(target, (old.get(target), new.get(target)), words)
    return tuple(found)


def _of_record(target: str, pair: tuple[Change | None, Change | None], words: FieldWords) -> list[Difference]:
    old, new = pair
    sides = (
        (f"{target} as it stands", old.before if old else None, new.before if new else None),
        (f"{target} as it would become", old.after if old else None, new.after if new else None),
    )
    veil = Veil(sensitive=tuple(name for change in (old, new) if change for name in change.sensitive))
    found: list[Difference] = []
    for title, was, becomes in sides:
        fields = tuple(
            one for one in compare_records(was, becomes, veil, words) if one.state is not FieldState.UNCHANGED
        )
        if fields:
            found.append(Difference(title=inert_name(title), fields=fields))
    return found


def _shown(visit: Visit, page: ApprovalPage, *, status: int = 200) -> Response:
    void = {agreed: _VOID for agreed in (_NOTICES[Choice.APPROVE], _CONFIRMED) if page.is_overtaken}
    title = "Approval"
    if page.decision is not None:
        title = "Confirm or decline" if page.decision.confirms else "Approve or reject"
    return show(
        visit,
        Shown(template="approval.html", title=title, page=page, here="approvals", status=status, told_otherwise=void),
    )
