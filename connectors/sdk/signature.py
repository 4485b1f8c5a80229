"""The schemas of an operation, made from its function: parameters in, return type out, in the portable subset."""

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model
from pydantic.errors import PydanticUserError

from connectors.sdk.portable import bound_integers, drop_noise, drop_null, parts_of, reference_problem

Json = Any
"""Any JSON value."""


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
    if any("discriminator" in part for part in parts_of(schema)):
        raise BadDeclaration(f"{name}: {what} uses a discriminated union, which some clients drop; use a plain union.")
    drop_noise(schema)
    if is_input:
        drop_null(schema)
    bound_integers(schema)
    if problem := reference_problem(schema):
        raise BadDeclaration(f"{name}: in {what}, {problem}.")
    if schema.get("type") != "object":
        raise BadDeclaration(f"{name}: {what} must be one object; wrap a list or a union in a model.")
    schema.pop("description", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
