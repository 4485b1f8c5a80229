"""Whether an address is made from one of many URI templates (RFC 6570), as far as servers use them.

Templates are foreign, and so may addresses be. Where each part of a template can end is kept as one number with a bit
for each place in the address, so that a part is followed from all of its beginnings at once, and never by trying every
way to divide the address.
"""

import re
from functools import lru_cache
from typing import Final

_EXPRESSION: Final = re.compile(r"(\{[^{}]*\})")
_NOT_AT_ALL, _NOT_BEFORE_QUERY, _NOT_IN_A_PIECE = "\n", "?#", "/?#"
_NEVER: Final = {"+": _NOT_AT_ALL, "#": _NOT_AT_ALL, **dict.fromkeys("./;?&", _NOT_BEFORE_QUERY)}
"""What never stands for an expression, by its operator; without one, an expression is one piece of a path."""
_MAYBE_EMPTY: Final = frozenset("./;?&")
_MISLEADING: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\\]|%(?:25)*(?:[01][0-9a-f]|7f|2[ef]|5c)|(?<![^/:;,=?#&+])\.{1,2}(?![^/:;,?#&])", re.IGNORECASE
)
"""What a server may take for another address than it reads as: control characters, hidden separators, dots alone."""
LONGEST: Final = 2000
_MOST_EXPRESSIONS: Final = 8
"""Templates with more of them fit nothing."""


class Address:
    """An address, read once, to be compared with any number of templates."""

    def __init__(self, uri: str) -> None:
        """Read `uri`; one that is too long or misleads is made from no template."""
        self._uri = uri
        self._is_plain = len(uri) <= LONGEST and not _MISLEADING.search(uri)
        self._where = dict[str, int]()
        """For each character the places where it stands, as bits."""
        for at, character in enumerate(uri if self._is_plain else ""):
            self._where[character] = self._where.get(character, 0) | 1 << at

    def is_made_from(self, template: str) -> bool:
        """Return whether the address looks made from a URI template."""
        parts = _parts(template)
        if not self._is_plain or len(parts) // 2 > _MOST_EXPRESSIONS or not self._uri.endswith(parts[-1]):
            return False
        ends = 1
        for number, part in enumerate(parts):
            ends = self._after_expression(part, ends) if number % 2 else self._after_text(part, ends)
            if not ends:
                return False
        return bool(ends >> len(self._uri))

    def _after_text(self, text: str, starts: int) -> int:
        for character in text:
            starts = (starts & self._where.get(character, 0)) << 1
            if not starts:
                break
        return starts

    def _after_expression(self, expression: str, starts: int) -> int:
        operator = expression[1:2]
        allowed = (1 << len(self._uri)) - 1
        for character in _NEVER.get(operator, _NOT_IN_A_PIECE):
            allowed &= ~self._where.get(character, 0)
        inside = starts & allowed
        reached = (
            (allowed + inside) ^ allowed
        ) | inside  # the carry runs from each start to the end of what is allowed
        return starts | reached if operator in _MAYBE_EMPTY else (reached & allowed) << 1


@lru_cache(maxsize=8192)
def _parts(template: str) -> tuple[str, ...]:
    """Return texts and expressions in turn; it begins and ends with a text, which may be empty."""
    return tuple(_EXPRESSION.split(template))
