"""Overlays: an owner's changes to a document, applied in their order. Source: OpenAPI Overlay Specification 1.1.0."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, cast

from jsonpath_rfc9535 import JSONPathNode

from connectors.openapi.targets import BadTarget, selected

Json = Any
"""Any JSON value."""

_FIELDS: Final = frozenset({"target", "description", "update", "copy", "remove"})


MOST_ACTIONS: Final = 10_000
MOST_BROUGHT: Final = 1_000_000
"""Single values, objects and lists that all actions together may bring into a document."""


class BadOverlay(ValueError):
    """The overlay cannot be applied; the message says which action, and why."""


def apply_overlay(document: Mapping[str, Json], overlay: Mapping[str, Json]) -> tuple[dict[str, Json], list[str]]:
    """Return `document` as `overlay` changes it, and what of it changed nothing.

    Raises:
        BadOverlay: it is no overlay, or an action of it cannot be carried out.
    """
    version = overlay.get("overlay")
    if not isinstance(version, str) or not version.startswith(("1.0.", "1.1.")):
        raise BadOverlay("An overlay begins with overlay: 1.1.0 (or 1.0.0).")
    actions = overlay.get("actions")
    if not isinstance(actions, list) or not actions:
        raise BadOverlay("An overlay has a list of actions.")
    if len(cast("list[Json]", actions)) > MOST_ACTIONS:
        raise BadOverlay(f"An overlay has at most {MOST_ACTIONS} actions.")
    changed, findings, room = deepcopy(dict(document)), list[str](), _Room()
    for number, action in enumerate(cast("list[Json]", actions), 1):
        try:
            if _apply(changed, action, room) == 0:
                findings.append(f"Action {number} of the overlay changed nothing: {action['target']} selects nothing.")
        except (BadOverlay, BadTarget) as error:
            raise BadOverlay(f"Action {number} of the overlay: {error}") from error
    return changed, findings


def _apply(document: dict[str, Json], action: Json, room: "_Room") -> int:
    """Carry out `action`, and return how many nodes it selected."""
    known = cast("dict[str, Json]", action) if isinstance(action, dict) else {}
    if not isinstance(known.get("target"), str):
        raise BadOverlay("it has no target, which is a JSONPath expression.")
    strange = [name for name in known if name not in _FIELDS and not name.startswith("x-")]
    if strange:
        raise BadOverlay(f"it has the field {strange[0]!r}; known are {', '.join(sorted(_FIELDS))}.")
    nodes = selected(known["target"], document)
    if known.get("remove") is True:
        _remove(document, nodes)
    elif "update" in known or "copy" in known:
        value = _value(document, known)
        _refuse_mixed(nodes)
        room.take(value, len(nodes))
        for node in nodes:
            _put(document, node, _merged(node.value, deepcopy(value), at_root=True))
    return len(nodes)


@dataclass(slots=True)
class _Room:
    """How much an overlay may still bring in."""

    left: int = MOST_BROUGHT

    def take(self, value: Json, times: int) -> None:
        """Count `value`, which is brought in so many times.

        Raises:
            BadOverlay: there is no room for it.
        """
        waiting, size = [value], 0
        while waiting and size * times <= self.left:
            one = waiting.pop()
            size += 1
            if isinstance(one, dict):
                waiting += cast("dict[str, Json]", one).values()
            elif isinstance(one, list):
                waiting += cast("list[Json]", one)
        self.left -= size * times
        if self.left < 0:
            raise BadOverlay(f"with it the overlay brings in more than {MOST_BROUGHT} values.")


def _value(document: Mapping[str, Json], action: Mapping[str, Json]) -> Json:
    """Return what the action brings: its own value, or the one node that it copies."""
    if "copy" not in action:
        return action["update"]
    if "update" in action:
        raise BadOverlay("it has update and copy, and each asks for the other to be left out.")
    found = selected(action["copy"], document)
    if len(found) != 1:
        raise BadOverlay(f"{action['copy']} selects {len(found)} nodes, and a copy takes exactly one.")
    return found[0].value


def _refuse_mixed(nodes: Sequence[JSONPathNode]) -> None:
    if len({_kind(node.value) for node in nodes}) > 1:
        raise BadOverlay("its target selects nodes of several kinds; they are all objects, all lists or all plain.")


def _merged(target: Json, value: Json, *, at_root: bool = False) -> Json:
    """Return `target` with `value` merged in: objects member by member, lists joined, plain values replaced."""
    match _kind(target), _kind(value):
        case "object", "object":
            members = cast("dict[str, Json]", target)
            for name, member in cast("dict[str, Json]", value).items():
                members[name] = _merged(members[name], member) if name in members else member
            return members
        case "list", "list":
            return [*target, *value]
        case "list", _ if at_root:
            return [*target, value]
        case "plain", "plain":
            return value
        case kind, other:
            raise BadOverlay(f"it merges what is {_ARTICLES[other]} into what is {_ARTICLES[kind]}.")


_ARTICLES: Final = {"object": "an object", "list": "a list", "plain": "a plain value"}


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "object"
    return "list" if isinstance(value, list) else "plain"


def _put(document: dict[str, Json], node: JSONPathNode, value: Json) -> None:
    if not node.location:
        document.update(value)
        return
    parent: Json = document
    for step in node.location[:-1]:
        parent = parent[step]
    parent[node.location[-1]] = value


def _remove(document: dict[str, Json], nodes: Sequence[JSONPathNode]) -> None:
    # The last first, so that removing one item of a list moves none that is still to be removed.
    for location in sorted((node.location for node in nodes), key=_order, reverse=True):
        if not location:
            raise BadOverlay("it removes the whole document.")
        parent: Json = document
        try:
            for step in location[:-1]:
                parent = parent[step]
            del parent[location[-1]]
        except (KeyError, IndexError):
            continue  # it went with what it stood in


def _order(location: tuple[int | str, ...]) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (-1, step) for step in location]
