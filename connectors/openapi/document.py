"""One API document: which version it is, and where its references lead; what is wrong with it becomes a finding."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, cast
from urllib.parse import unquote

from schemas.pointers import position

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

_MOST_HOPS: Final = 30
_MOST_FINDINGS: Final = 200
METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options", "trace", "query")
HUB: Final = "x-hub"
"""Under this key an overlay holds what the owner of the connector says."""


class UnknownKind(ValueError):
    """The document is of no kind that can be imported; the message says what is."""


class Document:
    """A document and what was found wrong while reading it. Nothing is ever fetched."""

    def __init__(self, root: Mapping[str, Json]) -> None:
        """Take a document as `read_document` returns it.

        Raises:
            UnknownKind: it is neither OpenAPI 3 nor Swagger 2.
        """
        self.root: Final = dict(root)
        self.version: Final = _version(root)
        self.findings: Final = dict[str, int]()
        """What is wrong with the document, and how often it was met."""
        self._targets = dict[str, Json]()

    def note(self, finding: str) -> None:
        """Take down a defect."""
        if finding in self.findings or len(self.findings) < _MOST_FINDINGS:
            self.findings[finding] = self.findings.get(finding, 0) + 1

    def resolved(self, node: Json) -> Object:
        """Return the object that `node` is or refers to; one that leads nowhere is empty, and a finding.

        What stands beside a reference is kept: OpenAPI 3.1 says so, and in older documents authors mean it.
        """
        beside: Object = {}
        for _ in range(_MOST_HOPS):
            found = as_object(node)
            reference = found.get("$ref")
            if not isinstance(reference, str):
                return {**found, **beside} if beside else found
            beside = {**{name: member for name, member in found.items() if name != "$ref"}, **beside}
            node = self._target(reference)
        self.note("A reference leads to itself.")
        return beside

    def _target(self, reference: str) -> Json:
        if reference not in self._targets:
            self._targets[reference] = self._found(reference)
        return self._targets[reference]

    def _found(self, reference: str) -> Json:
        if reference != "#" and not reference.startswith("#/"):
            self.note(f"The reference {reference[:120]!r} leads out of the document, and nothing is fetched.")
            return {}
        found: Json = self.root
        for step in reference.split("/")[1:]:
            try:
                found = _member(found, step)
            except LookupError:
                self.note(f"The reference {reference[:120]!r} leads nowhere.")
                return {}
        return found

    def path_items(self) -> Iterator[tuple[str, Object]]:
        """Yield each path with its item."""
        for path, item in as_object(self.root.get("paths")).items():
            if path.startswith("/"):
                yield path, self._path_item(as_object(item))
            elif not path.startswith("x-"):
                self.note(f"The path {path[:120]!r} does not begin with a slash, and is read as if it did.")
                yield f"/{path}", self._path_item(as_object(item))

    def _path_item(self, item: Object) -> Object:
        """Return a path's item, or what it refers to, with what stands beside the reference said on top of it.

        What an owner says of an operation counts at its own path alone: who exposes one has not exposed another.
        """
        layers = [item]
        while isinstance(reference := layers[-1].get("$ref"), str):
            if len(layers) > _MOST_HOPS:
                self.note("A reference leads to itself.")
                break
            layers.append(as_object(self._target(reference)))
        if len(layers) == 1:
            return item
        merged: Object = {}
        for layer in reversed(layers):
            for name, said in _without(layer, "$ref").items():
                is_operation = name in METHODS
                merged[name] = self._over(merged.get(name), said, is_own=layer is item) if is_operation else said
        return merged

    def _over(self, farther: Json, said: Json, *, is_own: bool) -> Object:
        """Return an operation with what is said nearer on top; behind a reference the owner's word does not count."""
        nearer = as_object(said)
        if HUB in nearer and not is_own:
            self.note("An x-hub behind a path's reference counts for the path it stands at, and no other.")
            nearer = _without(nearer, HUB)
        return {**as_object(farther), **nearer}


def _without(members: Object, name: str) -> Object:
    return {one: member for one, member in members.items() if one != name}


def _version(root: Mapping[str, Json]) -> Literal["2.0", "3.0", "3.1"]:
    if str(root.get("swagger", "")).startswith("2"):
        return "2.0"
    said = str(root.get("openapi", ""))
    if said.startswith(("3.1", "3.2")):
        return "3.1"
    if said.startswith("3"):
        return "3.0"
    raise UnknownKind("The document does not begin with openapi: 3 or swagger: 2, so it is none that can be imported.")


def _member(value: Json, step: str) -> Json:
    names = [step.replace("~1", "/").replace("~0", "~")]
    names.append(unquote(names[0]))
    if isinstance(value, dict):
        members = cast("Object", value)
        return members[next(name for name in names if name in members)] if {*names} & {*members} else _no(step)
    if isinstance(value, list):
        items = cast("list[Json]", value)
        return _no(step) if (at := position(step, items)) is None else items[at]
    return _no(step)


def _no(step: str) -> Json:
    raise LookupError(step)


def as_object(value: Json) -> Object:
    """Return `value` if it is an object, else an empty one: what a document should hold and does not, is not there."""
    return cast("Object", value) if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """Return `value` if it is a list, else an empty one."""
    return cast("list[Json]", value) if isinstance(value, list) else []


def as_text(value: Json) -> str:
    """Return `value` if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""
