"""What is known of a call as what a decision about its write rests on."""

from datetime import timedelta
from typing import Final

from connectors.sdk.preview import Preview
from hub.core.money import money
from hub.dryrun import PlanPreview, PreviewRecord, TrackRecord
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.web.comparison import comparison, plain_fields
from hub.web.dossier import Known
from hub.web.field_words import arguments_words
from hub.web.inert import inert, inert_name
from hub.web.moments import at, span
from hub.web.plan_views import plan_box, state_word
from hub.web.state_words import TAKEN_BACK_SINCE
from hub.web.views.grounds import Earlier, Grounds, Guard, Reach, RuleLine, SideLine, Sureness, TakenBack, Undo
from hub.web.wording import FIDELITIES, REVERSALS, Tone, Word, undo_word

_NO_RECORD: Final = Word(label="no record yet", meaning="")
_GOOD_SHARE: Final = 0.98


def grounds_of(known: Known, record: PreviewRecord) -> Grounds:
    """Return what is known of the write, as `record` has it."""
    invocation, preview = known.invocation, record.preview
    agent = known.people.get(invocation.agent_id)
    return Grounds(
        changes=tuple(comparison(change, known.words) for change in preview.changes),
        argument_fields=plain_fields(invocation.arguments, arguments_words(known.operation)),
        side_effects=_side_effects(preview),
        reach=_reach(preview),
        sureness=_sureness(known, record),
        undo=undo_of(known),
        alarms=alarm_lines(invocation),
        masked=", ".join(invocation.masked),
        is_suspended=invocation.state is State.AWAITING_APPROVAL and agent is not None and agent.is_suspended,
        stops=tuple(one.words for one in known.stops),
        earlier=_earlier(known),
        takes_back=taken_back_by(known),
        plan=plan_box(preview.steps) if isinstance(preview, PlanPreview) else None,
    )


def _earlier(known: Known) -> Earlier | None:
    earlier = known.earlier
    if earlier is None:
        return None
    return Earlier(
        asked=at(earlier.created_at, now=known.at),
        state=TAKEN_BACK_SINCE if earlier.taken_back_by else state_word(earlier),
        url=f"/invocations/{earlier.id}" if known.may_see_earlier else "",
    )


def taken_back_by(known: Known) -> TakenBack | None:
    """Return the call that it takes back, where it is an undo."""
    original_id = known.invocation.undoes
    if original_id is None:
        return None
    return TakenBack(id=original_id, url=f"/invocations/{original_id}" if known.may_see_undone else "")


def undo_of(known: Known) -> Undo:
    """Return whether and how the write can be taken back, as its tool declares it and the contract kit has found."""
    operation = known.operation
    compensation = operation.compensation
    window = compensation.window_seconds if compensation else None
    return Undo(
        reversal=undo_word(operation.reversal, is_proven=known.undo_proven),
        tool=compensation.tool if compensation else "",
        window=span(timedelta(seconds=window)) if window else "",
        residue=tuple(inert(item) for item in operation.residue),
    )


def alarm_lines(invocation: Invocation) -> tuple[RuleLine, ...]:
    """Return which rules of policy found the call unusual, and why."""
    return tuple(RuleLine(why=inert_name(one["why"]), rule_id=one["rule"]) for one in invocation.alarms)


def money_of(preview: Preview) -> str:
    """Return the money that moves, as people write it; empty when none does."""
    blast = preview.blast
    return money(blast.money_minor, blast.currency) if blast.money_minor is not None else ""


def _reach(preview: Preview) -> Reach:
    return Reach(rows=preview.blast.rows, money=money_of(preview), parties=preview.blast.parties)


def _side_effects(preview: Preview) -> tuple[SideLine, ...]:
    return tuple(
        SideLine(kind=inert(each.kind), recipient=inert(each.recipient), reversal=REVERSALS[each.reversal])
        for each in preview.side_effects
    )


def _sureness(known: Known, record: PreviewRecord) -> Sureness:
    preview, track = record.preview, known.track
    return Sureness(
        fidelity=FIDELITIES[preview.fidelity],
        rank=preview.fidelity.rank,
        observed=at(record.observed_at, now=known.at),
        copied=None if preview.copied_at is None else at(preview.copied_at, now=known.at),
        track=_track_sentence(track),
        track_word=_track_word(track),
        not_covered=tuple(inert(line) for line in preview.not_covered),
        guards=tuple(
            Guard(target=inert_name(guard.target), is_strong=guard.strength == "strong")
            for guard in preview.preconditions
        ),
    )


def _track_sentence(track: TrackRecord) -> str:
    if track.judged == 0:
        return "No preview of this tool has been compared with what was then written."
    if track.judged == 1:
        return f"The one preview of this tool that was compared {'matched' if track.matched else 'did not match'}."
    return f"{track.matched} of the last {track.judged} previews of this tool matched what was then written."


def _track_word(track: TrackRecord) -> Word:
    if track.judged == 0:
        return _NO_RECORD
    share = track.matched / track.judged
    tone: Tone = "good" if share == 1 else "warn" if share >= _GOOD_SHARE else "bad"
    return Word(label=f"{int(share * 1000) / 10:g} % matched", meaning="", tone=tone)
