"""Connectors: what wraps one kind of system each."""
