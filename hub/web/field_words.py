"""What fields are called: by the titles of a tool's schemas, or else by their own names made readable."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from connectors.sdk.spec import OperationSpec
from hub.web.schema_parts import Schema, properties

_PARTS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^.\[]+')
_PLACE: Final = re.compile(r"\[(\d*)(\N{RIGHTWARDS ARROW}?)(\d*)\]")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MINOR: Final = "_minor"
_LONGEST_TITLE: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldWords:
    """Titles of fields by their dotted names, without the places of lists."""

    titles: Mapping[str, str] = field(default_factory=dict[str, str])

    def called(self, name: str) -> str:
        """Return what a field is called: the unit price of the second of the lines, which is new, say."""
        said, path = list[str](), list[str]()
        for part in _PARTS.findall(name):
            if part.startswith("["):
                said[-1:] = [f"{said[-1] if said else ''} {_place(part)}".strip()]
            else:
                path.append(part)
                said.append(self._title(path))
        return " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} ".join(said)

    def _title(self, path: list[str]) -> str:
        own = path[-1]
        title = self.titles.get(".".join(path)) or self.titles.get(own) or ""
        is_made_up = title == own.replace("_", " ").title()  # as libraries make them
        return _readable(own) if not title or is_made_up else title[:_LONGEST_TITLE]


def words_of(operation: OperationSpec) -> FieldWords:
    """Return what the fields are called that a tool takes and gives; a name of its own place goes before others."""
    titles = dict[str, str]()
    for schema in (operation.output_schema, operation.input_schema):
        for path, title in _titles(schema):
            titles.setdefault(path, title)
            titles.setdefault(path.rpartition(".")[2], title)
    return FieldWords(titles=titles)


def arguments_words(operation: OperationSpec) -> FieldWords:
    """Return what the arguments of a tool are called."""
    return FieldWords(titles=dict(_titles(operation.input_schema)))


def _titles(schema: Schema) -> Iterator[tuple[str, str]]:
    for path, given in properties(schema):
        title = given.get("title")
        if isinstance(title, str) and title.strip():
            yield path, title.strip()


def _readable(name: str) -> str:
    if name.startswith('"'):
        return str(json.loads(name))
    plain = name.removesuffix(_MINOR) or name
    words = _HUMP.sub(" ", plain).replace("_", " ").replace("-", " ").split()
    said = " ".join(word if word.isupper() else word.lower() for word in words)
    return f"{said[:1].upper()}{said[1:]}" or name


def _place(part: str) -> str:
    found = _PLACE.fullmatch(part)
    if found is None or not found[2]:
        return part.strip("[]")
    if not found[1]:
        return f"{found[3]} (new)"
    return f"{found[1]} (removed)" if not found[3] else f"{found[3]} (was {found[1]})"
