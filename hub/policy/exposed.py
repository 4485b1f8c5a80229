"""What policy may see of a call's arguments: the facts a tool exposes, and which of them this call does not give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.sdk.pointer import resolve
from connectors.sdk.spec import OperationSpec
from hub.core.canonical import canonical_json

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """The facts that a call gives, and the names of those it does not give: `arguments` and `missing` of Facts."""

    values: Mapping[str, int | str | bool]
    missing: frozenset[str]


def exposed_facts(operation: OperationSpec, arguments: Mapping[str, Json]) -> Exposed:
    """Return what `operation` exposes of `arguments`; a list or an object is seen as its canonical text.

    A fraction is no fact, since no amount is one: it counts as missing, so that a rule written from the other side
    (`unless` it is there and small enough) stops it.
    """
    found = {name: resolve(arguments, pointer) for name, pointer in operation.facts.items()}
    values = {name: _fact(value) for name, value in found.items() if value is not None and not isinstance(value, float)}
    return Exposed(values=values, missing=frozenset(found.keys() - values.keys()))


def _fact(value: Json) -> int | str | bool:
    return value if isinstance(value, int | str) else canonical_json(value).decode()
