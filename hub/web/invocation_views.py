"""A dossier as the invocation page shows it."""

from ast import literal_eval
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from connectors.sdk.vocabulary import Effect
from hub.core.redaction import redact
from hub.identity.principals import Principal
from hub.invocations.states import CANCELLABLE, DONE, State
from hub.invocations.values import Invocation
from hub.web.approval_views import claim_lines, digest_lines, standing_word
from hub.web.catalog import tool_url
from hub.web.comparison import comparison, plain_fields
from hub.web.dossier import Dossier
from hub.web.field_words import FieldWords, arguments_words
from hub.web.grounds import alarm_lines, taken_back_by, undo_of
from hub.web.inert import inert, inert_name
from hub.web.moments import At, at
from hub.web.plan_views import progress_lines, state_word
from hub.web.readable import readable
from hub.web.side_by_side import member
from hub.web.state_words import TAKEN_BACK_SINCE
from hub.web.tool import json_text
from hub.web.views.invocation import ConflictLine, EventLine, InvocationPage
from hub.web.views.invocation_line import InvocationLine
from hub.web.wording import TIERS, Word, effect_word, undo_word

_VERDICTS: Final = {
    State.VERIFIED: Word(label="as the preview said", meaning="", tone="good"),
    State.DIVERGED: Word(label="not as the preview said", meaning="", tone="bad"),
    State.UNVERIFIABLE: Word(label="could not be compared", meaning="", tone="warn"),
}

_UNKNOWN_YET: Final = frozenset({State.SENT, State.RESENDING, State.IN_DOUBT})
_BEFORE_SENDING: Final = frozenset({State.AWAITING_APPROVAL, State.APPROVED, State.COMMITTING})
_NOTHING_CHANGED: Final = frozenset(
    {State.REJECTED, State.EXPIRED, State.CANCELLED, State.STALE, State.NOT_APPLIED, State.FAILED, State.DENIED}
)


def invocation_page(dossier: Dossier, events: tuple[EventLine, ...], *, may_settle: bool) -> InvocationPage:
    """Return one invocation in full; its answer is shown to those whose call it is, not to those who approved it.

    Auditors see it, too: that they look at it is put on record.

    `may_settle` is whether the visitor may say what became of it.
    """
    invocation = dossier.invocation
    state = invocation.state
    is_answered = state in DONE or state is State.SUCCEEDED
    has_answer = is_answered and (dossier.is_mine or not dossier.may_act)
    is_write = invocation.effect is not Effect.READ
    words, preview = dossier.words, invocation.preview
    answer = redact(invocation.output or {}, dossier.operation.output_schema)
    return InvocationPage(
        id=invocation.id,
        headline=inert_name(dossier.headline),
        state=standing_word(dossier),
        tool=invocation.tool_name,
        tool_url=tool_url(invocation.server, invocation.tool_name),
        server=invocation.server,
        environment=invocation.environment,
        tier=TIERS[invocation.tier],
        effect=effect_word(dossier.operation),
        agent=inert_name(dossier.name_of(invocation.agent_id)),
        on_behalf_of=dossier.requester,
        asked=at(invocation.created_at, now=dossier.at),
        changed_at=at(invocation.updated_at, now=dossier.at),
        erased=at(invocation.erased_at, now=dossier.at) if invocation.erased_at else None,
        expires=_expires(dossier),
        revision=invocation.revision,
        error=inert(invocation.error_message) if invocation.error_message else None,
        outcome=json_text(answer) if has_answer else None,
        outcome_fields=plain_fields(answer, words) if has_answer else (),
        keeps_outcome=is_answered and not has_answer,
        is_mine=dossier.is_mine,
        findings=tuple(inert(finding) for finding in invocation.findings),
        verification=_VERDICTS.get(state),
        undo=undo_of(dossier) if is_write else None,
        arguments=json_text(dict(invocation.arguments)),
        alarms=alarm_lines(invocation),
        lacking=tuple(one.told for one in invocation.lacking),
        masked=", ".join(invocation.masked),
        argument_fields=plain_fields(invocation.arguments, arguments_words(dossier.operation)),
        changes=tuple(comparison(change, words) for change in preview.preview.changes) if preview else (),
        previewed=_previewed(state),
        claims=claim_lines(invocation.claims),
        claimed_by=dossier.person_asking,
        digests=digest_lines(invocation),
        events=events,
        approval_url=f"/approvals/{invocation.id}" if invocation.question else "",
        cancel_url=f"/invocations/{invocation.id}/cancel" if dossier.is_mine and _may_be_stopped(invocation) else "",
        doubt_url=f"/doubts/{invocation.id}" if may_settle else "",
        undo_url=f"/invocations/{invocation.id}/undo" if dossier.undo.is_open and dossier.may_act else "",
        undo_until=at(dossier.undo.until, now=dossier.at) if dossier.undo.until else None,
        undo_word=undo_word(dossier.operation.reversal, is_proven=dossier.undo_proven),
        undone_by=dossier.undo.undone_by.id if dossier.undo.undone_by else "",
        undoing=state_word(dossier.undo.undone_by) if dossier.undo.undone_by else None,
        takes_back=taken_back_by(dossier),
        conflict=tuple(_conflict_line(line, words) for line in invocation.conflict),
        steps=progress_lines(invocation),
        plan_url=f"/invocations/{invocation.part.plan_id}" if invocation.part else "",
    )


def _previewed(state: State) -> str:
    if state in _UNKNOWN_YET:
        return "as previewed; whether it was done is not known"
    if state in _BEFORE_SENDING:
        return "as previewed; not carried out yet"
    return "as previewed; it was not carried out" if state in _NOTHING_CHANGED else "as previewed"


def _may_be_stopped(invocation: Invocation) -> bool:
    is_plan_under_way = invocation.state is State.SENT and bool(invocation.progress)
    return invocation.state in CANCELLABLE or (is_plan_under_way and invocation.stop_reason is None)


def invocation_line(
    invocation: Invocation, agents: Mapping[str, Principal], now: datetime, *, is_taken_back: bool
) -> InvocationLine:
    """Return one invocation as a line of the list."""
    agent = agents.get(invocation.agent_id)
    return InvocationLine(
        url=f"/invocations/{invocation.id}",
        id=invocation.id,
        tool=invocation.tool_name,
        tier=TIERS[invocation.tier],
        state=TAKEN_BACK_SINCE if is_taken_back else state_word(invocation),
        agent=inert_name(agent.display_name if agent else invocation.agent_id),
        asked=at(invocation.created_at, now=now),
    )


def _conflict_line(line: Mapping[str, str], words: FieldWords) -> ConflictLine:
    name = line["field"]
    before, committed, then = (inert(_as_read(name, line[side])) for side in ("before", "committed", "now"))
    return ConflictLine(
        target=inert(line["target"]),
        title=inert(words.called(member(name)) if name else "The record"),
        name=inert(name),
        before=before,
        committed=committed,
        now=then,
    )


def _as_read(name: str, noted: str) -> str:
    """Return a value of a conflict as people read it; one that is no plain value stands as it was noted."""
    try:
        value = literal_eval(noted)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return noted
    if value is None:
        return "nothing"
    return readable(name, value, None) or "empty text"


def _expires(dossier: Dossier) -> At | None:
    expires = dossier.invocation.expires_at
    waits = dossier.invocation.state in {State.AWAITING_APPROVAL, State.APPROVED}
    return at(expires, now=dossier.at) if expires and waits else None
