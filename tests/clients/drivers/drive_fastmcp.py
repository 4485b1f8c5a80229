"""Drives FastMCP's client, which has no model: the turn itself decides."""

from fastmcp import Client
from fastmcp.client.auth import ClientCredentialsOAuthProvider
from turns import Turn, take_turns


async def play(turn: Turn) -> None:
    """Make the calls."""
    auth = ClientCredentialsOAuthProvider(client_id=turn.client_id, client_secret=turn.client_secret, issuer=turn.hub)
    await make_calls(Client(turn.endpoint, auth=auth, timeout=turn.patience), turn)


async def make_calls(client: Client, turn: Turn) -> None:
    """Make the calls, whoever the client acts for."""
    async with client:
        names = [tool.name for tool in await client.list_tools()]
        asked = turn.next(names, "")
        while asked:
            result = await client.call_tool(*asked, raise_on_error=False)
            asked = turn.next(names, "\n".join(block.text for block in result.content if block.type == "text"))


if __name__ == "__main__":
    take_turns(play, "fastmcp", "mcp")
