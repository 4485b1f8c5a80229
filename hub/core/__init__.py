"""Values without I/O: ids, errors, canonical JSON, redaction."""
