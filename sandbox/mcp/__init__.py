"""The ways to MCP servers: over streamable HTTP with kept sessions, and over the pipes of a process that is kept."""

from sandbox.mcp.http import McpWay
from sandbox.mcp.stdio import StdioWay
from sandbox.mcp.visit import Visit

__all__ = ["McpWay", "StdioWay", "Visit"]
