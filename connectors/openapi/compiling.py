"""From a document and its owner's overlay to a connector: every operation becomes a tool or a refusal with its reason.

Pure, and never gated on the document's validity: what is wrong with it becomes a finding. Nothing is published that the
owner has not exposed.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from connectors.openapi.combining import Entangled
from connectors.openapi.document import Document, as_object, as_text
from connectors.openapi.drafting import Draft, Drafting
from connectors.openapi.extension import BadWord, without_owners_words
from connectors.openapi.finishing import ImportedTool, Unfit, finished
from connectors.openapi.operations import Operation, operations_of, server_urls
from connectors.openapi.overlay import apply_overlay
from connectors.openapi.placing import Misplaced, base_of
from connectors.openapi.security import auth_of
from connectors.sdk.artefact import artefact_digest
from connectors.sdk.names import normalised
from connectors.sdk.spec import ConnectorSpec, OperationSpec, RefusalRule, SafeRule
from connectors.sdk.templates import is_narrower, overlaps
from connectors.sdk.vocabulary import Effect
from connectors.sdk.wire import is_reserved

Json = Any
"""Any JSON value."""

ENTRY: Final = "connectors.openapi:carry_out"
_LONGEST_NAME: Final = 48
_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_USUAL_HEADERS: Final = frozenset(
    {"accept", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "idempotency-key", "prefer"}
    | {"range", "accept-language", "content-type"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Importing:
    """What the connector is called; without a version it has that of the document, if that is one of three numbers."""

    name: str
    version: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An operation that cannot be a tool, and why."""

    operation: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """What came of a document. `spec` holds the exposed tools alone; `findings` say how often each was met."""

    spec: ConnectorSpec
    tools: tuple[ImportedTool, ...]
    refusals: tuple[Refusal, ...]
    findings: Mapping[str, int]
    base_url: str

    @property
    def operations(self) -> int:
        """Return how many operations the document has."""
        return len(self.tools) + len(self.refusals)


Progress = Callable[[int, int], None]


def compile_document(
    root: Mapping[str, Json],
    importing: Importing,
    *,
    overlays: Sequence[Mapping[str, Json]] = (),
    progress: Progress | None = None,
) -> Compilation:
    """Return the connector that `root` describes, as `overlays` change it; `progress` hears how many are done of all.

    Raises:
        UnknownKind: it is no API document.
        BadOverlay: an overlay cannot be applied.
        ValueError: what the owner says contradicts itself.
    """
    plain, removed = without_owners_words(root)
    unused = list[str]()
    for overlay in overlays:
        plain, found = apply_overlay(plain, overlay)
        unused += found
    document = Document(plain)
    for finding in unused:
        document.note(finding)
    if removed:
        document.note("The document itself says x-hub; only an owner's overlay may.")
    return _Compiling(document, importing, progress or _quiet).done()


@cache
def _artefact() -> str:
    return artefact_digest("connectors.openapi")  # these files do not change while they run


def _quiet(done: int, of_all: int) -> None:
    del done, of_all


class _Compiling:
    def __init__(self, document: Document, importing: Importing, progress: Progress) -> None:
        self._document = document
        self._importing = importing
        self._progress = progress
        self._operations = [*operations_of(document)]
        self._base = base_of(self._operations, server_urls(document, document.root))
        self._refused = dict[str, str]()

    def done(self) -> Compilation:
        drafts = self._drafts()
        tools = dict[str, ImportedTool]()
        for draft in drafts:
            try:
                tools[draft.operation.key] = finished(draft, drafts)
            except (Unfit, ValidationError) as error:
                self._refused[draft.operation.key] = _sentence(error)
        exposed = [draft for draft in drafts if draft.operation.key in tools and draft.word.expose]
        return Compilation(
            spec=self._spec(exposed, drafts, tools),
            tools=tuple(tools.values()),
            refusals=tuple(Refusal(operation=key, reason=self._refused[key]) for key in self._refused),
            findings=self._document.findings,
            base_url=self._base.url,
        )

    def _drafts(self) -> list[Draft]:
        drafting = Drafting(self._document, self._base)
        names = _names(self._operations)
        drafts = list[Draft]()
        for number, operation in enumerate(self._operations, 1):
            try:
                drafts.append(drafting.draft(operation, names[operation.key]))
            except (Misplaced, BadWord, Entangled) as error:
                self._refused[operation.key] = str(error)
            self._progress(number, len(self._operations))
        return drafts

    def _spec(self, exposed: list[Draft], drafts: list[Draft], tools: Mapping[str, ImportedTool]) -> ConnectorSpec:
        operations = tuple(tools[draft.operation.key].spec for draft in exposed)
        scopes = {scope for draft in exposed for scope in _scopes(draft)}
        info = as_object(self._document.root.get("info"))
        title = self._importing.title or as_text(info.get("title"))
        said = as_text(info.get("version"))
        return ConnectorSpec(
            name=self._importing.name,
            version=self._importing.version or (said if _VERSION.fullmatch(said) else "1.0.0"),
            title=title[:120] or self._importing.name,
            description=f"{len(operations)} of {len(self._operations)} operations of an API.",
            entry=ENTRY,
            runs="direct",
            artefact_digest=_artefact(),
            auth=auth_of(self._document, sorted(scopes)),
            safe=tuple(_safe_rules(operations, _not_reads(drafts, tools))),
            refusals=tuple(_refusal_rules(operations)),
            headers=tuple(sorted(_headers(operations))),
            operations=operations,
        )


