"""A question in the words of the pages, as plain text: what a message in Slack tells of it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from connectors.sdk.preview import Preview
from connectors.sdk.vocabulary import Fidelity
from hub.approvals import Choice, Question
from hub.approvals.mandates import people_of
from hub.channels.slack import Tell
from hub.channels.slack_blocks import Told
from hub.dryrun import PlanPreview, PreviewRecord, of_revision
from hub.identity.directory import get_many
from hub.identity.principals import Caller, Principal
from hub.invocations.made_before import made_before
from hub.invocations.masking import Mask, mask_for
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.registry import PublishedTool, read_current
from hub.storage import Tx, now
from hub.web.comparison import Comparison, Field, Shown, comparison
from hub.web.field_words import words_of
from hub.web.grounds import money_of
from hub.web.headlines import headline
from hub.web.inert import Inert, Kind, inert
from hub.web.moments import at
from hub.web.plan_views import state_word
from hub.web.state_words import STATES
from hub.web.wording import FIDELITIES, REVERSALS, TIERS, undo_word

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
    if record is not None and mask is not None:
        record = replace(record, preview=mask.preview(record.preview))
        invocation = replace(invocation, masked=tuple(sorted(mask.found)))
    behind = [one for vote in question.votes for one in people_of(vote)]
    about = [one for one in (invocation.agent_id, invocation.on_behalf_of_id, *behind) if one]
    people = await get_many(tx, about)
    preview, words = record.preview if record else None, words_of(tool.operation)
    facts = [*_call(invocation, tool, people), *(_effect(record, tool) if record else ()), *_terms(question)]
    moment, earlier = await now(tx), await made_before(tx, invocation)
    if earlier is not None:
        facts.append(
            ("The same call before", f"{at(earlier.created_at, now=moment).clock}: {state_word(earlier).label}")
        )
    facts.append(("Until", at(question.expires_at, now=moment).clock))
    state = STATES[invocation.state]
    return Told(
        headline=_said(headline(preview, title=tool.operation.title, system=tool.connection.name, words=words)),
        facts=tuple(facts),
        changes=tuple(_change(comparison(change, words)) for change in preview.changes) if preview else (),
        state=f"{state.label}. {state.meaning}",
        votes=tuple(_vote(_CHOSE[vote.choice], people.get(vote.voter_id)) for vote in question.votes),
        is_whole=not (invocation.alarms or earlier or isinstance(preview, PlanPreview)) and _is_seen(preview),
    )


def _is_seen(preview: Preview | None) -> bool:
    """Return whether anything is known of what would happen; else the arguments are all, and the page has them."""
    return preview is not None and preview.fidelity is not Fidelity.NONE


def _call(invocation: Invocation, tool: PublishedTool, people: dict[str, Principal]) -> Iterator[tuple[str, str]]:
    asker = _name(people.get(invocation.agent_id))
    whom = people.get(invocation.on_behalf_of_id or "")
    yield "Asked by", f"{asker} for {_name(whom)}" if whom else asker
    yield "Tool", f"{_said(invocation.tool_name)} in {_said(tool.connection.name)} ({invocation.environment})"
    yield "Risk tier", TIERS[invocation.tier].label
    if invocation.alarms:
        yield "Unusual", "\n".join(_said(one["why"]) for one in invocation.alarms)
    if invocation.masked:
        yield "Masked for you", ", ".join(map(_said, invocation.masked))


def _effect(record: PreviewRecord, tool: PublishedTool) -> Iterator[tuple[str, str]]:
    preview = record.preview
    is_blind = not _is_seen(preview) and not isinstance(preview, PlanPreview)
    rows = "not known" if is_blind else f"{preview.blast.rows} record{'' if preview.blast.rows == 1 else 's'}"
    yield "Reach", " · ".join(one for one in (rows, money_of(preview)) if one)
    yield "Preview", FIDELITIES[preview.fidelity].label
    yield "Undo", undo_word(tool.operation.reversal, is_proven=tool.undo_proven).label
    if preview.side_effects:
        told = [
            f"{_said(each.kind)} to {_said(each.recipient)} ({REVERSALS[each.reversal].label.lower()})"
            for each in preview.side_effects
        ]
        yield "Also happens", "\n".join(told)
    if preview.not_covered:
        yield "Not previewed", "\n".join(_said(line) for line in preview.not_covered)


def _terms(question: Question) -> Iterator[tuple[str, str]]:
    reasons = list(dict.fromkeys(one.why for one in question.obligations))
    yield "Why people are asked", "\n".join(_said(one) for one in reasons)


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
