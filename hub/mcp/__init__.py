"""The door for agents: one MCP endpoint per published server, in both protocol eras, stateless."""

from hub.mcp.door import McpDoor, mcp_door

__all__ = ["McpDoor", "mcp_door"]
