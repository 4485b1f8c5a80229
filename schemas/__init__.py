"""JSON Schemas of everything the hub publishes, and the only importer of jsonschema."""

from schemas.compiled import CompiledSchema, SchemaInvalid, compile_schema
from schemas.envelope import ENVELOPE, envelope_schema, placed
from schemas.lint import lint_bounds, lint_input, lint_null, lint_output, lint_portable
from schemas.pointers import DanglingReference, resolve_reference
from schemas.published import PUBLISHED, check_published, document
from schemas.walking import subschemas
from schemas.wording import Finding

__all__ = [
    "ENVELOPE",
    "PUBLISHED",
    "CompiledSchema",
    "DanglingReference",
    "Finding",
    "SchemaInvalid",
    "check_published",
    "compile_schema",
    "document",
    "envelope_schema",
    "lint_bounds",
    "lint_input",
    "lint_null",
    "lint_output",
    "lint_portable",
    "placed",
    "resolve_reference",
    "subschemas",
]
