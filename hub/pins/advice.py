"""What a reviewer should know of a change: texts that speak to the model, hidden ones, names that mimic others. Pure.

Nothing here refuses anything. People decide; this points at what they would not see, or not think of.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from connectors.mcp_upstream.serving import LISTED
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.vocabulary import Effect
from hub.core.addressing import HIDDEN, addressed_in
from hub.pins.breaking import breakage

Json = Any
"""Any JSON value."""


class Sign(StrEnum):
    """Why somebody should look twice."""

    SPEAKS = "speaks"
    """A text speaks to the model that reads it."""
    HIDDEN = "hidden"
    """It holds what people do not see."""
    SHADOWS = "shadows"
    """It has the name of another connector's tool, or one that looks like it."""
    MENTIONS = "mentions"
    """Its text speaks of another connector's tool."""
    RENAMED = "renamed"
    """A tool that is gone had the very same text and arguments."""
    WRITES = "writes"
    """The server says now that it changes something; it was accepted as one that only reads."""
    BROKEN = "broken"
    """What was accepted does not work any more, and is held back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing to look at, of one operation, in a sentence."""

    operation: str
    sign: Sign
    says: str

    def as_json(self) -> dict[str, str]:
        """Return it as JSON."""
        return {"operation": self.operation, "sign": self.sign.value, "says": self.says}

    @classmethod
    def from_json(cls, stored: Mapping[str, str]) -> "Advice":
        """Return what `as_json` made JSON of."""
        return cls(operation=stored["operation"], sign=Sign(stored["sign"]), says=stored["says"])


_NOT_READ: Final = {"artefact_digest", "version", "entry", "spec_version"}
"""Of a spec, what is ours: a newer hub makes the same of the same words."""
_HIDING: Final[Mapping[str, re.Pattern[str]]] = {
    "characters that move or colour text on a terminal": re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"),
    "a comment that pages do not show": re.compile(r"<!--|\[//\]: #|<\s*(?:script|style|template)\b", re.IGNORECASE),
    "characters without any width": re.compile(r"[\u00ad\u180e\u200b\u2060-\u2064\ufeff]"),
    "characters that show nothing": re.compile(
        r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a]"
    ),
    "a gap that pushes what follows out of sight": re.compile(r"[^\S\n]{80,}|\n{20,}"),
    "characters that turn the direction of writing": re.compile(r"[\u202a-\u202e\u2066-\u2069]"),
    "characters that spell a text nobody sees": re.compile(r"[\U000e0020-\U000e007e]"),
}
_ALIKE: Final = str.maketrans({"0": "o", "1": "l", "3": "e", "5": "s", "i": "l", "_": None})
_SHORT: Final = 8
"""Names shorter than this are not compared letter by letter: too many of them differ by one."""


def same_reading(one: ConnectorSpec, other: ConnectorSpec) -> bool:
    """Return whether an agent reads the same of both, and they do the same."""
    return one.model_dump(mode="json", exclude=_NOT_READ) == other.model_dump(mode="json", exclude=_NOT_READ)


def advice_on(before: ConnectorSpec, after: ConnectorSpec, others: Mapping[str, str]) -> tuple[Advice, ...]:
    """Return what to look at in `after`; `others` are the tools of other connectors, by name with the connector's."""
    then = {one.name: one for one in before.operations}
    now = {one.name: one for one in after.operations}
    changed = [one for one in after.operations if then.get(one.name) != one]
    found = list[Advice]()
    for one in changed:
        found += _on_texts(one, others)
        found += _on_name(one, others) if one.name not in then else ()
        found += _on_hints(then.get(one.name), one)
    found += _renamed(then, now)
    if before.description != after.description:
        found += _of_text("", after.description)
    for name, why in breakage(before, after).items():
        found.append(Advice(operation=name, sign=Sign.BROKEN, says=why))
    return tuple(found)


def _told(operation: OperationSpec) -> dict[str, Json]:
    """Return everything of an operation that an agent may read."""
    named = {"title": operation.title, "description": operation.description}
    schemas = {"input": dict(operation.input_schema), "output": dict(operation.output_schema)}
    return {**named, **schemas, "listed": operation.binding.get(LISTED), "hints": operation.binding.get("hints")}


def _on_texts(operation: OperationSpec, others: Mapping[str, str]) -> Iterator[Advice]:
    told = _told(operation)
    for sign in addressed_in(told):
        kind = Sign.HIDDEN if sign == HIDDEN else Sign.SPEAKS
        what = "hidden characters" if sign == HIDDEN else f"words to the model ({sign})"
        yield Advice(operation=operation.name, sign=kind, says=f"Its texts hold {what}.")
    text = " ".join(_texts(told))
    for what, pattern in _HIDING.items():
        if pattern.search(text):
            yield Advice(operation=operation.name, sign=Sign.HIDDEN, says=f"Its texts hold {what}.")
    words = {*re.findall(r"[a-z][a-z0-9_]*", text.lower())}
    for name in sorted(words & others.keys()):
        if "_" in name or len(name) >= _SHORT:
            says = f"Its texts speak of {name}, a tool of {others[name]}."
            yield Advice(operation=operation.name, sign=Sign.MENTIONS, says=says)


def _of_text(operation: str, text: str) -> Iterator[Advice]:
    for sign in addressed_in([text]):
        says = f"What the server says of itself holds words to the model ({sign})."
        yield Advice(operation=operation, sign=Sign.HIDDEN if sign == HIDDEN else Sign.SPEAKS, says=says)


def _on_name(operation: OperationSpec, others: Mapping[str, str]) -> Iterator[Advice]:
    for other, connector in others.items():
        if operation.name == other:
            says = f"{connector} has a tool of the same name."
        elif _look_alike(operation.name, other):
            says = f"Its name looks like {other}, a tool of {connector}."
        else:
            continue
        yield Advice(operation=operation.name, sign=Sign.SHADOWS, says=says)


def _on_hints(before: OperationSpec | None, after: OperationSpec) -> Iterator[Advice]:
    if before is not None and before.effect is Effect.READ and after.effect is not Effect.READ:
        says = "It was accepted as one that only reads; the server says now that it changes something."
        yield Advice(operation=after.name, sign=Sign.WRITES, says=says)


def _renamed(then: Mapping[str, OperationSpec], now: Mapping[str, OperationSpec]) -> Iterator[Advice]:
    gone = [then[name] for name in sorted(then.keys() - now.keys())]
    for name in sorted(now.keys() - then.keys()):
        new = now[name]
        for old in gone:
            if (old.description, old.input_schema) == (new.description, new.input_schema):
                says = f"{old.name}, which is gone, had the same text and arguments: it may be the same tool."
                yield Advice(operation=name, sign=Sign.RENAMED, says=says)


def _look_alike(one: str, other: str) -> bool:
    bare, others = (unicodedata.normalize("NFKC", name).casefold().translate(_ALIKE) for name in (one, other))
    return bare == others or (min(len(bare), len(others)) >= _SHORT and _differ_by_one(bare, others))


def _differ_by_one(one: str, other: str) -> bool:
    """Return whether one letter more, less, other, or in its neighbour's place makes one of the other."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1:
        return False
    start = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))
    if len(one) < len(other):
        return one[start:] == other[start + 1 :]
    swapped = one[:start] + one[start + 1 : start + 2] + one[start : start + 1] + one[start + 2 :]
    return one[start + 1 :] == other[start + 1 :] or swapped == other


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, member in cast("Mapping[str, Json]", value).items():
            yield name
            yield from _texts(member)
    elif isinstance(value, list | tuple):
        for item in cast("list[Json]", value):
            yield from _texts(item)
