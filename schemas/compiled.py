"""A JSON Schema made ready once, to validate many values: every violation, and defaults."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry

from schemas.defaults import filler
from schemas.pointers import pointer

Json = Any
"""Any JSON value."""


class Finding(NamedTuple):
    """One broken rule: where (a JSON pointer, "" for the whole value) and what was expected."""

    pointer: str
    message: str


class SchemaInvalid(ValueError):
    """The schema itself cannot be used; the message says where and why."""


class CompiledSchema:
    """One schema, checked and prepared; made by `compile_schema`."""

    __slots__ = ("_fill", "_validator", "schema")

    def __init__(self, schema: Mapping[str, Json], validator: Draft202012Validator) -> None:
        self.schema = schema
        self._validator = validator
        self._fill = filler(schema, self._chosen)

    def is_valid(self, value: Json) -> bool:
        """Return whether `value` keeps every rule."""
        return bool(self._validator.is_valid(value))  # pyright: ignore[reportUnknownMemberType]  # partial stubs

    def violations(self, value: Json) -> list[Finding]:
        """Return every rule that `value` breaks, in the order of where."""
        errors: Iterable[ValidationError] = self._validator.iter_errors(value)  # pyright: ignore[reportUnknownMemberType]  # partial stubs
        return sorted(Finding(pointer(error.absolute_path), error.message) for error in errors)

    def with_defaults(self, value: Json) -> Json:
        """Return `value` with what it leaves out and the schema has a default for; `value` itself stays as it is."""
        try:
            return self._fill(value)
        except RecursionError:
            raise SchemaInvalid("its defaults contain themselves without end") from None

    def _chosen(self, branch: Json) -> Callable[[Json], bool]:
        validator = cast("Draft202012Validator", self._validator.evolve(schema=branch))  # pyright: ignore[reportUnknownMemberType]  # partial stubs
        return validator.is_valid  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # partial stubs


def compile_schema(schema: Mapping[str, Json]) -> CompiledSchema:
    """Return `schema` made ready to validate values.

    Raises:
        SchemaInvalid: it is no valid JSON Schema 2020-12, or a reference leads nowhere.
    """
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise SchemaInvalid(f"{pointer(error.absolute_path) or '/'}: {error.message}") from error
    return CompiledSchema(schema, Draft202012Validator(schema, registry=Registry()))
