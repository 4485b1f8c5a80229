"""Reading documents as they are found: JSON or YAML, with keys that are texts again whatever YAML made of them."""

import json
import re
from typing import Any, Final, cast

import yaml

Json = Any
"""Any JSON value."""

LARGEST_DOCUMENT: Final = 64 * 1024 * 1024
_MOST_NODES: Final = 4_000_000
"""An alias in YAML costs a byte and may stand for a thousand nodes, each of which may be an alias again."""
_DEEPEST: Final = 400


class Unreadable(ValueError):
    """The file holds no document; the message says why."""


class _Loader(yaml.CSafeLoader):
    """YAML as OpenAPI asks for it: the types of JSON and no others. Source: OpenAPI 3.1.1 section 4.2.

    So `on`, `no` and `2024-01-01` are texts, as YAML 1.2 has them, and not a truth value or a day.
    """


_LETTERS_OF_OTHER_TYPES: Final = frozenset("yYnNoO=<")
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    if letter not in _LETTERS_OF_OTHER_TYPES
}
_Loader.yaml_implicit_resolvers["n"] = [("tag:yaml.org,2002:null", re.compile(r"^null$"))]


def read_document(content: bytes) -> dict[str, Json]:
    """Return the document that `content` holds.

    Raises:
        Unreadable: it is too large, neither JSON nor YAML, or no object.
    """
    if len(content) > LARGEST_DOCUMENT:
        raise Unreadable(f"The file is larger than {LARGEST_DOCUMENT} bytes.")
    document = _parsed(content)
    if not isinstance(document, dict):
        raise Unreadable("The file holds no object, so it is no API document.")
    return cast("dict[str, Json]", _Copying().copied(document, 0))


def _parsed(content: bytes) -> Json:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"The file is not in UTF-8: {error.reason} at byte {error.start}.") from error
    try:
        return json.loads(text)
    except RecursionError as error:
        raise Unreadable("The file is nested too deeply.") from error
    except ValueError as not_json:
        if text.lstrip().startswith("{") and "\t" in text:
            raise Unreadable(f"The file is not JSON: {not_json}.") from not_json
    try:
        return yaml.load(text, _Loader)  # noqa: S506  # a safe loader, with fewer types
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split()).replace('in "<unicode string>", ', "at ")
        raise Unreadable(f"The file is neither JSON nor YAML: {said[:300]}.") from error


class _Copying:
    """Makes plain JSON of what YAML made: keys as texts, and every part its own, to be changed alone."""

    def __init__(self) -> None:
        self._nodes = 0

    def copied(self, value: Json, depth: int) -> Json:
        self._nodes += 1
        if self._nodes > _MOST_NODES or depth > _DEEPEST:
            raise Unreadable("The document is larger or deeper than any API; do its aliases contain each other?")
        if isinstance(value, dict):
            members = cast("dict[Json, Json]", value)
            return {_key(key): self.copied(member, depth + 1) for key, member in members.items()}
        if isinstance(value, list):
            return [self.copied(item, depth + 1) for item in cast("list[Json]", value)]
        return value if value is None or isinstance(value, str | int | float) else str(value)


def _key(key: Json) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)
