"""The hub: an MCP tool registry and server hub with governed writes."""
