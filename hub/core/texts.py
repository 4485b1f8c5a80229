"""Texts from outside: which of them can be kept, and how much of one an error says back."""

from typing import Final

from hub.core.errors import Malformed

NULL: Final = "\x00"
LONGEST_SHOWN: Final = 64


def check_text(text: str) -> None:
    """Let a text pass that can be kept.

    Raises:
        Malformed: it holds a null character, which PostgreSQL cannot keep, or half of a surrogate pair, which has no
            UTF-8 form.
    """
    if NULL in text:
        raise Malformed(
            "A text holds a null character (U+0000), which the hub cannot keep. Leave it out; "
            "if it belongs to the data, send the data in an encoding without it, such as base64."
        )
    if not (text.isascii() or _is_unicode(text)):
        raise Malformed("A text holds half of a surrogate pair; send whole characters.")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(text: str) -> str:
    """Return `text` as an error says it back: quoted, and no more of it than any name may have."""
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")
