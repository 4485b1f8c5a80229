"""Tokens that are bound to a key, at the servers (RFC 9449 section 7): nobody uses one without the key."""

import json
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from doors.agents import BOTH_ENGINES
from doors.holding import Holder, hash_of
from doors.working_hub import PUBLIC_URL, WorkingHub

from hub.core.errors import ProofRefused, Unauthenticated
from hub.identity.accounts import suspend
from hub.identity.possession import NONCE_HEADER, Asked, Place, new_nonce
from hub.identity.tokens import TokenVerifier
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio

RESOURCE = f"{PUBLIC_URL}/mcp"
READ = {"name": "item_get", "arguments": {"id": 1}}
WRITE = {"name": "item_update", "arguments": {"id": 1, "name": "x"}}
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
MASTER_KEY = bytes(range(32))
"""The one that the fixture `keys` was opened with."""

Json = Any
"""Any JSON value."""


@dataclass(kw_only=True)
class Client:
    """A client with a key, at the built-in server."""

    hub: WorkingHub
    http: httpx2.AsyncClient
    holder: Holder
    token: str

    def proof(self, by: Holder | None = None, **claims: Json) -> str:
        """Return a proof for a call with the client's token, by its own key or another one."""
        usual = {"nonce": new_nonce(self.hub.runtime.keys, Place.RESOURCE), "ath": hash_of(self.token)}
        return (by or self.holder).proof("POST", RESOURCE, **{**usual, **claims})

    async def call(
        self, *proofs: str, scheme: str = "DPoP", token: str | None = None, call: dict[str, Json] = READ
    ) -> httpx2.Response:
        """Call a tool, with the proofs that are given."""
        message = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call}
        credential = ("Authorization", f"{scheme} {token or self.token}")
        headers = [*HEADERS.items(), credential, *(("DPoP", one) for one in proofs)]
        return await self.http.post("/mcp", content=json.dumps(message).encode(), headers=headers)


@pytest.fixture
async def client(hub: WorkingHub, http: httpx2.AsyncClient) -> Client:
    holder = Holder()
    return Client(hub=hub, http=http, holder=holder, token=await hub.token(bound_to=holder.thumbprint))


def refusal(answer: httpx2.Response) -> str:
    """Return why a request was refused, as its body and its challenge both say."""
    assert answer.status_code == 401, answer.text
    error = str(answer.json()["error"]["data"]["error"])
    assert f'error="{error}"' in answer.headers["www-authenticate"]
    return error


async def test_who_holds_the_key_is_let_in_and_told_the_next_nonce(client: Client) -> None:
    first = await client.call(client.proof())
    second = await client.call(client.proof(nonce=first.headers[NONCE_HEADER]))

    assert (first.status_code, second.status_code) == (200, 200)
    assert "error" not in first.json()


async def test_a_stolen_token_is_worth_nothing_without_the_key(client: Client) -> None:
    thief = Holder()

    assert refusal(await client.call(client.proof(thief))) == "invalid_token"
    assert refusal(await client.call()) == "invalid_dpop_proof"
    assert refusal(await client.call(scheme="Bearer")) == "invalid_token"
    assert refusal(await client.call(client.proof(), scheme="Bearer")) == "invalid_token"


async def test_a_stolen_proof_is_worth_nothing(client: Client) -> None:
    seen, another = client.proof(), await client.hub.token(bound_to=client.holder.thumbprint)
    first = await client.call(seen)

    assert first.status_code == 200
    assert refusal(await client.call(seen)) == "invalid_dpop_proof"
    assert refusal(await client.call(client.proof(), token=another)) == "invalid_dpop_proof"
    assert refusal(await client.call(client.proof(ath=None))) == "invalid_dpop_proof"
    assert refusal(await client.call(client.proof(htm="GET"))) == "invalid_dpop_proof"
    assert refusal(await client.call(client.proof(htu=f"{PUBLIC_URL}/servers/sales/mcp"))) == "invalid_dpop_proof"
    assert refusal(await client.call(client.proof(iat=int(time.time()) - 200))) == "invalid_dpop_proof"


