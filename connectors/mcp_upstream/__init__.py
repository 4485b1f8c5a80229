"""Tools of another MCP server (streamable HTTP, both protocol eras), federated without foreign code."""

from connectors.mcp_upstream.apart import apart
from connectors.mcp_upstream.discover import Discovery, Owner, Refusal, before_discovery, discover, owner_of
from connectors.mcp_upstream.run import carry_out

__all__ = ["Discovery", "Owner", "Refusal", "apart", "before_discovery", "carry_out", "discover", "owner_of"]
