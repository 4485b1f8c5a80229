"""Tools of another MCP server (streamable HTTP, both protocol eras), federated without foreign code."""

from connectors.mcp_upstream.discover import Discovery, Owner, Refusal, discover
from connectors.mcp_upstream.run import carry_out

__all__ = ["Discovery", "Owner", "Refusal", "carry_out", "discover"]
