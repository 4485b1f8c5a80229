"""The door for agents: one MCP endpoint per published server, in both protocol eras, the same at every replica."""

from hub.mcp.door import McpDoor, mcp_door

__all__ = ["McpDoor", "mcp_door"]
