"""JSON Schemas of everything the hub publishes, and the only importer of jsonschema."""

from schemas.compiled import CompiledSchema, Finding, SchemaInvalid, compile_schema

__all__ = ["CompiledSchema", "Finding", "SchemaInvalid", "compile_schema"]
