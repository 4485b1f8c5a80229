"""A JSON Schema made ready once, to validate many values: a quick verdict, every violation, and defaults."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any, Final, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from schemas.bounds import Bounded, TooMuchWork, size_problem
from schemas.checks import Unsupported, compile_checks
from schemas.defaults import Fill, filler
from schemas.keywords import schema_problem, validator_for, without_dialect
from schemas.leaves import Check
from schemas.patterns import PatternUnusable, compile_pattern
from schemas.pointers import DanglingReference, pointer, resolve_reference
from schemas.walking import subschemas
from schemas.wording import Finding, findings_of

Json = Any
"""Any JSON value."""


class SchemaInvalid(ValueError):
    """The schema itself cannot be used; the message says where and why."""


_NOTHING_TO_FETCH: Final[Registry[Json]] = Registry()
"""Knows no document and retrieves none: a reference out of the schema stays unresolved."""
_DEAREST_PATTERNS: Final = 40_000
"""What reading all patterns of one schema may cost, in pieces."""
_TOO_DEEP: Final = Finding("", "is nested too deeply")
_TOO_MUCH: Final = Finding("", "takes more steps to check against its schema than can be taken")


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
        resource = DRAFT202012.create_resource(without_dialect(self.schema))
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
            with Bounded(value):
                return self._check(value)
        except (RecursionError, TooMuchWork):
            return False

    def violations(self, value: Json, part: Mapping[str, Json] | None = None) -> list[Finding]:
        """Return every rule that `value` breaks, in the order of where; of a `part` of the schema, if one is given."""
        validator = self._validator if part is None else self._validator_of(part)
        try:
            errors: Iterable[ValidationError] = validator.iter_errors(value)  # pyright: ignore[reportUnknownMemberType]  # partial stubs
            with Bounded():
                return findings_of(errors)
        except RecursionError:
            return [_TOO_DEEP]
        except TooMuchWork:
            return [_TOO_MUCH]

    def with_defaults(self, value: Json, part: Mapping[str, Json] | None = None) -> Json:
        """Return `value` with what it leaves out and the schema has a default for; `value` itself stays as it is.

        With a `part` of the schema, `value` is what stands there.

        Raises:
            SchemaInvalid: the defaults contain themselves without end, or make more of it than can be read.
        """
        try:
            with Bounded(value):
                return self._fills(self.schema if part is None else part)(value)
        except RecursionError:
            raise SchemaInvalid("the defaults contain themselves without end") from None
        except TooMuchWork:
            raise SchemaInvalid("the defaults within its defaults make more of it than can be read") from None

    def _slow(self, part: Json) -> Check:
        return cast("Callable[[Json], bool]", self._validator_of(part).is_valid)  # pyright: ignore[reportUnknownMemberType]  # partial stubs

    def _validator_of(self, part: Json) -> Draft202012Validator:
        evolved = self._validator.evolve(schema=without_dialect(part))  # pyright: ignore[reportUnknownMemberType]  # partial stubs
        return cast("Draft202012Validator", evolved)


def compile_schema(schema: Mapping[str, Json]) -> CompiledSchema:
    """Return `schema` made ready to validate values. Nothing is ever fetched.

    Raises:
        SchemaInvalid: it is no valid JSON Schema 2020-12, a reference leads nowhere or out of it, or it is too large.
    """
    try:
        if problem := size_problem(schema):
            raise SchemaInvalid(f"/: {problem}")
        if broken := schema_problem(schema):
            raise SchemaInvalid(f"{broken.pointer or '/'}: {broken.message}")
        _refuse_parts(schema)
        return CompiledSchema(schema).prepare()
    except (RecursionError, OverflowError) as error:
        raise SchemaInvalid("/: it, or a pattern in it, is larger or deeper than can be read") from error
    except Unresolvable as error:
        raise SchemaInvalid(f"/: {error}") from error


def _refuse_parts(schema: Mapping[str, Json]) -> None:
    parts = list(subschemas(schema))
    places, patterns = {id(part) for _, part in parts}, set[str]()
    for place, part in parts:
        named = part.get("patternProperties", {})
        patterns |= {*named, *([part["pattern"]] if "pattern" in part else [])}
        if problem := _problem_of(part, schema, places, patterns):
            raise SchemaInvalid(f"{pointer(place) or '/'}: {problem}")
    if any("patternProperties" in part for _, part in parts) and any(
        "unevaluatedProperties" in part for _, part in parts
    ):
        raise SchemaInvalid("/: write additionalProperties instead of unevaluatedProperties beside patternProperties")


def _problem_of(
    part: Mapping[str, Json], root: Mapping[str, Json], places: AbstractSet[int], patterns: AbstractSet[str]
) -> str | None:
    """Return what makes a part unfit to be followed or compared, where all `patterns` up to it are known."""
    if part is not root and "$schema" in part:
        return "only a whole schema says by $schema what it is"
    try:
        if "$ref" in part:
            target = resolve_reference(root, part["$ref"])
            if not isinstance(target, bool) and id(target) not in places:
                return f"{part['$ref']!r} leads to where no schema stands; define it under '$defs'"
        if sum(compile_pattern(pattern).cost for pattern in patterns) > _DEAREST_PATTERNS:
            return f"its patterns stand for more than {_DEAREST_PATTERNS} pieces together"
    except (DanglingReference, PatternUnusable) as error:
        return str(error)
    return None
