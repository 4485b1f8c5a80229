"""Which requests change nothing: how a connector's author says so, and what may not be said."""

import re
from collections.abc import Container, Mapping
from fnmatch import fnmatchcase
from typing import Final, Literal, Self
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.sdk.rpc import Rpc
from connectors.sdk.templates import matches, variable_in
from connectors.sdk.wire import WireRequest

_OF_DRAFTS: Final = re.compile(r"/[^/()]+\([^/()]*,IsActiveEntity=false\)")
_QUERIES: Final = re.compile(r"query/[^/]+|persisted/[0-9a-f]{64}")
_ONE_MUTATION: Final = re.compile(r"mutation/[_A-Za-z][_0-9A-Za-z]*")


class SafeRule(BaseModel):
    """A request that changes nothing: by method and path pattern and, for RPC over POST, by operation pattern.

    Patterns are `fnmatch` patterns, matched against the whole value. `preview_only` marks what is harmless but meant
    for previews alone (native dry runs, drafts).

    Where `*` would say too much, because it crosses slashes, `template` takes the place of `path`: in `/deals/{id}`
    a variable stands for part of one segment. `besides` are templates of what is not meant though it looks alike:
    `/deals/export` is no deal. `query` must be asked for, each once: only with `validateOnly=true` is it a dry run.
    A template that ends with the key of an OData draft (`IsActiveEntity=false`) means drafts and no live record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    path: str = "*"
    template: str | None = None
    besides: tuple[str, ...] = ()
    query: Mapping[str, str] = {}
    operation: str | None = None
    preview_only: bool = False
    opens: str | None = Field(default=None, pattern="^/")
    """Where in the answer the id of what this has opened stands, as a JSON pointer: a draft of the preview's own."""
    opened: bool = False
    """Whether this may be sent only for what the same preview has opened: the one variable of `template` is its id."""

    def covers(self, request: WireRequest, operation: str | None) -> bool:
        """Return whether `request`, which asks for `operation` (None: it is no call), is called safe here."""
        if request.method != self.method or not self._means(request.path) or not self._is_asked_in(request):
            return False
        if self.operation is None or operation is None:
            return self.operation is operation
        return fnmatchcase(operation, self.operation)

    @property
    def _means_drafts(self) -> bool:
        return self.template is not None and _OF_DRAFTS.fullmatch(self.template) is not None

    def _means(self, path: str) -> bool:
        if any(_may_be(other, path) for other in self.besides):
            return False
        if self._means_drafts and unquote(path).casefold().count("isactiveentity") != 1:
            return False  # said twice, nobody knows which counts
        return fnmatchcase(path, self.path) if self.template is None else matches(self.template, path)

    def _is_asked_in(self, request: WireRequest) -> bool:
        """Return whether every server reads the query so: whatever may be taken for a name is said once, as wanted."""
        if not self.query:
            return True
        for query in {request.query_string, request.query_string.replace(";", "&")}:
            asked = parse_qsl(query, keep_blank_values=True)
            for key, wanted in self.query.items():
                if [one for one in asked if _read(one[0]) == _read(key)] != [(key, wanted)]:
                    return False
        return True

    def concerns(self, request: WireRequest, opened: Container[str]) -> bool:
        """Return whether it asks nothing of `request` that has to be among `opened`, or it is."""
        return not self.opened or variable_in(self.template or "", request.path) in opened

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        if self.template is not None and self.path != "*":
            raise ValueError("a safe rule has a path pattern or a path template, not both")
        if (self.opens or self.opened) and not self.preview_only:
            raise ValueError("only previews open drafts: say preview_only")
        if self.opened and (self.template or "").count("{") != 1:
            raise ValueError("what was opened is named by the one variable of a path template")
        is_bounded = self.query or self.opened or self._means_drafts
        if self.method in {"PUT", "PATCH", "DELETE"} and not (self.preview_only and is_bounded):
            raise ValueError(
                f"a {self.method} is safe only as a dry run: preview_only, and asked for in the query or of a draft"
            )
        return self


def _may_be(template: str, path: str) -> bool:
    """Return whether a server might take `path` for one that `template` means, whatever its letters' case.

    An escape stands for its character, and some servers cut a segment's parameters off. Source: RFC 3986 sections
    3.3 and 6.2.2.
    """
    return matches(template.casefold(), path.casefold()) or matches(_plain(template), _plain(path))


def _plain(path: str) -> str:
    segments = unquote(path).casefold().split("/")
    return "/".join(segment.partition(";")[0] for segment in segments).rstrip("/")


def _read(name: str) -> str:
    """Return a parameter's name as the most careless server reads it: any case, `name[]` and `name[x]` as `name`."""
    return name.strip().partition("[")[0].casefold().replace(".", "_").replace(" ", "_")


def misnamed(rule: SafeRule, rpc: Rpc) -> str | None:
    """Return why `rule` does not say which calls of `rpc` it means, or None."""
    if rpc == "none":
        is_named = rule.operation is not None
        return "a safe rule names an operation, but only with rpc can the broker read one" if is_named else None
    if rpc == "graphql":
        return _misnamed_in_graphql(rule)
    if rule.method == "POST" and rule.operation is None:
        return "with rpc every call is a POST, so a safe rule for POST must name the operations it means"
    return None


def _misnamed_in_graphql(rule: SafeRule) -> str | None:
    operation = rule.operation or ""
    if rule.method in {"GET", "POST"} and _QUERIES.fullmatch(operation):
        return None
    if rule.method == "POST" and rule.preview_only and _ONE_MUTATION.fullmatch(operation):
        return None
    return (
        "with graphql a safe rule is for POST or GET and names query/FIELD (a pattern) or persisted/ and a SHA-256; "
        "a mutation only whole, as mutation/FIELD, and preview_only"
    )
