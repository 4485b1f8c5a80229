"""What came of an import, in numbers and reasons, as it is printed and written to a file."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.openapi.compiling import Compilation
from connectors.openapi.finishing import ImportedTool
from connectors.sdk.spec import OperationSpec
from schemas import SchemaInvalid, compile_schema, envelope_schema, lint_input, lint_output, subschemas
from schemas.pointers import DanglingReference, resolve_reference

Json = Any
"""Any JSON value."""


def report_of(compilation: Compilation) -> dict[str, Json]:
    """Return the report: counts, and each tool and refusal with its reasons.

    `dangling` counts references in the tools' schemas that lead nowhere, `invalid` schemas that are none, and
    `non_portable` tools that some client could not read; `findings` are the defects of the document itself.
    """
    tools = [_tool(tool) for tool in compilation.tools]
    return {
        "operations": compilation.operations,
        "tools": tools,
        "refusals": [{"operation": one.operation, "reason": one.reason} for one in compilation.refusals],
        "dangling": sum(_dangling(schema) for schema in _schemas(compilation)),
        "invalid": sum(_is_invalid(schema) for schema in _schemas(compilation)),
        "non_portable": sum(bool(tool["problems"]) for tool in tools),
        "bytes_per_tool": round(sum(tool["bytes"] for tool in tools) / len(tools)) if tools else 0,
        "base_url": compilation.base_url,
        "sign_in": compilation.spec.auth.kind,
        "findings": [{"finding": finding, "times": times} for finding, times in compilation.findings.items()],
    }


def listed_bytes(spec: OperationSpec) -> int:
    """Return how many bytes the tool of `spec` takes in the hub's `tools/list`, under its own name."""
    listed = {
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "inputSchema": spec.input_schema,
        "outputSchema": envelope_schema(spec.output_schema),
        "annotations": {
            "title": spec.title,
            **dict.fromkeys(("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"), False),
        },
    }
    return len(json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode())


def _tool(tool: ImportedTool) -> dict[str, Json]:
    spec = tool.spec
    return {
        "name": spec.name,
        "operation": tool.operation,
        "exposed": tool.is_exposed,
        "effect": spec.effect.value,
        "tier": spec.tier.value,
        "reasons": _reasons(tool),
        "upstream_class": spec.upstream_class.value,
        "fidelity": spec.fidelity.value,
        "bytes": listed_bytes(spec),
        "problems": [*lint_input(spec.input_schema), *lint_output(spec.output_schema)],
    }


def _reasons(tool: ImportedTool) -> dict[str, Json]:
    reasons = {"effect": tool.effect_reason, "tier": tool.tier_reason}
    if "key_header" not in tool.spec.binding or tool.spec.idempotency is not None:
        return reasons
    name = tool.spec.binding["key_header"]
    said = f"x-hub: {{idempotency: {{kind: header, name: {name}}}}}"
    proof = f"{name} is sent, and proves nothing. Once you have seen that the same key does nothing twice, say {said}."
    return {**reasons, "upstream_class": proof}


def _schemas(compilation: Compilation) -> Iterator[Mapping[str, Json]]:
    for tool in compilation.tools:
        yield tool.spec.input_schema
        yield tool.spec.output_schema


def _dangling(schema: Mapping[str, Json]) -> int:
    return sum(not _leads_somewhere(schema, part["$ref"]) for _, part in subschemas(schema) if "$ref" in part)


def _leads_somewhere(schema: Mapping[str, Json], reference: str) -> bool:
    try:
        resolve_reference(schema, reference)
    except DanglingReference:
        return False
    return True


def _is_invalid(schema: Mapping[str, Json]) -> bool:
    try:
        compile_schema(schema)
    except SchemaInvalid:
        return not _dangling(schema)
    return False
