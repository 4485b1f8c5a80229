"""A JSON Schema made ready once, to validate many values: a quick verdict, every violation, and defaults."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final, cast

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend  # pyright: ignore[reportUnknownVariableType]  # no types
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from schemas.bounds import TooMuchWork, bounded, count_steps, size_problem
from schemas.checks import Check, Unsupported, compile_checks
from schemas.defaults import Fill, filler
from schemas.formats import FORMATS
from schemas.patterns import PatternUnusable, TooSlow, compile_pattern, is_simple
from schemas.pointers import DanglingReference, pointer, resolve_reference
from schemas.walking import subschemas
from schemas.wording import Finding, findings_of

Json = Any
"""Any JSON value."""


class SchemaInvalid(ValueError):
    """The schema itself cannot be used; the message says where and why."""


def _format_checker() -> FormatChecker:
    checker = FormatChecker(formats=())
    for name, keeps in FORMATS.items():
        checker.checks(name)(_for_texts(keeps))
    return checker


def _for_texts(keeps: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or keeps(value)


def _keep_pattern(_validator: object, pattern: str, value: Json, _schema: object) -> Iterator[ValidationError]:
    if isinstance(value, str) and not compile_pattern(pattern).is_in(value):
        yield ValidationError(f"does not match {pattern}")


_STEPS_OF_A_KEYWORD: Final = 4
"""jsonschema takes longer for one than the fast path for a reference."""


def _counted(keyword: Callable[..., Any]) -> Callable[..., Any]:
    def check(*given: object) -> Any:  # noqa: ANN401  # jsonschema's own
        count_steps(_STEPS_OF_A_KEYWORD)
        return keyword(*given)

    return check


_KEYWORDS: Final = {
    name: _counted(keyword) for name, keyword in ({**Draft202012Validator.VALIDATORS, "pattern": _keep_pattern}).items()
}
_Validator: Final = cast("type[Draft202012Validator]", extend(Draft202012Validator, _KEYWORDS))  # type: ignore[no-untyped-call]  # no types
_CHECKER: Final = _format_checker()
_NOTHING_TO_FETCH: Final[Registry[Json]] = Registry()
"""Knows no document and retrieves none: a reference out of the schema stays unresolved."""
_TOO_DEEP: Final = Finding("", "is nested too deeply")
_TOO_MUCH: Final = Finding("", "takes more steps to check against its schema than can be taken")
_TOO_SLOW: Final = Finding("", "holds a text that takes too long to compare with the pattern it must match")


class CompiledSchema:
    """One schema that has been checked; what it takes to use it is prepared once, when it is first used."""

    def __init__(self, schema: Mapping[str, Json]) -> None:
        """Take a schema that `compile_schema` has accepted, now or before it was stored."""
        self.schema: Final = schema

    def prepare(self) -> "CompiledSchema":
        """Prepare everything now, so that what cannot be prepared fails now, and return the schema itself."""
        self.is_valid(None)
        self.with_defaults(None)
        return self

    @cached_property
    def _validator(self) -> Draft202012Validator:
        resource = DRAFT202012.create_resource(dict(self.schema))
        return validator_for(self.schema, _NOTHING_TO_FETCH.with_resource("", resource))

    @cached_property
    def _checks(self) -> Callable[[Json], Check]:
        """What gives the check of a part; where a rare keyword stands anywhere, all of them are jsonschema's."""
        try:
            return compile_checks(self.schema)
        except Unsupported:
            return self._slow

    @cached_property
    def _check(self) -> Check:
        return self._checks(self.schema)

    @cached_property
    def _fills(self) -> Callable[[Json], Fill]:
        return filler(self.schema, self._checks)

    @property
    def is_quick(self) -> bool:
        """Whether verdicts take the fast path; a schema with rare keywords does not."""
        return self._checks != self._slow

    def is_valid(self, value: Json) -> bool:
        """Return whether `value` keeps every rule."""
        try:
            with bounded():
                return self._check(value)
        except (RecursionError, TooSlow, TooMuchWork):
            return False

    def violations(self, value: Json, part: Mapping[str, Json] | None = None) -> list[Finding]:
        """Return every rule that `value` breaks, in the order of where; of a `part` of the schema, if one is given."""
        validator = self._validator if part is None else self._validator_of(part)
        try:
            errors: Iterable[ValidationError] = validator.iter_errors(value)  # pyright: ignore[reportUnknownMemberType]  # partial stubs
            with bounded():
                return findings_of(errors)
        except RecursionError:
            return [_TOO_DEEP]
        except TooSlow:
            return [_TOO_SLOW]
        except TooMuchWork:
            return [_TOO_MUCH]

    def with_defaults(self, value: Json, part: Mapping[str, Json] | None = None) -> Json:
        """Return `value` with what it leaves out and the schema has a default for; `value` itself stays as it is.

        With a `part` of the schema, `value` is what stands there.

        Raises:
            SchemaInvalid: the defaults contain themselves without end, or make more of it than can be read.
        """
        try:
            with bounded():
                return self._fills(self.schema if part is None else part)(value)
        except TooSlow:
            return value  # in which nothing fits, so that no choice between defaults can be made
        except RecursionError:
            raise SchemaInvalid("the defaults contain themselves without end") from None
        except TooMuchWork:
            raise SchemaInvalid("the defaults within its defaults make more of it than can be read") from None

    def _slow(self, part: Json) -> Check:
        return cast("Callable[[Json], bool]", self._validator_of(part).is_valid)  # pyright: ignore[reportUnknownMemberType]  # partial stubs

    def _validator_of(self, part: Json) -> Draft202012Validator:
        return cast("Draft202012Validator", self._validator.evolve(schema=part))  # pyright: ignore[reportUnknownMemberType]  # partial stubs


