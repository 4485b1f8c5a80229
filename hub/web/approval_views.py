"""A dossier as the approval page and the inbox show it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from connectors.sdk.vocabulary import Fidelity
from hub.approvals import Choice, Question, Vote, Waiting, standing
from hub.approvals.rules import asked_in, stages
from hub.dryrun import PlanPreview, PreviewRecord
from hub.invocations.aftermath import has_restored
from hub.invocations.states import State
from hub.invocations.values import Claims, Invocation
from hub.policy import REQUESTER, Obligation
from hub.web.brief_changes import brief_changes
from hub.web.catalog import tool_url
from hub.web.dossier import Dossier
from hub.web.grounds import grounds_of, money_of
from hub.web.inert import Inert, inert, inert_name
from hub.web.moments import at, span
from hub.web.plan_views import state_word
from hub.web.state_words import TAKEN_BACK_SINCE
from hub.web.tool import json_text
from hub.web.trace_words import trace_lines
from hub.web.views.approval import ApprovalPage, Claim, InboxCard, Quorum, StageLine, VoteLine
from hub.web.views.grounds import RuleLine
from hub.web.wording import TIERS, Word, effect_word

_APPROVED: Final = Word(label="approved", meaning="", tone="good")
_REJECTED: Final = Word(label="rejected", meaning="", tone="bad")
_CONFIRMED: Final = Word(label="confirmed", meaning="", tone="good")
_DECLINED: Final = Word(label="declined", meaning="", tone="bad")
_COMPLETE: Final = Word(label="complete", meaning="", tone="good")
_ASKED_NOW: Final = Word(label="asked now", meaning="", tone="warn")
_ASKED_LATER: Final = Word(label="asked later", meaning="")
_LONGEST_GIVEN: Final = 160
_CLAIMS: Final = (
    ("Purpose", "purpose"),
    ("Rationale", "rationale"),
    ("Confidence", "confidence"),
    ("Case", "case"),
    ("Run", "run"),
    ("Version", "agent_version"),
)


def approval_page(dossier: Dossier, record: PreviewRecord, question: Question) -> ApprovalPage:
    """Return the page about `question`, without the form: whether there is one depends on who looks."""
    invocation = dossier.invocation
    agent = dossier.people.get(invocation.agent_id)
    return ApprovalPage(
        invocation_id=invocation.id,
        invocation_url=f"/invocations/{invocation.id}",
        headline=inert_name(dossier.headline),
        state=standing_word(dossier),
        is_open=_is_open(dossier, question),
        is_moving=not invocation.state.is_terminal and invocation.state is not State.AWAITING_APPROVAL,
        is_over=invocation.state.is_terminal,
        agent=inert_name(dossier.name_of(invocation.agent_id)),
        agent_owner=dossier.name_of(agent.owner_id) if agent and agent.owner_id else "",
        on_behalf_of=dossier.requester,
        asked=at(invocation.created_at, now=dossier.at),
        revision=invocation.revision,
        tool=invocation.tool_name,
        tool_title=inert_name(dossier.operation.title),
        tool_url=tool_url(invocation.server, invocation.tool_name),
        tier=TIERS[invocation.tier],
        effect=effect_word(dossier.operation),
        system=inert_name(dossier.connection.name),
        environment=invocation.environment,
        grounds=grounds_of(dossier, record),
        rules=_rules(question),
        stages=tuple(_stages(question)),
        lacking=tuple(one.told for one in invocation.lacking),
        votes=tuple(vote_line(vote, dossier) for vote in question.votes),
        expires=at(question.expires_at, now=dossier.at),
        reminded=at(question.reminded_at, now=dossier.at) if question.reminded_at else None,
        escalated=at(question.escalated_at, now=dossier.at) if question.escalated_at else None,
        claims=claim_lines(invocation.claims),
        claimed_by=dossier.person_asking,
        arguments=json_text(dict(invocation.arguments)),
        digests=digest_lines(invocation),
        decision=None,
        traces=trace_lines(invocation),
    )


def standing_word(dossier: Dossier) -> Word:
    """Return where the dossier's invocation stands, an undo that has come true included."""
    undoing = dossier.undo.undone_by
    is_taken_back = undoing is not None and has_restored(undoing)
    return TAKEN_BACK_SINCE if is_taken_back else state_word(dossier.invocation)


def claim_lines(claims: Claims) -> tuple[Claim, ...]:
    """Return what the agent said of itself, to be shown apart and as its claim."""
    said = ((label, getattr(claims, name)) for label, name in _CLAIMS)
    return tuple(Claim(label=label, text=inert(text)) for label, text in said if text)


