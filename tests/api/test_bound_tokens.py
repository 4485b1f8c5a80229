"""Tokens that are bound to a key, at the API (RFC 9449 section 7), and agents that have no others."""

import httpx2
import pytest
from doors.holding import Holder
from doors.people import API, LogIn, is_problem
from doors.working_hub import ALL_SCOPES, PUBLIC_URL, WorkingHub

from hub.identity.possession import NONCE_HEADER
from hub.identity.resources import API as API_RESOURCE

pytestmark = pytest.mark.anyio

TOOLS = f"{PUBLIC_URL}{API}/tools"


async def test_a_bound_token_opens_the_api_with_a_proof_for_this_very_address(
    hub: WorkingHub, http: httpx2.AsyncClient
) -> None:
    agent, holder = await hub.make_agent("reader", servers=frozenset({API_RESOURCE})), Holder()
    token = await hub.token(of=agent, granted=ALL_SCOPES, server=API_RESOURCE, bound_to=holder.thumbprint)

    async def ask(proof: str | None, scheme: str = "DPoP") -> httpx2.Response:
        headers = {"Authorization": f"{scheme} {token}", **({"DPoP": proof} if proof else {})}
        return await http.get(f"{API}/tools?limit=1", headers=headers)

    asked = await ask(holder.proof("GET", TOOLS, token))
    holder.nonce = asked.headers[NONCE_HEADER]
    proof = holder.proof("GET", TOOLS, token)
    let_in = await ask(proof)
    elsewhere = await ask(holder.proof("GET", f"{PUBLIC_URL}{API}/servers", token))
    bearer = await ask(None, "Bearer")

    assert is_problem(asked, 401, "use_dpop_nonce")
    assert let_in.status_code == 200
    assert let_in.headers[NONCE_HEADER]
    assert is_problem(await ask(proof), 401, "invalid_dpop_proof")
    assert is_problem(elsewhere, 401, "invalid_dpop_proof")
    assert 'error="invalid_dpop_proof"' in elsewhere.headers["www-authenticate"]
    assert is_problem(bearer, 401, "unauthenticated")
    assert bearer.headers["www-authenticate"].startswith("Bearer, DPoP algs=")


async def test_an_administrator_says_that_an_agent_has_bound_tokens_alone(hub: WorkingHub, log_in: LogIn) -> None:
    administrator = await log_in("administrator")
    new = {"name": "careful", "display_name": "Careful", "owner_id": hub.people["owner"].id, "needs_bound_tokens": True}

    made = (await administrator.send("POST", "/agents", new)).json()["agent"]
    changed = await administrator.send("PUT", f"/agents/{made['id']}/binding", {"needs_bound_tokens": False})
    unknown = await administrator.send("PUT", "/agents/agt_nobody/binding", {"needs_bound_tokens": True})

    assert made["needs_bound_tokens"] is True
    assert changed.json()["needs_bound_tokens"] is False
    assert is_problem(unknown, 404, "not_found")
