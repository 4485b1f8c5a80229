"""Client credentials for the clients that take an authenticator of the MCP SDK, of either of its major versions."""

from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from turns import Json, Turn


class Memory:
    """Keeps the token for as long as the process lives."""

    token: Json = None

    async def get_tokens(self) -> Json:
        """Return the token at hand."""
        return self.token

    async def set_tokens(self, tokens: Json) -> None:
        """Keep a token."""
        self.token = tokens

    async def get_client_info(self) -> None:
        """Return nothing: the client's id is known."""

    async def set_client_info(self, client_info: Json) -> None:
        """Keep nothing."""


def identity(turn: Turn) -> ClientCredentialsOAuthProvider:
    """Return what finds the way to a token from the first 401 on, and to a better one from a 403."""
    return ClientCredentialsOAuthProvider(
        server_url=turn.endpoint,
        storage=Memory(),
        client_id=turn.client_id,
        client_secret=turn.client_secret,
        issuer=turn.hub,
    )
