"""A question in the words of the pages, as plain text: what a message in Slack tells of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from hub.approvals import Choice, Question
from hub.approvals.mandates import people_of
from hub.channels.slack import Tell
from hub.channels.slack_blocks import Told
from hub.dryrun import PreviewRecord, of_revision, track_record
from hub.identity.directory import get_many
from hub.identity.principals import Caller, Principal
from hub.invocations.made_before import made_before
from hub.invocations.masking import Mask, mask_for
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.registry import read_current
from hub.storage import Tx, now
from hub.web.comparison import Comparison, Field, Shown, Veil, compare_records
from hub.web.dossier import Known
from hub.web.field_words import arguments_words
from hub.web.grounds import grounds_of
from hub.web.inert import Inert, Kind, inert
from hub.web.moments import at
from hub.web.state_words import STATES
from hub.web.views.grounds import Grounds, Reach, Sureness, Undo
from hub.web.wording import TIERS

_GIVEN: Final = "What it would be given"
_UNCHANGING: Final = "The preview shows no change to any record. Look at the arguments and the side effects."
_CHOSE: Final = {Choice.APPROVE: "approved", Choice.REJECT: "rejected"}


def telling(runtime: Runtime) -> Tell:
    """Return what puts questions of this hub into words; what pages hide from a person is hidden here too."""

    async def tell(tx: Tx, person: Principal, invocation: Invocation, question: Question) -> Told:
        mask = await mask_for(Caller(actor=person), invocation, runtime)
        return await _told(tx, invocation, question, mask)

    return tell


async def _told(tx: Tx, invocation: Invocation, question: Question, mask: Mask | None) -> Told:
    tool = await read_current(
        tx, invocation.tool_version_id, invocation.connection_id, server=invocation.server, name=invocation.tool_name
    )
    record = await of_revision(tx, invocation.id, question.revision)
    invocation = _seen(replace(invocation, preview=record), mask)
    behind = [one for vote in question.votes for one in people_of(vote)]
    about = [one for one in (invocation.agent_id, invocation.on_behalf_of_id, *behind) if one]
    known = Known(
        invocation=invocation,
        operation=tool.operation,
        connection=tool.connection,
        track=await track_record(tx, invocation.tool_id),
        people=await get_many(tx, about),
        undo_proven=tool.undo_proven,
        at=await now(tx),
        earlier=await made_before(tx, invocation),
    )
    effect = _effect(known, invocation.preview) if invocation.preview else _UNKNOWN
    state = STATES[invocation.state]
    until = ("Until", at(question.expires_at, now=known.at).clock)
    return Told(
        headline=_said(known.headline),
        facts=(*_call(known), *effect.facts, *_terms(question), until),
        changes=effect.changes,
        state=f"{state.label}. {state.meaning}",
        votes=tuple(_vote(_CHOSE[vote.choice], known.people.get(vote.voter_id)) for vote in question.votes),
        is_whole=effect.is_whole,
    )


def _seen(invocation: Invocation, mask: Mask | None) -> Invocation:
    """Return the call with markers for what the reader may not see, and which classes those hide."""
    if mask is None:
        return invocation
    record = invocation.preview and mask.record(invocation.preview)
    shown = replace(invocation, preview=record, arguments=mask.arguments(invocation.arguments))
    return replace(shown, masked=tuple(sorted(mask.found)))


@dataclass(frozen=True, slots=True, kw_only=True)
class InWords:
    """What would happen, and whether that is all that the page shows of it."""

    facts: tuple[tuple[str, str], ...] = ()
    changes: tuple[str, ...] = ()
    is_whole: bool


_UNKNOWN: Final = InWords(is_whole=False)


def _effect(known: Known, record: PreviewRecord) -> InWords:
    """Return what a decision about the call rests on; what pages hide of a record goes nowhere as an argument."""
    sensitive = [one for each in record.preview.changes for one in each.sensitive]
    given, words = known.invocation.arguments, arguments_words(known.operation)
    arguments = compare_records(given, given, Veil(sensitive=tuple(sensitive)), words)
    return in_words(grounds_of(known, record), tuple(arguments))


def in_words(grounds: Grounds, arguments: tuple[Field, ...]) -> InWords:
    """Return grounds as a message tells them, with the arguments as they may leave the hub.

    What speaks against a write is weighed on its page, and so are the steps of a plan and what nobody knows.
    """
    changes = [_change(one) for one in grounds.changes]
    if not (changes or grounds.plan or grounds.is_blind):
        changes = [_UNCHANGING]
    if arguments:
        changes.append("\n".join((_GIVEN, *(line for one in arguments for line in _argument(one)))))
    is_spoken_against = grounds.is_suspended or grounds.alarms or grounds.earlier
    is_for_its_page = is_spoken_against or grounds.plan or grounds.is_blind
    return InWords(
        facts=tuple(_facts(grounds)),
        changes=tuple(changes),
        is_whole=not is_for_its_page and arguments == grounds.argument_fields,
    )


def _call(known: Known) -> Iterator[tuple[str, str]]:
    invocation = known.invocation
    asker = _name(known.people.get(invocation.agent_id))
    whom = known.people.get(invocation.on_behalf_of_id or "")
    yield "Asked by", f"{asker} for {_name(whom)}" if whom else asker
    yield "Tool", f"{_said(invocation.tool_name)} in {_said(known.connection.name)} ({invocation.environment})"
    yield "Risk tier", TIERS[invocation.tier].label


def _facts(grounds: Grounds) -> Iterator[tuple[str, str]]:
    if grounds.alarms:
        yield "Unusual", "\n".join(_plain(one.why) for one in grounds.alarms)
    if grounds.masked:
        yield "Masked for you", _said(grounds.masked)
    yield "Reach", "not known" if grounds.is_blind else " · ".join(_reach(grounds.reach))
    yield "Preview", "\n".join(_sureness(grounds.sureness))
    yield "Undo", "\n".join(_undo(grounds.undo))
    if grounds.side_effects:
        told = [
            f"{_plain(each.kind)} to {_plain(each.recipient)} ({each.reversal.label.lower()})"
            for each in grounds.side_effects
        ]
        yield "Also happens", "\n".join(told)
    if grounds.sureness.not_covered:
        yield "Not previewed", "\n".join(map(_plain, grounds.sureness.not_covered))
    if grounds.earlier:
        yield "The same call before", f"{grounds.earlier.asked.clock}: {grounds.earlier.state.label}"


def _reach(reach: Reach) -> Iterator[str]:
    yield f"{reach.rows:,} {'record' if reach.rows == 1 else 'records'}"
    if reach.parties:
        yield f"{reach.parties:,} {'party' if reach.parties == 1 else 'parties'} concerned"
    if reach.money:
        yield reach.money


def _sureness(sureness: Sureness) -> Iterator[str]:
    yield f"{sureness.fidelity.label}, seen {sureness.observed.clock}"
    if sureness.copied:
        yield f"The copy was made {sureness.copied.clock}."
    yield sureness.track
    for guard in sureness.guards:
        checks = "the system itself checks this" if guard.is_strong else "the hub checks this just before the write"
        yield f"Must be unchanged: {_plain(guard.target)} ({checks})"
    if not sureness.guards:
        yield "Nothing is guarded: a change made meanwhile would not be noticed."


def _undo(undo: Undo) -> Iterator[str]:
    yield undo.reversal.label
    if undo.tool:
        yield f"by {_said(undo.tool)}{f' within {undo.window}' if undo.window else ''}"
    for line in undo.residue:
        yield f"What stays behind even then: {_plain(line)}"


def _terms(question: Question) -> Iterator[tuple[str, str]]:
    reasons = list(dict.fromkeys(one.why for one in question.obligations))
    yield "Why people are asked", "\n".join(_said(one) for one in reasons)


def _argument(field: Field) -> Iterator[str]:
    """Yield two lines, which begin with what no value can begin a line with."""
    yield f"\N{BULLET} {_plain(field.title)} [{_plain(field.name)}]"
    yield f"    {_value(field.after)}"


def _change(change: Comparison) -> str:
    lines = [_plain(change.target), *(line for field in change.changed for line in _lines(field))]
    return "\n".join(lines)


def _lines(field: Field) -> Iterator[str]:
    """Yield three lines, which begin with what no value can begin a line with."""
    yield f"\N{BULLET} {_plain(field.title)} [{_plain(field.name)}]"
    yield f"    before: {_value(field.before)}"
    yield f"    after: {_value(field.after)}"


def _value(shown: Shown) -> str:
    text = "" if shown.text is None else _plain(shown.text)
    return " ".join(part for part in (text, f"({shown.note})" if shown.note else "") if part)


def _vote(chose: str, voter: Principal | None) -> str:
    return f"{_name(voter)} {chose} it."


def _name(principal: Principal | None) -> str:
    return "somebody" if principal is None else _said(principal.display_name)


def _said(text: str) -> str:
    return _plain(inert(text))


def _plain(text: Inert) -> str:
    """Return all of `text` on one line, with the code points of what would not be seen, and what warns of it."""
    pieces = (f"[{one.text}]" if one.kind is Kind.MARK else one.text for one in (*text.head, *text.rest))
    shown = "".join(pieces).replace("\n", " \N{RETURN SYMBOL} ")
    return f"{shown} ({text.warning})" if text.warning else shown
