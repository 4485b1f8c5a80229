"""The vault for upstream credentials."""
