"""A client that knows nothing but the address and its credentials finds its way in, and steps up when it must."""

import socket
from dataclasses import replace

import httpx2
import pytest
from doors.outside import served_at
from doors.working_hub import WorkingHub
from mcp import Client
from mcp.client.auth import TokenStorage
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from starlette.applications import Starlette

from hub.identity.clients import issue_secret
from hub.identity.tokens import TokenVerifier
from hub.mcp import mcp_door
from hub.oauth import oauth_routes

pytestmark = pytest.mark.anyio


class Memory(TokenStorage):
    """Keeps what the client has been given, and how often."""

    def __init__(self) -> None:
        self.tokens: list[OAuthToken] = []

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens[-1] if self.tokens else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens.append(tokens)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        del client_info


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_discovers_gets_a_token_and_steps_up_for_a_write(hub: WorkingHub, mode: str) -> None:
    async with hub.database.transaction() as tx:
        secret = await issue_secret(tx, hub.agent.id, hub.authority)
    memory = Memory()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        verifier = TokenVerifier(hub.database, hub.runtime.keys, address)
        runtime = replace(hub.runtime, public_url=address, verifier=verifier)
        door = mcp_door(runtime)
        provider = ClientCredentialsOAuthProvider(
            server_url=f"{address}/mcp",
            storage=memory,
            client_id=hub.agent.id,
            client_secret=secret.value,
            issuer=address,
        )
        async with (
            door.running(),
            served_at(listening, Starlette(routes=[*door.routes, *oauth_routes(runtime)])),
            httpx2.AsyncClient(auth=provider, timeout=120) as http,
            Client(streamable_http_client(f"{address}/mcp", http_client=http), mode=mode, cache=None) as client,
        ):
            read = await client.call_tool("item_get", {"id": 1})
            write = await client.call_tool("item_update", {"id": 1, "quantity": 4})

    assert not read.is_error
    assert not write.is_error
    assert [token.scope for token in memory.tokens] == ["upstream:read", "upstream:read upstream:write"]
    assert len(hub.upstream.store.effects()) == 1
