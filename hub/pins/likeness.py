"""Names that mimic others, and texts that speak of others: spelled alike, in any case, with any joint, off by a letter.

What is looked for is prepared once, so that each name and each text takes the time of its own length, however many
tools others have.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

SHORT: Final = 8
"""Names shorter than this are not compared letter by letter: too many of them differ by one."""
_FOREIGN: Final = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0455\u0456\u0458\u0501\u04cf\u051b\u051d"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0405\u0406\u0408"
    "\u03b1\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u0391\u0392\u0395\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "abekmhopctyxsijdlqwABEKMHOPCTYXSIJaikvoptuABEHIKMNOPTYX",
)
"""Letters of other alphabets that look like ours."""
_ALIKE: Final = str.maketrans({"0": "o", "1": "l", "3": "e", "5": "s", "i": "l"})
_JOINTS: Final = re.compile(r"[\W_]+")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_WORD: Final = re.compile(r"[A-Za-z0-9]+(?:[-_]+[A-Za-z0-9]+)*")
_HUMP: Final = re.compile(r"[a-z0-9][A-Z]")


class Others:
    """The tools of others by name, each with the connector that it is `of`."""

    def __init__(self, of: Mapping[str, str]) -> None:
        self.of = of
        self._bare = dict[str, list[str]]()
        self._near = dict[str, list[str]]()
        self._joined = dict[str, list[str]]()
        self._longest = max((len(_bare(name)) for name in of), default=0)
        for name in of:
            bare = _bare(name)
            self._bare.setdefault(bare, []).append(name)
            if len(bare) >= SHORT:
                for one in _shortened(bare):
                    self._near.setdefault(one, []).append(name)
            if len(joined := _joined(name)) >= SHORT:
                self._joined.setdefault(joined, []).append(name)

    def like(self, name: str, *, at_least: int) -> list[str]:
        """Return the tools that are called like `name`, if it has so many letters."""
        bare = _bare(name)
        if not at_least <= len(bare) <= self._longest + 1:
            return []
        found = {*self._bare.get(bare, ())}
        if len(bare) >= SHORT:
            near = {other for one in _shortened(bare) for other in self._near.get(one, ())}
            found |= {other for other in near if _differ_by_one(bare, _bare(other))}
        return sorted(found)

    def mentioned(self, text: str) -> list[str]:
        """Return the tools that `text` speaks of, by their names or in a word with humps or hyphens."""
        plain = _plain(text)
        words = self.of.keys() & _NAME.findall(plain.lower())
        found = {name for name in words if "_" in name or len(name) >= SHORT}
        for word in {*_WORD.findall(plain)}:
            if _JOINTS.search(word) or _HUMP.search(word):
                found.update(self._joined.get(_joined(word), ()))
        return sorted(found)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(_FOREIGN)


def _joined(name: str) -> str:
    return _JOINTS.sub("", name).lower()


def _bare(name: str) -> str:
    return _JOINTS.sub("", _plain(name)).casefold().translate(_ALIKE)


def _shortened(name: str) -> Iterator[str]:
    """Yield `name`, and it without each of its letters: names that differ by one have one of these in common."""
    yield name
    for place in range(len(name)):
        yield name[:place] + name[place + 1 :]


def _differ_by_one(one: str, other: str) -> bool:
    """Return whether one letter more, less, other, or in its neighbour's place makes one of the other.

    They are known to agree without a letter of one of them, or of each; so of two lengths they differ by one.
    """
    if len(one) != len(other):
        return True
    start = next((at for at, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]), len(one))
    swapped = one[:start] + one[start + 1 : start + 2] + one[start : start + 1] + one[start + 2 :]
    return one[start + 1 :] == other[start + 1 :] or swapped == other
