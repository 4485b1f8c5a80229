"""The schemas that the hub publishes, by name, and checking a value against one of them."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from json import loads
from typing import Any, Final

from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from schemas.keywords import validator_for, without_dialect
from schemas.wording import Finding, findings_of

Json = Any
"""Any JSON value."""

PUBLISHED: Final = ("audit-event", "composite", "connector", "invocation", "operation", "preview", "problem")
"""What is published, each as `{name}.v1.json` beside this module."""


@cache
def document(name: str) -> Mapping[str, Json]:
    """Return the published schema `name`, one of `PUBLISHED`."""
    text = files("schemas").joinpath(f"{name}.v1.json").read_text(encoding="utf-8")
    read: Mapping[str, Json] = loads(text)
    return read


def check_published(name: str, value: Json) -> list[Finding]:
    """Return every rule of the published schema `name` that `value` breaks; nothing means that it is one."""
    errors: Iterable[ValidationError] = validator_for(document(name), _together()).iter_errors(value)  # pyright: ignore[reportUnknownMemberType]  # partial stubs
    return findings_of(errors)


@cache
def _together() -> Registry[Json]:
    """Return the published schemas, which may refer to each other; there is nothing else to refer to."""
    return Registry[Json]().with_resources((str(document(name)["$id"]), _resource(name)) for name in PUBLISHED)


def _resource(name: str) -> Resource[Json]:
    return DRAFT202012.create_resource(without_dialect(document(name)))