def _names(operations: Sequence[Operation]) -> dict[str, str]:
    """Return a name for each operation: its operationId where that is one and short enough, else method and path."""
    times = Counter(operation.operation_id for operation in operations)
    ids = {one.operation_id: one.key for one in operations if one.operation_id and times[one.operation_id] == 1}
    long = {theirs for theirs, ours in normalised([*ids]).items() if len(theirs) > _LONGEST_NAME and ours[-9:-8] == "_"}
    wanted = {key: theirs for theirs, key in ids.items() if theirs not in long or len(key) > _LONGEST_NAME}
    chosen = {one.key: wanted.get(one.key, one.key) for one in operations}
    names = normalised([*chosen.values()])
    return {key: names[theirs] for key, theirs in chosen.items()}


def _scopes(draft: Draft) -> tuple[str, ...]:
    return draft.operation.scopes if draft.word.scopes is None else draft.word.scopes


def _requests(operation: OperationSpec) -> Iterator[Mapping[str, Json]]:
    """Yield the bindings of all that `operation` may send: itself, and the read that previews it."""
    yield operation.binding
    if "preview" in operation.binding:
        yield operation.binding["preview"]["request"]
        if "trial" in operation.binding["preview"]:
            yield operation.binding["preview"]["trial"]["look"]["request"]


def _safe_rules(operations: Sequence[OperationSpec], others: Sequence[tuple[str, str]]) -> Iterator[SafeRule]:
    """Yield what may be sent outside a commit: exactly the reads, and the trial runs that say so in their query."""
    said = set[tuple[str, str]]()
    for operation in operations:
        for binding in _requests(operation):
            method, path = str(binding["method"]), str(binding["path"])
            if (binding is operation.binding and operation.effect is not Effect.READ) or (method, path) in said:
                continue
            said.add((method, path))
            yield SafeRule.model_validate(
                {"method": method, "template": path, "besides": _besides(method, path, others)}
            )
    for operation in operations:
        if "dry_run" in operation.binding:
            binding = operation.binding
            yield SafeRule(
                method=binding["method"],
                template=binding["path"],
                query={binding["dry_run"]: "true"},
                preview_only=True,
            )

    yield from _trial_rules(operations)


def _trial_rules(operations: Sequence[OperationSpec]) -> Iterator[SafeRule]:
    """Yield what previews may send to drafts of their own: each is opened before it is written to and removed."""
    said = set[tuple[str, str]]()
    for operation in operations:
        trial = operation.binding.get("preview", {}).get("trial", {})
        for name in ("open", "write", "close") if trial else ():
            method, path = trial[name]["request"]["method"], trial[name]["request"]["path"]
            if (method, path) not in said:
                said.add((method, path))
                more = {"opens": trial["opened"]} if name == "open" else {"opened": True}
                yield SafeRule.model_validate({"method": method, "template": path, "preview_only": True, **more})


def _refusal_rules(operations: Sequence[OperationSpec]) -> Iterator[RefusalRule]:
    for operation in operations:
        empty = operation.binding.get("guard", {}).get("empty")
        if empty is not None:
            yield RefusalRule(method=operation.binding["method"], template=operation.binding["path"], empty=empty)


def _besides(method: str, path: str, others: Sequence[tuple[str, str]]) -> list[str]:
    """Return the paths of what is no read and might be meant by a request to `path` too."""
    alike = (other for by, other in others if by == method and other != path and overlaps(path, other))
    return sorted({other for other in alike if not is_narrower(path, other)})


def _not_reads(drafts: Sequence[Draft], tools: Mapping[str, ImportedTool]) -> list[tuple[str, str]]:
    """Return method and path of whatever is not known to be a read, refused operations included."""
    reads = {key for key, tool in tools.items() if tool.spec.effect is Effect.READ}
    return [(draft.operation.method, draft.place.path) for draft in drafts if draft.operation.key not in reads]


def _headers(operations: Sequence[OperationSpec]) -> Iterator[str]:
    for operation in operations:
        for binding in _requests(operation):
            in_headers = (one["name"].lower() for one in binding["parameters"] if one["in"] == "header")
            cookies = ("cookie" for one in binding["parameters"] if one["in"] == "cookie")
            guard = binding.get("guard", {})
            more = (guard["name"] if guard.get("in") == "header" else "", binding.get("key_header", ""))
            for name in {*in_headers, *cookies, *binding["headers"], *more} - _USUAL_HEADERS:
                if name and not is_reserved(name):
                    yield name


def _sentence(error: Unfit | ValidationError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors(include_url=False))[:500]
    return str(error)[:500]
