"""What a message in Slack looks like: blocks made of plain text, so that nothing that others wrote is ever markup.

Source: Slack, Block Kit: 3,000 characters in a section, ten fields of 2,000, 150 in a header, fifty blocks, 2,000 in
the value of a button.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = Any
"""Any JSON value."""

APPROVE: Final = "hub_approve"
REJECT: Final = "hub_reject"
OPEN: Final = "hub_open"
VETO: Final = "hub_veto"
"""The name of the modal that asks for a reason."""
REASON: Final = "reason"

_HEADER, _SECTION, _FIELD, _MOST_FIELDS, _MOST_SECTIONS = 150, 3000, 1900, 10, 30
_LONGEST_REASON: Final = 2000
_AGAIN: Final = "This is sent again, because Slack did not say whether the first one arrived. Both ask for the same."
_CUT: Final = " … (cut: read it on the page)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told of a question: plain texts, in which every character that would not be seen is made visible."""

    headline: str
    facts: tuple[tuple[str, str], ...]
    changes: tuple[str, ...]
    state: str
    """How the call stands, in a sentence."""
    votes: tuple[str, ...] = ()
    is_whole: bool = True
    """Whether it is all that the page shows of what would happen; what is not told whole is not decided there."""

    @property
    def fits(self) -> bool:
        """Return whether a message can hold all of it; what nobody can read whole there is not decided there."""
        return (
            len(self.headline) <= _HEADER
            and len(self.facts) <= _MOST_FIELDS
            and all(len(label) + len(text) < _FIELD for label, text in self.facts)
            and len(self.changes) <= _MOST_SECTIONS
            and all(len(change) <= _SECTION for change in self.changes)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the buttons of a message are about."""

    invocation_id: str
    digest: str

    @property
    def value(self) -> str:
        """Return it as a button carries it."""
        return json.dumps({"invocation": self.invocation_id, "digest": self.digest})

    @classmethod
    def read(cls, value: str) -> "Ask | None":
        """Return what a button carried; None if it is none of ours."""
        try:
            found = json.loads(value)
            return cls(invocation_id=str(found["invocation"]), digest=str(found["digest"]))
        except (ValueError, TypeError, KeyError):
            return None


def open_blocks(told: Told, ask: Ask | None, *, link: str, note: str) -> list[Json]:
    """Return a question that waits: what would happen, the buttons if it may be decided here, and the link."""
    buttons = [_button("Open the page", OPEN, url=link)]
    if ask is not None and told.fits:
        buttons = [
            _button("Reject…", REJECT, value=ask.value),
            _button("Approve", APPROVE, value=ask.value),
            *buttons,
        ]
    elif ask is not None:
        note = f"It is too long to be shown whole here, so it is decided on its page. {note}"
    return [*_body(told), {"type": "actions", "elements": buttons}, *_notes([note])]


def shut_blocks(told: Told, *, link: str) -> list[Json]:
    """Return a question that waits no longer for this person: what it was, what became of it, and the link."""
    lines = "\n".join((told.state, *told.votes))
    return [
        _header(told.headline),
        _section(lines),
        {"type": "actions", "elements": [_button("Open the page", OPEN, url=link)]},
    ]


def notice_blocks(text: str, *, link: str) -> list[Json]:
    """Return a sentence with a link."""
    return [_section(text), {"type": "actions", "elements": [_button("Open the page", OPEN, url=link)]}]


def again_blocks() -> list[Json]:
    """Return the mark of a message that may be the second of its kind."""
    return [*_notes([_AGAIN])]


def veto_view(ask: Ask) -> Json:
    """Return the modal that asks why somebody rejects."""
    return {
        "type": "modal",
        "callback_id": VETO,
        "private_metadata": ask.value,
        "title": _plain("Reject"),
        "submit": _plain("Reject"),
        "close": _plain("Go back"),
        "blocks": [
            {
                "type": "input",
                "block_id": REASON,
                "label": _plain("Why? The reason goes back to the agent."),
                "element": {
                    "type": "plain_text_input",
                    "action_id": REASON,
                    "multiline": True,
                    "min_length": 1,
                    "max_length": _LONGEST_REASON,
                },
            }
        ],
    }


def escaped(text: str) -> str:
    """Return `text` for the line that notifications show, in which `<!channel>` would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _body(told: Told) -> Iterator[Json]:
    yield _header(told.headline)
    if told.facts:
        fields = [_plain(_cut(f"{label}\n{text}", _FIELD)) for label, text in told.facts[:_MOST_FIELDS]]
        yield {"type": "section", "fields": fields}
    for change in told.changes[:_MOST_SECTIONS]:
        yield _section(change)


def _notes(lines: Sequence[str]) -> Iterator[Json]:
    for line in lines:
        if line:
            yield {"type": "context", "elements": [_plain(_cut(line, _FIELD))]}


def _header(text: str) -> Json:
    return {"type": "header", "text": _plain(_cut(text, _HEADER))}


def _section(text: str) -> Json:
    return {"type": "section", "text": _plain(_cut(text, _SECTION))}


def _button(label: str, name: str, **more: str) -> Json:
    return {"type": "button", "text": _plain(label), "action_id": name, **more}


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text or " ", "emoji": False}


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - len(_CUT)]}{_CUT}"
