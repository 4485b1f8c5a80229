"""Reading GraphQL as the fence does: which fields a request asks for at the top, as a query or as a mutation.

Only what every reader of GraphQL reads alike is read at all: one operation and its fragments, of the grammar's plainest
part. Anything else has no name, so it matches no safe rule and leaves on no channel. The reference implementation of
GraphQL stands beside this in the tests: what it carries out at all, it finds the same operation and the same fields in.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from connectors.sdk.wire import WireRequest

Json = Any
"""Any JSON value."""

LONGEST_DOCUMENT: Final = 20_000
"""Characters."""
_DEEPEST: Final = 20
"""How deep fragments without a name may stand in each other at the top."""
_MEMBERS: Final = frozenset({"query", "operationName", "variables"})
"""The only members a request may have: others name a document that is not there, and every server has its own."""
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_KINDS: Final = frozenset({"query", "mutation"})
_TOKEN: Final = re.compile(
    r"""
    (?P<ignored> [\ufeff\t\n\r\ ,]+ | \#[\t\x20-\x7e]*(?=[\n\r]|\Z) )
    | (?P<value> \"{3} (?: \\\"{3} | (?!\"{3}|\\\"{3})[\s\S] )*+ \"{3}
               | (?!\"{3}) \" (?: [^\"\\\n\r] | \\[^\n\r] )*+ \"
               | -?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![_0-9A-Za-z.]) )
    | (?P<name> [_A-Za-z][_0-9A-Za-z]* )
    | (?P<sign> \.\.\. | [!$&():=@\[\]{|}] )
    """,
    re.VERBOSE,
)
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_CLOSED: Final = frozenset(_CLOSING.values())


class _Unread(Exception):
    """Two readers could read it differently, or it is not GraphQL."""


@dataclass(slots=True)
class _Selection:
    """What stands at the top of a selection set: fields by their own names, and fragments by theirs."""

    fields: list[str] = field(default_factory=list[str])
    fragments: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class _Document:
    """One operation, and the fragments beside it."""

    kind: str | None = None
    name: str | None = None
    selection: _Selection = field(default_factory=_Selection)
    fragments: dict[str, _Selection] = field(default_factory=dict[str, _Selection])


def operations_in(request: WireRequest) -> tuple[str, ...] | None:
    """Return what `request` asks for, such as `query/deal` or `mutation/dealUpdate`; None where readers may differ.

    Every field at the top counts, under its own name and never its alias, those of fragments and those under
    `@skip` too. A document kept by the server is `persisted/` and its SHA-256.
    """
    try:
        call = _asked(request)
        if "extensions" in call:
            return (f"persisted/{_persisted(call)}",)
        if not {*call} <= _MEMBERS or not isinstance(call.get("variables"), dict | None):
            return None
        return _names(_document(call.get("query")), call.get("operationName"))
    except (_Unread, ValueError, RecursionError):
        return None


def says_no(answer: Json) -> bool:
    """Return whether `answer` says that nothing was done: errors, and nothing came of any field at the top.

    An error deeper down says the opposite: the field above it was carried out, and telling of it failed.
    """
    if not isinstance(answer, dict):
        return False
    members = cast("dict[str, Json]", answer)
    errors, data = members.get("errors"), members.get("data")
    if not isinstance(errors, list) or not errors:
        return False
    if "data" not in members:  # a request error: nothing was begun
        return True
    came = cast("dict[str, Json]", data).values() if isinstance(data, dict) else [data]
    return all(one is None for one in came) and all(map(_is_at_the_top, cast("list[Json]", errors)))


def _is_at_the_top(error: Json) -> bool:
    path = cast("dict[str, Json]", error).get("path") if isinstance(error, dict) else None
    return isinstance(path, list) and len(cast("list[Json]", path)) == 1


def _asked(request: WireRequest) -> Mapping[str, Json]:
    """Return the members of the request, from the body of a POST or the query of a GET, where there is no other."""
    if request.method == "POST" and not request.query_string and request.body is not None:
        call = json.loads(request.body, object_pairs_hook=_unique)
        if not isinstance(call, dict):
            raise _Unread
        return cast("dict[str, Json]", call)
    if request.method != "GET" or request.content is not None or ";" in request.query_string:
        raise _Unread  # some servers end a field of the query at a semicolon too
    members: dict[str, Json] = _unique(list(request.asked))
    for name in {"variables", "extensions"} & {*members}:
        members[name] = json.loads(members[name], object_pairs_hook=_unique)
    return members


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _Unread
    return members


def _persisted(call: Mapping[str, Json]) -> str:
    """Return the hash by which a document is meant that the server has; nothing may stand beside it."""
    kept = {"persistedQuery": {"version": 1, "sha256Hash": (hashed := _hash_in(call["extensions"]))}}
    if not {*call} <= {"extensions", "variables"} or call["extensions"] != kept:
        raise _Unread
    return hashed


def _hash_in(extensions: Json) -> str:
    persisted = cast("dict[str, Json]", extensions).get("persistedQuery") if isinstance(extensions, dict) else None
    hashed = cast("dict[str, Json]", persisted).get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(hashed, str) or not _HASH.fullmatch(hashed):
        raise _Unread
    return hashed


def _names(document: _Document, chosen: Json) -> tuple[str, ...]:
    if document.kind is None or chosen not in {None, document.name}:
        raise _Unread
    fields: dict[str, None] = dict.fromkeys(document.selection.fields)
    waiting, seen = [*document.selection.fragments], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in document.fragments:
            raise _Unread
        fields |= dict.fromkeys(document.fragments[name].fields)
        waiting += document.fragments[name].fragments
    if not fields:
        raise _Unread
    return tuple(f"{document.kind}/{name}" for name in sorted(fields))


def _document(text: Json) -> _Document:
    if not isinstance(text, str) or len(text) > LONGEST_DOCUMENT:
        raise _Unread
    tokens, document = _Tokens(text), _Document()
    while tokens.coming is not None:
        if tokens.coming == "fragment":
            _read_fragment(tokens, document)
        else:
            _read_operation(tokens, document)
    return document


def _read_operation(tokens: "_Tokens", document: _Document) -> None:
    if document.kind is not None:
        raise _Unread  # which of two is carried out, the name decides, and not every server asks for it
    document.kind = "query"
    if tokens.coming != "{":
        document.kind = tokens.name(_KINDS)
        if tokens.coming not in {"(", "@", "{"}:
            document.name = tokens.name()
        tokens.skip_optional("(")
        _skip_directives(tokens)
    document.selection = _selection(tokens)


def _read_fragment(tokens: "_Tokens", document: _Document) -> None:
    tokens.take("fragment")
    name = tokens.name()
    tokens.take("on")
    tokens.name()
    _skip_directives(tokens)
    if name in {"on", *document.fragments}:
        raise _Unread
    document.fragments[name] = _selection(tokens)


def _selection(tokens: "_Tokens") -> _Selection:
    selection = _Selection()
    _read_selection(tokens, selection, 0)
    return selection


def _read_selection(tokens: "_Tokens", selection: _Selection, depth: int) -> None:
    if depth > _DEEPEST:
        raise _Unread
    tokens.take("{")
    while tokens.coming != "}":
        if tokens.coming == "...":
            _read_spread(tokens, selection, depth)
        else:
            _read_field(tokens, selection)
    tokens.take("}")


def _read_spread(tokens: "_Tokens", selection: _Selection, depth: int) -> None:
    tokens.take("...")
    if tokens.coming not in {"on", "@", "{"}:
        selection.fragments.append(tokens.name())
        _skip_directives(tokens)
        return
    if tokens.coming == "on":
        tokens.take("on")
        tokens.name()
    _skip_directives(tokens)
    _read_selection(tokens, selection, depth + 1)


def _read_field(tokens: "_Tokens", selection: _Selection) -> None:
    name = tokens.name()
    if tokens.coming == ":":  # that was an alias
        tokens.take(":")
        name = tokens.name()
    selection.fields.append(name)
    tokens.skip_optional("(")
    _skip_directives(tokens)
    tokens.skip_optional("{")


def _skip_directives(tokens: "_Tokens") -> None:
    while tokens.coming == "@":
        tokens.take("@")
        tokens.name()
        tokens.skip_optional("(")


class _Tokens:
    """The tokens of a document, one after the other; `coming` is the one that comes now, None at the end."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    @property
    def coming(self) -> str | None:
        """Return the name or the sign that comes now; a string or a number is told as a blank."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def take(self, wanted: str) -> None:
        """Go on behind `wanted`, which has to come now."""
        if self.coming != wanted:
            raise _Unread
        self._at += 1

    def name(self, among: frozenset[str] | None = None) -> str:
        """Go on behind a name, and return it."""
        name = self.coming
        if name is None or not name.isidentifier() or (among is not None and name not in among):
            raise _Unread
        self._at += 1
        return name

    def skip_optional(self, opening: str) -> None:
        """Go on behind what stands in brackets, if it begins with `opening`."""
        if self.coming != opening:
            return
        expected: list[str] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token in _CLOSING:
                expected.append(_CLOSING[token])
            elif token in _CLOSED and token != expected.pop():
                raise _Unread
            if not expected:
                return
        raise _Unread


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _Unread
        at = match.end()
        if match.lastgroup == "value":
            tokens.append(" ")
        elif match.lastgroup != "ignored":
            tokens.append(match.group())
    return tokens
