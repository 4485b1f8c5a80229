"""JSON Schemas of everything the hub publishes, and the only importer of jsonschema."""
