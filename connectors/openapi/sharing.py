"""Small definitions: what stands in a schema twice is said once, and detail is given up where it costs much."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, cast

from connectors.openapi.document import Object
from connectors.openapi.shapes import Detail
from schemas import subschemas

Json = Any
"""Any JSON value."""

_WORTH_SHARING: Final = 80
"""A reference and its definition cost about forty characters themselves."""
INPUT_BUDGET: Final = 1400
OUTPUT_BUDGET: Final = 450
DETAILS: Final = (
    Detail(depth=0, text=0, choices=8),
    Detail(depth=1, text=50, choices=8),
    Detail(depth=1, text=90, choices=20),
    Detail(depth=2, text=0, choices=20),
    Detail(depth=2, text=90, choices=20),
    Detail(depth=3, text=120, choices=20),
    Detail(depth=4, text=160, choices=40),
)
"""From little to much. The budgets are fixed, so that a tool does not change because another one was added."""


def fullest_fit(make: Callable[[Detail], Object], budget: int) -> Object:
    """Return what `make` makes with as much detail as fits into `budget` characters, or with the least."""
    fitting = shared(make(DETAILS[0]))
    for detail in DETAILS[1:]:
        made = shared(make(detail))
        if size(made) > budget:
            break
        fitting = made
    return fitting


def size(schema: Json) -> int:
    """Return how many characters `schema` takes on the wire."""
    return len(json.dumps(schema, separators=(",", ":"), ensure_ascii=False))


def shared(schema: Object) -> Object:
    """Return `schema` with every object that stands in it more than once defined once, at the root."""
    texts = {id(part): _text(part) for _, part in subschemas(schema) if part.get("properties")}
    counts = Counter(texts[id(part)] for place, part in subschemas(schema) if place and id(part) in texts)
    common = sorted(text for text, count in counts.items() if count > 1 and len(text) >= _WORTH_SHARING)
    if not common:
        return schema
    names = {text: f"d{number}" for number, text in enumerate(common, 1)}

    def referring(value: Json, *, is_definition: bool = False) -> Json:
        if isinstance(value, list):
            return [referring(item) for item in cast("list[Json]", value)]
        if not isinstance(value, dict):
            return value
        members = cast("Object", value)
        name = names.get(texts.get(id(members), ""))
        if name is not None and not is_definition:
            return {"$ref": f"#/$defs/{name}"}
        return {keyword: referring(member) for keyword, member in members.items()}

    definitions = {names[text]: referring(_one(schema, texts, text), is_definition=True) for text in common}
    root = cast("Object", referring(schema, is_definition=True))
    return {**root, "$defs": _used(root, definitions)}


def _one(schema: Object, texts: dict[int, str], text: str) -> Json:
    return next(part for place, part in subschemas(schema) if place and texts.get(id(part)) == text)


def _used(root: Object, definitions: Object) -> Object:
    """Return the definitions that something refers to: what stands only within another is in that one."""
    used = dict[str, Json]()
    waiting = _references(root)
    while waiting:
        name = waiting.pop()
        if name not in used:
            used[name] = definitions[name]
            waiting += _references(definitions[name])
    return dict(sorted(used.items()))


def _references(schema: Object) -> list[str]:
    return [str(part["$ref"]).rpartition("/")[2] for _, part in subschemas(schema) if isinstance(part.get("$ref"), str)]


def _text(part: Json) -> str:
    return json.dumps(part, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