def compile_schema(schema: Mapping[str, Json]) -> CompiledSchema:
    """Return `schema` made ready to validate values. Nothing is ever fetched.

    Raises:
        SchemaInvalid: it is no valid JSON Schema 2020-12, a reference leads nowhere or out of it, or it is too large.
    """
    try:
        if problem := size_problem(schema):
            raise SchemaInvalid(f"/: {problem}")
        _refuse_patterns(schema)
        Draft202012Validator.check_schema(dict(schema))
    except (RecursionError, OverflowError) as error:
        raise SchemaInvalid("/: it, or a pattern in it, is larger or deeper than can be read") from error
    except SchemaError as error:
        raise SchemaInvalid(f"{pointer(error.absolute_path) or '/'}: {error.message}") from error
    for place, part in subschemas(schema):
        try:
            if "$ref" in part:
                resolve_reference(schema, part["$ref"])
        except DanglingReference as error:
            raise SchemaInvalid(f"{pointer(place) or '/'}: {error}") from error
    try:
        return CompiledSchema(schema).prepare()
    except (Unresolvable, RecursionError) as error:
        raise SchemaInvalid(f"/: {error}") from error


def _refuse_patterns(schema: Mapping[str, Json]) -> None:
    for place, part in subschemas(schema):
        try:
            if isinstance(part.get("pattern"), str):
                compile_pattern(part["pattern"])
        except PatternUnusable as error:
            raise SchemaInvalid(f"{pointer(place) or '/'}: {error}") from error
        named = part.get("patternProperties")
        for pattern in cast("dict[str, Json]", named) if isinstance(named, dict) else ():
            if not is_simple(pattern):  # jsonschema reads these by itself
                raise SchemaInvalid(f"{pointer(place) or '/'}: name properties by a pattern without nested repetitions")


def validator_for(schema: Mapping[str, Json], known: Registry[Json]) -> Draft202012Validator:
    """Return jsonschema's validator of `schema`, which may refer to what is `known` and to nothing else."""
    return _Validator(dict(schema), registry=known, format_checker=_CHECKER)
