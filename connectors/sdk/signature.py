"""The schemas of an operation, made from its function: parameters in, return type out, in the portable subset."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model
from pydantic.errors import PydanticUserError

Json = Any
"""Any JSON value."""

LARGEST = 2**53 - 1
"""The largest integer that every JSON reader reads alike; larger ids travel as strings."""


class BadDeclaration(TypeError):
    """What the author wrote cannot become an operation; the message says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a function takes and gives, as types to run with and as schemas to publish."""

    arguments: type[BaseModel]
    result: TypeAdapter[Any]
    input_schema: Mapping[str, Json]
    output_schema: Mapping[str, Json]
    description: str


def signature_of(name: str, function: Callable[..., object]) -> Signature:
    """Return the signature of the operation `name` that `function` carries out.

    Raises:
        BadDeclaration: a type is missing or cannot be published portably, or there is no docstring.
    """
    description = inspect.cleandoc(function.__doc__ or "")
    if not description:
        raise BadDeclaration(f"{name}: give the function a docstring; agents read it as the tool's description.")
    if not inspect.iscoroutinefunction(function):
        raise BadDeclaration(f"{name}: write 'async def'; a connector waits for its system, it does not block.")
    types = _types(name, function)
    result = TypeAdapter[Any](types["return"])
    arguments = _arguments(name, function, types)
    return Signature(
        arguments=arguments,
        result=result,
        input_schema=_published(name, "an argument", arguments.model_json_schema(mode="validation"), is_input=True),
        output_schema=_published(name, "the result", result.json_schema(mode="serialization"), is_input=False),
        description=description,
    )


def parameters_of(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """Return the parameters after the context, in order."""
    return dict(list(inspect.signature(function).parameters.items())[1:])


def _types(name: str, function: Callable[..., object]) -> dict[str, Any]:
    try:
        types = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise BadDeclaration(f"{name}: {error}; define the types of an operation at the top of its module.") from error
    if not isinstance(types.get("return"), type) or not issubclass(types["return"], BaseModel):
        raise BadDeclaration(f"{name}: return a pydantic model; its fields are what the tool's result is made of.")
    return types


def _arguments(name: str, function: Callable[..., object], types: Mapping[str, Any]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for parameter in parameters_of(function).values():
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise BadDeclaration(f"{name}: {parameter} has no schema; name each argument.")
        if parameter.name not in types:
            raise BadDeclaration(f"{name}: say which type {parameter.name!r} has.")
        fields[parameter.name] = (
            types[parameter.name],
            ... if parameter.default is parameter.empty else parameter.default,
        )
    try:
        return create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields)
    except PydanticUserError as error:
        raise BadDeclaration(f"{name}: {error}") from error


def _published(name: str, what: str, schema: dict[str, Json], *, is_input: bool) -> dict[str, Json]:
    schema = deepcopy(schema)
    _make_portable(schema, where=f"{name}: {what}", is_input=is_input)
    if schema.get("type") != "object":
        raise BadDeclaration(
            f"{name}: {what} must be one object; wrap a list, a union or a recursive model in a model."
        )
    _refuse_recursion(name, schema)
    schema.pop("description", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _make_portable(schema: dict[str, Json], *, where: str, is_input: bool) -> None:
    if "discriminator" in schema:
        raise BadDeclaration(f"{where} uses a discriminated union, which some clients drop; use a plain union.")
    schema.pop("title", None)
    if schema.get("default", ...) is None:
        del schema["default"]
    if is_input:
        _drop_null(schema)
    if schema.get("type") == "integer" and "enum" not in schema and "const" not in schema:
        _bound(schema)
    for child, name in _children(schema):
        _make_portable(child, where=f"{where} ({name!r})" if name else where, is_input=is_input)


def _children(schema: Mapping[str, Json]) -> Iterator[tuple[dict[str, Json], str]]:
    for keyword in ("properties", "$defs", "patternProperties"):
        yield from ((child, name) for name, child in schema.get(keyword, {}).items())
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        yield from ((child, "") for child in schema.get(keyword, []))
    yield from (
        (schema[keyword], "") for keyword in ("items", "additionalProperties") if isinstance(schema.get(keyword), dict)
    )


def _drop_null(schema: dict[str, Json]) -> None:
    """Make "absent" of "null": some clients drop nulls, so an argument may be left out but never be null."""
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        del schema["anyOf"]
        schema.update({**cast("dict[str, Json]", choices[0]), **schema})
    elif choices:
        schema["anyOf"] = choices


def _bound(schema: dict[str, Json]) -> None:
    if "minimum" not in schema and "exclusiveMinimum" not in schema:
        schema["minimum"] = -LARGEST
    if "maximum" not in schema and "exclusiveMaximum" not in schema:
        schema["maximum"] = LARGEST


def _refuse_recursion(name: str, schema: Mapping[str, Json]) -> None:
    definitions: Mapping[str, Json] = schema.get("$defs", {})

    def walk(value: Json, path: tuple[str, ...]) -> None:
        if isinstance(value, list):
            for item in cast("list[Json]", value):  # type: ignore[redundant-cast]  # pyright needs it
                walk(item, path)
        if not isinstance(value, dict):
            return
        members = cast("dict[str, Json]", value)
        reference = str(members.get("$ref", "")).removeprefix("#/$defs/")
        if reference in path:
            raise BadDeclaration(
                f"{name}: {reference} contains itself, which some clients cannot read; bound its depth."
            )
        if reference:
            walk(definitions[reference], (*path, reference))
        for member in members.values():
            walk(member, path)

    walk({key: member for key, member in schema.items() if key != "$defs"}, ())
