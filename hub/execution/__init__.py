"""The only way to a connector."""