async def test_a_proof_needs_a_nonce_of_this_server(client: Client) -> None:
    of_the_other = new_nonce(client.hub.runtime.keys, Place.AUTHORIZATION)

    for nonce in (None, of_the_other, "made-up"):
        asked = await client.call(client.proof(nonce=nonce))
        assert refusal(asked) == "use_dpop_nonce"
        assert (await client.call(client.proof(nonce=asked.headers[NONCE_HEADER]))).status_code == 200


async def test_the_challenge_begins_with_the_scheme_that_was_used_and_names_both(client: Client) -> None:
    held, bearer = await client.call(), await client.call(scheme="Bearer", token="garbage")

    assert held.headers["www-authenticate"].startswith('DPoP error="invalid_dpop_proof"')
    assert 'algs="ES256 ' in held.headers["www-authenticate"]
    assert bearer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    for answer in (held, bearer):
        assert "Bearer " in answer.headers["www-authenticate"]
        assert "DPoP " in answer.headers["www-authenticate"]


async def test_a_missing_scope_is_told_in_the_scheme_that_was_used(client: Client) -> None:
    granted = frozenset({"upstream:read"})
    client.token = await client.hub.token(granted=granted, bound_to=client.holder.thumbprint)

    answer = await client.call(client.proof(), call=WRITE)

    assert answer.status_code == 403
    assert answer.headers["www-authenticate"].startswith('DPoP error="insufficient_scope"')


async def test_a_token_that_is_bound_to_nothing_goes_by_the_scheme_of_its_own(client: Client) -> None:
    plain = await client.hub.token()
    proof = client.proof(ath=hash_of(plain))

    assert refusal(await client.call(proof, token=plain)) == "invalid_token"
    assert (
        await client.call(proof, scheme="Bearer", token=plain)
    ).status_code == 200  # RFC 6750: the header says nothing


async def test_what_goes_on_after_its_key_was_proved_is_looked_at_by_its_token_alone(client: Client) -> None:
    verifier = client.hub.runtime.verifier

    caller, left = await verifier.standing(client.token, resource=RESOURCE)  # as a stream does, again and again

    assert caller.actor == client.hub.agent
    assert 0 < left.total_seconds() <= 600
    async with client.hub.database.transaction() as tx:
        await suspend(tx, client.hub.agent.id, "it looked odd", client.hub.authority)
    with pytest.raises(Unauthenticated):
        await verifier.standing(client.token, resource=RESOURCE)


async def test_two_credentials_are_none(client: Client) -> None:
    headers = [*HEADERS.items(), *(("Authorization", f"{scheme} {client.token}") for scheme in ("Bearer", "DPoP"))]

    answer = await client.http.post("/mcp", content=b"{}", headers=[*headers, ("DPoP", client.proof())])

    assert answer.status_code == 401


@pytest.fixture
async def replica(database: Database) -> AsyncGenerator[TokenVerifier]:
    """What another process verifies with: an engine and keys of its own."""
    other = Database(database.url.render_as_string(hide_password=False))
    yield TokenVerifier(other, await Keyring.open(other, MASTER_KEY), PUBLIC_URL)
    await other.close()


@BOTH_ENGINES
async def test_a_proof_that_one_replica_saw_counts_at_no_other(client: Client, replica: TokenVerifier) -> None:
    seen, fresh = (Asked(method="POST", url=RESOURCE, proofs=(client.proof(),)) for _ in range(2))

    first = await client.call(*seen.proofs)
    caller = await replica.verify_held(client.token, fresh, resource=RESOURCE)

    assert first.status_code == 200
    assert caller.actor == client.hub.agent
    with pytest.raises(ProofRefused, match="used before"):
        await replica.verify_held(client.token, seen, resource=RESOURCE)
