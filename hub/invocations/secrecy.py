"""What of a call may be put on record: everything but what the tool's schemas mark as secret."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hub.core.redaction import redact
from hub.registry import PublishedTool

Json = Any
"""Any JSON value."""


def recorded_arguments(tool: PublishedTool, arguments: Mapping[str, Json]) -> Json:
    """Return the arguments without the secrets among them."""
    return _without_secrets(arguments, tool.version.digest, "input", tool.version.spec.input_schema)


def recorded_output(tool: PublishedTool, output: Json) -> Json:
    """Return the output without the secrets in it."""
    return _without_secrets(output, tool.version.digest, "output", tool.version.spec.output_schema)


def _without_secrets(value: Json, digest: str, side: str, schema: Mapping[str, Json]) -> Json:
    return redact(value, schema) if _marks_secrets(digest, side, _Schema(schema)) else value


class _Schema:
    """A schema as an argument of a cache that looks at the version's digest alone; schemas cannot be hashed."""

    def __init__(self, schema: Mapping[str, Json]) -> None:
        self.schema = schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Schema)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=20_000)
def _marks_secrets(_digest: str, _side: str, schema: _Schema) -> bool:
    return "x-secret" in json.dumps(dict(schema.schema))
