"""Arguments that the newer protocol has repeated in headers: those that a schema names, and those of one call."""

from collections.abc import Mapping
from typing import Any, cast

from mcp.shared.inbound import find_invalid_x_mcp_header, mcp_param_headers, x_mcp_header_map

Json = Any
"""Any JSON value."""


def repeated(schema: Json) -> dict[str, list[str]]:
    """Return the header that repeats an argument, with the path to it, for each that `schema` names.

    Raises:
        ValueError: it names one that there cannot be; such a tool must not be called.
    """
    if not isinstance(schema, dict):
        return {}
    members = cast("dict[str, Json]", schema)
    if problem := find_invalid_x_mcp_header(members):
        raise ValueError(problem)
    return {token: list(path) for path, token in x_mcp_header_map(members).items()}


def of_a_call(named: Mapping[str, list[str]], arguments: Mapping[str, Json]) -> dict[str, str]:
    """Return the headers of a call with `arguments`; `named` is what `repeated` found."""
    paths = {tuple(path): token for token, path in named.items()}
    return {name.lower(): value for name, value in mcp_param_headers(paths, dict(arguments)).items()}
