"""Every page with hostile words wherever others can put words of their own."""

from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from web_gallery import Example

from hub.web.inert import Inert, inert, inert_name

DANGEROUS: Final = frozenset("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\u0000")
"""Characters that turn the line around, or hide in it."""

_MARKUP: Final = (
    "<script>window.poisoned = 1</script><img src=https://evil.test/x onerror='window.poisoned = 1'>"
    '"><svg onload="window.poisoned = 1"><b>\'</b><!--</title></textarea><style>*{color:red}</style>'
)
PROSE: Final = (
    f"{_MARKUP} `\u202egnp.exe\u202c` \u2067\u05d0\u05d1\u05d2\u2069 pay\u0440al\u200b"
    f" {'w' * 700} \u0e01{chr(0x0E49) * 40}"
)
"""For what may be of any kind: descriptions, values, reasons."""
NAME: Final = '"><script>window.poisoned=1</script>' + "w" * 90
"""For what the hub keeps to printable letters on one line, as far as that lets it be hostile."""

_OUR_OWN: Final = frozenset(
    {
        *("action", "address", "back_url", "cancel_url", "catalog_url", "approval_url", "more_url", "tool_url", "url"),
        *("clock", "csrf_token", "digest", "form_token", "here", "href", "id", "invocation_id", "iso", "kind", "label"),
        *("link_token", "meaning", "next", "relative", "second", "state", "tone", "type", "value"),
    }
)
"""Fields of views that nobody but the hub writes, and those that stand in attributes of forms."""


def poisoned(example: Example) -> Example:
    """Return `example` with every text of others replaced."""
    return replace(example, name=f"{example.name}-poisoned", page=_poisoned(example.page, ""))


def _poisoned(value: Any, name: str) -> Any:  # noqa: ANN401  # views of every kind
    if isinstance(value, Inert):
        return value if value.is_empty else (inert_name(PROSE) if _is_short(value) else inert(PROSE))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _poisoned(getattr(value, each.name), each.name) for each in fields(value)})
    if isinstance(value, tuple):
        return tuple(_poisoned(each, name) for each in value)
    if type(value) is str and value and name not in _OUR_OWN:
        return NAME
    return value


def _is_short(value: Inert) -> bool:
    return not value.rest and sum(len(piece.text) for piece in value.head) < 60  # as a name is
