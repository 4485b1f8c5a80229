"""The SQL connector: tools declared in a manifest, compiled to statements that the broker knows by name."""
