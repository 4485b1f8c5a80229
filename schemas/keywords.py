"""jsonschema with keywords of our own, so that nothing in a schema or a value can keep it busy.

Left to itself it compares names with a backtracking reader and each item with each other, writes the whole value into
the message of each branch that it breaks, and goes on with other keywords where a part of a schema names a dialect.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any, Final, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend  # pyright: ignore[reportUnknownVariableType]  # no types
from jsonschema_rs import Draft202012Validator as QuickValidator
from jsonschema_specifications import REGISTRY as SPECIFICATIONS
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from schemas.bounds import count_steps, known, weight_of
from schemas.formats import FORMATS
from schemas.leaves import LEAVES, Check
from schemas.patterns import compile_pattern
from schemas.wording import Finding, findings_of, others_of

Json = Any
"""Any JSON value."""


def without_dialect(schema: Json) -> Json:
    """Return `schema` without "$schema", for which jsonschema would go on with its own keywords instead of ours."""
    if not isinstance(schema, Mapping):
        return schema
    return {keyword: said for keyword, said in cast("Mapping[str, Json]", schema).items() if keyword != "$schema"}


_STEPS_OF_A_KEYWORD: Final = 16
"""jsonschema takes longer for one than the fast path."""
_READ_IN_A_STEP: Final = 8
"""Parts of a value that jsonschema writes into a message."""


def _counted(name: str, keyword: Callable[..., Any]) -> Callable[..., Any]:
    """Return a keyword of jsonschema, which writes the value into a message for each of several branches."""

    def check(validator: object, said: Json, value: Json, schema: object) -> Any:  # noqa: ANN401  # jsonschema's own
        parts, weight = len(cast("Sized", said)) if isinstance(said, list | dict) else 1, weight_of(value)
        branches = parts if name in {"allOf", "anyOf", "oneOf"} else 1
        count_steps(_STEPS_OF_A_KEYWORD + parts + branches * weight // _READ_IN_A_STEP)
        if name.startswith("unevaluated"):  # each is looked for among all that are evaluated
            count_steps(weight * weight // _READ_IN_A_STEP)
        return keyword(validator, said, value, schema)

    return check


def _leaf(name: str, make: Callable[[Json], Check]) -> Callable[..., Iterator[ValidationError]]:
    def check(_validator: object, said: Json, value: Json, _schema: object) -> Iterator[ValidationError]:
        count_steps(_STEPS_OF_A_KEYWORD)
        if not known(name, said, make)(value):
            yield ValidationError(name)

    return check


def _required(_validator: object, said: list[str], value: Json, _schema: object) -> Iterator[ValidationError]:
    count_steps(_STEPS_OF_A_KEYWORD + len(said))
    if isinstance(value, dict):
        yield from (ValidationError("required", path=[name]) for name in said if name not in value)


def _patterned(
    validator: Draft202012Validator, said: Mapping[str, Json], value: Json, _schema: object
) -> Iterator[ValidationError]:
    members = cast("dict[str, Json]", value) if isinstance(value, dict) else {}
    for pattern, part in said.items():
        for name in members:
            if compile_pattern(pattern).is_in(name):
                yield from _within(validator, members[name], part, (name, pattern))


def _additional(
    validator: Draft202012Validator, said: Json, value: Json, schema: Mapping[str, Json]
) -> Iterator[ValidationError]:
    members = cast("dict[str, Json]", value) if isinstance(value, dict) else {}
    others = others_of(members, schema)
    if said is False and others:
        yield ValidationError("additionalProperties")
        return
    for name in others:
        yield from _within(validator, members[name], said, (name, None))


def _within(
    validator: Draft202012Validator, member: Json, part: Json, at: tuple[str, str | None]
) -> Iterator[ValidationError]:
    yield from validator.descend(member, part, path=at[0], schema_path=at[1])  # pyright: ignore[reportUnknownMemberType]  # partial stubs


_KEYWORDS: Final[Mapping[str, Callable[..., Any]]] = {
    **{name: _counted(name, keyword) for name, keyword in Draft202012Validator.VALIDATORS.items()},
    **{name: _leaf(name, make) for name, make in LEAVES.items()},
    "additionalProperties": _additional,
    "patternProperties": _patterned,
    "required": _required,
}
_Validator: Final = cast("type[Draft202012Validator]", extend(Draft202012Validator, _KEYWORDS))  # type: ignore[no-untyped-call]  # no types
_META: Final[Mapping[str, Json]] = without_dialect(Draft202012Validator.META_SCHEMA)
_METAS: Final[Registry[Json]] = Registry[Json]().with_resources(
    (uri, DRAFT202012.create_resource(without_dialect(SPECIFICATIONS.contents(uri))))
    for uri in SPECIFICATIONS
    if "2020-12" in uri
)
"""What a schema is, checked by our own keywords."""
_QUICK: Final = QuickValidator(Draft202012Validator.META_SCHEMA, validate_formats=True, formats=dict(FORMATS))
"""The same, a thousand times faster; it is believed where it finds nothing wrong."""


def validator_for(schema: Mapping[str, Json], known_too: Registry[Json]) -> Draft202012Validator:
    """Return jsonschema's validator of `schema`, which may refer to what is `known_too` and to nothing else."""
    return _Validator(without_dialect(schema), registry=known_too)


def schema_problem(schema: Mapping[str, Json]) -> Finding | None:
    """Return what makes `schema` none of the dialect 2020-12, None: it is one."""
    if _is_surely_one(schema):
        return None
    errors: Iterable[ValidationError] = validator_for(_META, _METAS).iter_errors(without_dialect(schema))  # pyright: ignore[reportUnknownMemberType]  # partial stubs
    first = next(iter(errors), None)
    return None if first is None else findings_of([first])[0]


def _is_surely_one(schema: Mapping[str, Json]) -> bool:
    try:
        return _QUICK.is_valid(without_dialect(schema))
    except ValueError:  # what it cannot read, such as half a character or a great depth, jsonschema may
        return False
