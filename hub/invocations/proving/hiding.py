"""Known texts inside other texts and bytes, however they are written there, and what is put in their places."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

_SHORTEST: Final = 3
"""Shorter texts are left alone: inside other texts they would hit anything."""
_CORE: Final = 8
"""So many characters of base64 in a row tell a text."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_STANDARD: Final = str.maketrans("-_", "+/")
_URL: Final = str.maketrans("+/", "-_")
_ALONE: Final = (0, 2, 3)
"""How many characters of base64 also hold bits of so many bytes before."""


def _escaped(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


_WAYS: Final[Sequence[Callable[[str], str]]] = (
    lambda text: text,
    _escaped,
    lambda text: quote(text, errors="surrogatepass"),
    lambda text: quote_plus(text, errors="surrogatepass"),
    lambda text: re.sub("%..", lambda one: one[0].lower(), _escaped(text)),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    escape,
    lambda text: escape(text, {'"': "&quot;", "'": "&#39;"}),
)
"""How a text stands in others: as it is, in addresses and forms, in JSON, in XML."""


class Hiding:
    """Puts made-up texts in the places of known ones; the longest first, since one may stand in another."""

    def __init__(self, made_up: Mapping[str, str]) -> None:
        known = {old: new for old, new in made_up.items() if len(old) >= _SHORTEST}
        written = {way(old): way(new) for way in reversed(_WAYS) for old, new in known.items()}
        self._pairs = sorted(written.items(), key=lambda pair: len(pair[0]), reverse=True)
        cores = (core for old in known for core in _cores(_bytes(old)))
        self._cores = frozenset(core[:_CORE] for core in cores if len(core) >= _CORE)

    def text(self, text: str) -> str:
        """Return `text` without known ones, not even in the base64 in it."""
        return _BASE64.sub(self._run, self._plainly(text))

    def content(self, content: bytes) -> bytes:
        """Return bytes in which known texts do not stand as they are."""
        for old, new in self._pairs:
            content = content.replace(_bytes(old), _bytes(new))
        return content

    def _plainly(self, text: str) -> str:
        for old, new in self._pairs:
            if old in text:
                text = text.replace(old, new)
        return text

    def _run(self, found: re.Match[str]) -> str:
        run = found[0].translate(_STANDARD)
        inner = _decoded(run)
        masked = None if inner is None else self._plainly(inner)
        if masked is not None and masked != inner:
            packed = base64.b64encode(_bytes(masked)).decode("ascii")
            packed = packed if "=" in run or len(run) % 4 == 0 else packed.rstrip("=")
            return packed.translate(_URL) if {"-", "_"} & {*found[0]} else packed
        is_known = any(run[at : at + _CORE] in self._cores for at in range(len(run) - _CORE + 1))
        return "redacted" if is_known else found[0]


def _decoded(run: str) -> str | None:
    try:
        return base64.b64decode(run.rstrip("=") + "=" * (-len(run.rstrip("=")) % 4), validate=True).decode()
    except ValueError:
        return None


def _cores(content: bytes) -> Iterator[str]:
    """Yield what base64 shows of `content` wherever it begins, whatever stands before and behind it."""
    for before, alone in enumerate(_ALONE):
        packed = base64.b64encode(bytes(before) + content).decode("ascii")
        yield packed[alone : (before + len(content)) * 8 // 6]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