def digest_lines(invocation: Invocation) -> tuple[tuple[str, str], ...]:
    """Return the digests that bind votes, preview and call to each other."""
    preview = invocation.preview.digest if invocation.preview else None
    lines = (
        ("Approval", invocation.approval_digest),
        ("Preview", preview),
        ("Intent", invocation.intent_digest),
        ("Tool version", invocation.tool_version_digest),
        ("Policy", invocation.policy_digest),
    )
    return tuple((label, value) for label, value in lines if value)


def vote_line(vote: Vote, dossier: Dossier) -> VoteLine:
    """Return one vote with the voter's name."""
    words = (_CONFIRMED, _DECLINED) if REQUESTER in vote.groups else (_APPROVED, _REJECTED)
    return VoteLine(
        voter=dossier.name_of(vote.voter_id),
        groups=tuple(sorted(vote.groups - {REQUESTER})),
        decision=words[0] if vote.choice is Choice.APPROVE else words[1],
        reason=inert(vote.reason) if vote.reason else None,
        at=at(vote.cast_at, now=dossier.at),
        in_place_of=dossier.name_of(vote.for_id) if vote.for_id else "",
        is_carried=vote.carried_from is not None,
    )


def _rules(question: Question) -> tuple[RuleLine, ...]:
    unique = {one.rule_id: one for one in question.obligations}
    return tuple(RuleLine(why=inert_name(one.why), rule_id=one.rule_id) for one in unique.values())


def _stages(question: Question) -> Iterator[StageLine]:
    """Yield the stages, each with what everybody asked in it still has to give."""
    in_favour = [vote for vote in question.votes if vote.choice is Choice.APPROVE]
    reached = standing(question.obligations, in_favour)
    for stage in stages(question.obligations):
        asked = asked_in(question.obligations, stage)
        if not isinstance(reached, Waiting) or stage < reached.stage:
            yield StageLine(number=stage, word=_COMPLETE, quorums=tuple(_quorums(asked, {})))
        elif stage == reached.stage:
            yield StageLine(number=stage, word=_ASKED_NOW, quorums=tuple(_quorums(asked, reached.missing)))
        else:
            nobody_yet = {one.group: one.count for one in asked}
            yield StageLine(number=stage, word=_ASKED_LATER, quorums=tuple(_quorums(asked, nobody_yet)))


def _quorums(asked: Sequence[Obligation], missing: Mapping[str, int]) -> Iterator[Quorum]:
    """Yield what each still has to give; who is in two groups fills one seat, as the rules of approval say."""
    for one in asked:
        yield Quorum(group=one.whom, needed=one.count, given=one.count - missing.get(one.group, 0), fresh=_fresh(one))


def _progress(question: Question) -> str:
    """Return in one line what is asked now."""
    lines = list(_stages(question))
    now = next((line for line in lines if line.word is _ASKED_NOW), lines[-1])
    said = " · ".join(f"{each.group}: {each.given} of {each.needed}" for each in now.quorums)
    return f"stage {lines.index(now) + 1} of {len(lines)} · {said}" if len(lines) > 1 else said


def _fresh(one: Obligation) -> str:
    if one.fresh_seconds is None:
        return ""
    return f"each with a login younger than {span(timedelta(seconds=one.fresh_seconds))}"


def _is_open(dossier: Dossier, question: Question) -> bool:
    is_asked = dossier.invocation.state is State.AWAITING_APPROVAL
    return is_asked and question.is_open and question.expires_at > dossier.at


def inbox_card(dossier: Dossier) -> InboxCard | None:
    """Return an open question as a line of the inbox; None if it has been closed meanwhile."""
    invocation = dossier.invocation
    question, record = invocation.question, invocation.preview
    if question is None or record is None or not question.is_open:
        return None
    agent = dossier.people.get(invocation.agent_id)
    changes, more = brief_changes(record.preview, dossier.words)
    return InboxCard(
        url=f"/approvals/{invocation.id}",
        headline=inert_name(dossier.headline),
        agent=inert_name(dossier.name_of(invocation.agent_id)),
        is_suspended=agent is not None and agent.is_suspended,
        on_behalf_of=dossier.requester,
        tool=invocation.tool_name,
        tier=TIERS[invocation.tier],
        expires=at(question.expires_at, now=dossier.at),
        progress=_progress(question),
        money=money_of(record.preview),
        given=None if record.preview.changes else _given(dossier),
        environment=invocation.environment,
        changes=changes,
        more_changes=more,
        records=frozenset((dossier.connection.id, one.target) for one in record.preview.changes if one.before),
        is_blind=record.preview.fidelity is Fidelity.NONE and not isinstance(record.preview, PlanPreview),
    )


def _given(dossier: Dossier) -> Inert:
    given = dossier.invocation.arguments.items()
    told = ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in given)
    return inert_name(told if len(told) <= _LONGEST_GIVEN else f"{told[:_LONGEST_GIVEN]}\N{HORIZONTAL ELLIPSIS}")
