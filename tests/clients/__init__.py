"""Real MCP clients of eight makers, each in an environment of its own, at a real hub: what each can do there."""
