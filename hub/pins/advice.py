"""What a reviewer should know of a change: texts that speak to the model, hidden ones, names that mimic others. Pure.

Nothing here refuses anything. People decide; this points at what they would not see, or not think of.
"""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final, cast

from connectors.mcp_upstream.serving import LISTED
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.vocabulary import SERVES, Effect
from hub.core.addressing import HIDDEN, addressed_anywhere
from hub.core.canonical import digest
from hub.core.texts import shown
from hub.pins.breaking import breakage
from hub.pins.likeness import SHORT, Others
from hub.registry.names import HUB_TOOLS

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
_GAP: Final = re.compile(r"(?<![^\S\n])[^\S\n]{80}|(?<!\n)\n{20}")
"""Looked for where a gap begins and nowhere within: else each short one would be read as often as it is long."""
_HIDING: Final[Mapping[str, re.Pattern[str]]] = {
    "characters that move or colour text on a terminal": re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"),
    "a comment that pages do not show": re.compile(r"<!--|\[//\]: #|<\s*(?:script|style|template)\b", re.IGNORECASE),
    "characters without any width": re.compile(r"[\u00ad\u180e\u200b\u2060-\u2064\ufeff]"),
    "characters that show nothing": re.compile(
        r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a]"
    ),
    "a gap that pushes what follows out of sight": _GAP,
    "characters that turn the direction of writing": re.compile(r"[\u202a-\u202e\u2066-\u2069]"),
    "characters that spell a text nobody sees": re.compile(r"[\U000e0020-\U000e007e]"),
}
_MOST: Final = 20
"""Things of one kind that are said of one operation; who reads of twenty looks twice anyway."""


def same_reading(one: ConnectorSpec, other: ConnectorSpec) -> bool:
    """Return whether an agent reads the same of both, and they do the same."""
    if len(one.operations) != len(other.operations) or _passport(one) != _passport(other):
        return False
    pairs = zip(one.operations, other.operations, strict=True)
    return all(a == b or a.model_dump(mode="json") == b.model_dump(mode="json") for a, b in pairs)


def _passport(spec: ConnectorSpec) -> dict[str, Json]:
    return spec.model_dump(mode="json", exclude={*_NOT_READ, "operations"})


def advice_on(before: ConnectorSpec, after: ConnectorSpec, others: Mapping[str, str]) -> tuple[Advice, ...]:
    """Return what to look at in `after`; `others` are the tools of other connectors, by name with the connector's."""
    then = {one.name: one for one in before.operations}
    now = {one.name: one for one in after.operations}
    changed = [one for one in after.operations if then.get(one.name) != one]
    found = list[Advice]()
    known = Others({**dict.fromkeys(HUB_TOOLS, "the hub itself"), **others})
    for one in changed:
        old = then.get(one.name)
        found += _on_texts(one.name, _told(one), known)
        found += islice(_on_names(one, {*_called(old)} if old else (), known), _MOST)
        found += _on_hints(old, one)
    found += _renamed(then, now)
    if before.description != after.description:
        found += _on_texts("", after.description, known)
    for name, why in breakage(before, after).items():
        found.append(Advice(operation=name, sign=Sign.BROKEN, says=why))
    return tuple(dict.fromkeys(found))


def _told(operation: OperationSpec) -> dict[str, Json]:
    """Return everything of an operation that an agent may read."""
    named = {"title": operation.title, "description": operation.description}
    schemas = {"input": dict(operation.input_schema), "output": dict(operation.output_schema)}
    beside = {"listed": operation.binding.get(LISTED), "hints": operation.binding.get("hints")}
    return {**named, **schemas, **beside, "examples": operation.examples}


def _on_texts(operation: str, told: Json, others: Others) -> Iterator[Advice]:
    for sign in addressed_anywhere(told):
        kind = Sign.HIDDEN if sign == HIDDEN else Sign.SPEAKS
        what = "hidden characters" if sign == HIDDEN else f"words to the model ({sign})"
        yield Advice(operation=operation, sign=kind, says=f"Its texts hold {what}.")
    text = " ".join(_texts(told))
    for what, pattern in _HIDING.items():
        if pattern.search(text):
            yield Advice(operation=operation, sign=Sign.HIDDEN, says=f"Its texts hold {what}.")
    for name in others.mentioned(text)[:_MOST]:
        says = f"Its texts speak of {name}, a tool of {others.of[name]}."
        yield Advice(operation=operation, sign=Sign.MENTIONS, says=says)


def _called(operation: OperationSpec) -> Iterator[tuple[str, bool]]:
    """Yield what an operation and what it lists are called; and whether that is the name of a tool."""
    yield operation.name, True
    yield str(operation.binding.get("tool", operation.name)), SERVES not in operation.binding
    yield operation.title, False
    listed = cast("Mapping[str, list[Mapping[str, Json]]]", operation.binding.get(LISTED, {}))
    for item in (item for items in listed.values() for item in items):
        yield from ((str(item[key]), False) for key in ("name", "title") if key in item)


def _on_names(operation: OperationSpec, before: Container[tuple[str, bool]], others: Others) -> Iterator[Advice]:
    for one in _called(operation):
        name, is_name = one
        for other in others.like(name, at_least=0 if is_name else SHORT) if one not in before else ():
            if name == other:
                says = f"{others.of[other]} has a tool of the same name."
            else:
                what = "Its name" if is_name else f"What it calls {shown(name)}"
                says = f"{what} looks like {other}, a tool of {others.of[other]}."
            yield Advice(operation=operation.name, sign=Sign.SHADOWS, says=says)


def _on_hints(before: OperationSpec | None, after: OperationSpec) -> Iterator[Advice]:
    if before is not None and before.effect is Effect.READ and after.effect is not Effect.READ:
        says = "It was accepted as one that only reads; the server says now that it changes something."
        yield Advice(operation=after.name, sign=Sign.WRITES, says=says)


def _renamed(then: Mapping[str, OperationSpec], now: Mapping[str, OperationSpec]) -> Iterator[Advice]:
    gone = dict[str, list[str]]()
    for name in sorted(then.keys() - now.keys()):
        gone.setdefault(_reading(then[name]), []).append(name)
    for name in sorted(now.keys() - then.keys()) if gone else ():
        for old in gone.get(_reading(now[name]), ())[:_MOST]:
            says = f"{old}, which is gone, had the same text and arguments: it may be the same tool."
            yield Advice(operation=name, sign=Sign.RENAMED, says=says)


def _reading(operation: OperationSpec) -> str:
    return digest([operation.description, dict(operation.input_schema)])


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
