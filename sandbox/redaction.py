"""Cutting what the hub has shown a system out of what the system says, however that is spelled.

Servers write JSON as they like: some escape `/`, some `+` and `=`, some write an answer of JSON into a text of JSON. So
the spellings are looked for in what arrived, before anybody reads it: what was cut out there is in no reading of it.
"""

import base64
import contextlib
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final
from urllib.parse import quote, quote_plus

_REDACTED: Final = "[redacted]"
_SHORTEST: Final = 8
"""Characters; what is shorter stands in many a text by chance."""
_MOST_PARTS: Final = 32
"""Of one header: each is looked for in all that arrives, and some headers are made of what the system said."""
_BETWEEN: Final = re.compile(r"[\s,;]+")
_NAMED: Final = re.compile(r"[:=]+")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_ESCAPES: Final = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
"""What JSON escapes by a backslash and a letter (RFC 8259 section 7); a text within a text has more backslashes."""


class Redaction:
    """The values that must not come back from where they were shown."""

    def __init__(self, headers: Iterable[str], secrets: Iterable[str] = ()) -> None:
        """Take the values of headers, which hold secrets, and secrets as they are."""
        of_headers = (part for value in headers for part in islice(_parts(value), _MOST_PARTS))
        parts = {part for part in (*secrets, *of_headers) if len(part) >= _SHORTEST}
        self._parts = [_Part(part) for part in sorted(parts, key=len, reverse=True)]  # one may be in another

    def of(self, text: str) -> str:
        """Return `text` without the values: as they stand, in any spelling of JSON, in an address, and in both."""
        for part in self._parts:
            text = part.cut_out_of(text)
        return text


class _Part:
    """One text that nobody else may see."""

    def __init__(self, part: str) -> None:
        self._plain = {part, quote_plus(part)}
        self._part = part
        self._hints = {"\\u" if not part.isascii() else "\\u00"}
        self._hints |= {f"\\{_ESCAPES[char]}" for char in part if char in _ESCAPES}
        self._hints |= {"%"} if quote(part, safe="") != part else set()
        self._pattern: re.Pattern[str] | None = None

    def cut_out_of(self, text: str) -> str:
        for plain in self._plain:
            text = text.replace(plain, _REDACTED)
        if not any(hint in text for hint in self._hints):
            return text  # nothing of it is spelled in another way, and to look closely takes long
        if self._pattern is None:
            self._pattern = re.compile("".join(map(_any_spelling, self._part)))
        return self._pattern.sub(_REDACTED, text)


def _parts(value: str) -> Iterator[str]:
    """Yield what of a header's value nobody else may see: the value, and the secrets it is made of."""
    packed = [value, *_after_schemes(value)]
    yield from packed
    for one in packed:
        if (shown := _unpacked(one)) is not None:
            yield from (shown, *_after_names(shown))


def _after_schemes(value: str) -> Iterator[str]:
    """Yield what stands last in a header, and what follows each name in it: of `Token token=x`, `token=x` and `x`."""
    *others, last = _BETWEEN.split(value)
    yield last
    for one in (last, *others):
        yield from _after_names(one)


def _after_names(value: str) -> Iterator[str]:
    return (value[name.end() :] for name in _NAMED.finditer(value))


def _unpacked(value: str) -> str | None:
    """Return the text that base64 of either alphabet holds, None if it is none."""
    bare = value.rstrip("=").translate(_URL_SAFE)
    with contextlib.suppress(ValueError):
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
    return None


def _any_spelling(char: str) -> str:
    """Return the pattern of `char` in a text, in an address, and in JSON that holds one or the other."""
    spellings = _in_json(char)
    if (escaped := quote(char, safe="")) != char:
        first, *others = ([*_in_json(one), *_in_json(one.lower())] for one in escaped)
        rest = "".join(f"(?:{'|'.join(other)})" for other in others)
        spellings += [f"{way}{rest}" for way in first]
    if char == " ":
        spellings += _in_json("+")
    return f"(?:{'|'.join(spellings)})"


def _in_json(char: str) -> list[str]:
    """Return the patterns of `char` in JSON: as it stands, and escaped."""
    units = char.encode("utf-16-be").hex()
    digits = [f"[{digit}{digit.upper()}]" for digit in units]
    in_units = "".join(rf"\\{{1,8}}u{''.join(digits[at : at + 4])}" for at in range(0, len(digits), 4))
    short = [rf"\\{{1,8}}{re.escape(_ESCAPES[char])}"] if char in _ESCAPES else []
    return [re.escape(char), in_units, *short]
