"""Conditions in CEL: checked when they are declared, compiled once, and never taken for true or false on an error."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, cast

from cel_expr_python import cel

Json = Any
"""Any JSON value."""

LONGEST: Final = 1000
"""Characters of an expression; the library bounds its depth (32) and the iterations of one evaluation."""
_LARGEST: Final = 1_000_000
_LARGEST_GROWN: Final = 20_000
"""Characters and values that a condition may go through again and again, and those it may make longer texts of: the
library counts the rounds of a loop (10 000), not what each of them costs."""
_DEEPEST: Final = 64
_STRING: Final = re.compile(r"""r?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_MEMBER: Final = re.compile(r"\binput\s*(?:\.\s*(\w+)|\[\s*\x00(\d+)\x00\s*\])")
_LOOP: Final = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")
_GROWTH: Final = re.compile(r"\+|\b(?:string|bytes)\b")
_POSITION: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_MISFIT: Final = "No matching overloads"


class BadExpression(ValueError):
    """The expression cannot be used; the message says where and why."""


class Truth(StrEnum):
    """What an expression comes to. Whoever asks decides which way is safe when it is undecided."""

    TRUE = "true"
    FALSE = "false"
    UNDECIDED = "undecided"
    """It met a missing member, values it cannot compare, or a bound."""


def evaluate(expression: str, variables: Mapping[str, Json]) -> Truth:
    """Return what `expression` comes to with `variables`, among them `input`.

    Raises:
        BadExpression: it was never an expression over these variables.
    """
    compiled = _compiled(expression, tuple(sorted(variables)))
    if not _is_affordable(expression, variables):
        return Truth.UNDECIDED
    try:
        result = compiled.eval(data=_plain(variables))
    except (RuntimeError, _NotPlain):  # out of its bounds
        return Truth.UNDECIDED
    if result.type() != cel.Type.BOOL:
        return Truth.UNDECIDED
    return Truth.TRUE if result.value() is True else Truth.FALSE


def check(expression: str, input_schema: Mapping[str, Json]) -> None:
    """Return if `expression` is a condition over arguments that `input_schema` describes.

    Raises:
        BadExpression: it is no CEL, no condition, names an argument that does not exist, or compares what cannot be.
    """
    compiled = _compiled(expression, ("input",))
    properties: Mapping[str, Mapping[str, Json]] | None = input_schema.get("properties")
    if properties is None:
        return
    for name in _members_of_input(expression):
        if name not in properties:
            raise BadExpression(f"{expression!r}: there is no argument {name!r}; there are {', '.join(properties)}.")
    result = compiled.eval(data={"input": _sample(properties)})
    if result.type() == cel.Type.ERROR and _MISFIT in str(result.value()):
        raise BadExpression(f"{expression!r}: {str(result.value()).partition(': ')[2]}.")


@lru_cache(maxsize=2048)
def compiles(expression: str, variables: tuple[str, ...]) -> bool:
    """Return whether `expression` is a condition over `variables` and nothing else."""
    try:
        _compiled(expression, variables)
    except BadExpression:
        return False
    return True


def _is_affordable(expression: str, variables: Mapping[str, Json]) -> bool:
    """Return whether a loop over `variables`, whose size an agent may choose, takes a bounded time and memory."""
    bare = _STRING.sub("", expression)
    if not _LOOP.search(bare):
        return True
    growths = len(_GROWTH.findall(bare))
    return _size(variables, 0) <= (_LARGEST_GROWN // growths if growths else _LARGEST)


def _size(value: Json, depth: int) -> int:
    if depth > _DEEPEST:
        return 0  # which is refused for its depth
    match value:
        case str():
            return len(value) + 1
        case Mapping():
            members = cast("Mapping[str, Json]", value)
            return 1 + sum(len(name) + _size(member, depth + 1) for name, member in members.items())
        case list() | tuple():
            return 1 + sum(_size(item, depth + 1) for item in cast("Sequence[Json]", value))
        case _:
            return 1


class _NotPlain(Exception):
    """A value is not JSON, or nested too deeply for the library, which would end the process."""


def _plain(value: Json, depth: int = 0) -> Json:
    """Return `value` in the containers that the library reads."""
    if depth > _DEEPEST:
        raise _NotPlain
    match value:
        case Mapping():
            members = cast("Mapping[str, Json]", value)
            return {name: _plain(member, depth + 1) for name, member in members.items()}
        case list() | tuple():
            return [_plain(item, depth + 1) for item in cast("Sequence[Json]", value)]
        case str() | bool() | int() | float() | None:
            return value
        case _:
            raise _NotPlain


@lru_cache(maxsize=2048)
def _compiled(expression: str, variables: tuple[str, ...]) -> cel.Expression:
    if len(expression) > LONGEST:
        raise BadExpression(f"An expression has at most {LONGEST} characters; this one has {len(expression)}.")
    try:
        compiled = _environment(variables).compile(expression)
    except RuntimeError as error:
        raise BadExpression(f"{expression!r}: {_reason(str(error))}") from error
    if compiled.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        raise BadExpression(f"{expression!r} is not a condition: it gives {compiled.return_type().name().lower()}.")
    return compiled


@lru_cache
def _environment(variables: tuple[str, ...]) -> cel.Env:
    members = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(variables=dict.fromkeys(variables, members))


def _reason(message: str) -> str:
    found = _POSITION.search(message)
    if found is None:
        return message.partition(": ")[2].splitlines()[0].removesuffix(" [CANCELLED]") or "it cannot be read"
    return f"at character {found[2]}, {found[3].partition(' expecting ')[0]}."


def _members_of_input(expression: str) -> list[str]:
    """Return the arguments that `expression` names, as `input.name` or `input["name"]`, not those inside texts."""
    texts: list[str] = []

    def numbered(text: re.Match[str]) -> str:
        texts.append(text[1][1:-1])
        return f"\x00{len(texts) - 1}\x00"

    bare = _STRING.sub(numbered, expression.replace("\x00", ""))
    return [found[1] or texts[int(found[2])] for found in _MEMBER.finditer(bare)]


_SAMPLES: Final[Mapping[str, Json]] = {
    "string": "",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}


def _sample(properties: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    """Return some value of each type that a schema names plainly, to find out what can be compared with what."""
    sample: dict[str, Json] = {}
    for name, schema in properties.items():
        kind = schema.get("type")
        if "enum" in schema:
            sample[name] = schema["enum"][0]
        elif isinstance(kind, str) and kind in _SAMPLES:
            sample[name] = _SAMPLES[kind]
    return sample
