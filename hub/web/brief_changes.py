"""What would change, in the few words that a line of a list has room for, and which lines change the same record."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from connectors.sdk.preview import Preview
from hub.web.comparison import Shown, comparison
from hub.web.field_words import FieldWords
from hub.web.inert import Inert, inert_name
from hub.web.views.approval import BriefChange, InboxCard

_MOST: Final = 3
_LONGEST: Final = 48


def brief_changes(preview: Preview, words: FieldWords) -> tuple[tuple[BriefChange, ...], int]:
    """Return the first fields that would change, and how many others would."""
    fields = [field for change in preview.changes for field in comparison(change, words).changed]
    shown = (
        BriefChange(title=_cut(field.title), before=_brief(field.before), after=_brief(field.after))
        for field in fields[:_MOST]
    )
    return tuple(shown), max(0, len(fields) - _MOST)


def told_apart(cards: Sequence[InboxCard]) -> Iterator[InboxCard]:
    """Yield the cards; each that changes a record which one above it changes, too, says so."""
    for number, card in enumerate(cards):
        same = next((one.url for one in cards[:number] if one.records & card.records), "")
        yield replace(card, same_url=same)


def _brief(value: Shown) -> Inert:
    return inert_name(value.note) if value.text is None or value.text.is_empty else _cut(value.text)


def _cut(text: Inert) -> Inert:
    whole = "".join(piece.text for piece in text.head)
    is_cut = bool(text.rest) or len(whole) > _LONGEST
    return inert_name(f"{whole[:_LONGEST].rstrip()}\N{HORIZONTAL ELLIPSIS}" if is_cut else whole)
