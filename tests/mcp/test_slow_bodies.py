"""A request is let in by its headers; what has ended by the time its body is there lets it do nothing."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
from doors.working_hub import WorkingHub
from sqlalchemy import select

from hub.identity.accounts import suspend
from hub.identity.clients import limit_client
from hub.identity.grants import revoke_grants_between, revoke_grants_of
from hub.invocations.tables import InvocationRow
from hub.storage import Tx

pytestmark = pytest.mark.anyio

HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
End = Callable[[WorkingHub, Tx], Awaitable[object]]


async def agent_is_suspended(hub: WorkingHub, tx: Tx) -> None:
    await suspend(tx, hub.agent.id, "odd behaviour", hub.authority)


async def person_is_suspended(hub: WorkingHub, tx: Tx) -> None:
    await suspend(tx, hub.people["requester"].id, "left", hub.authority)


async def tokens_are_revoked(hub: WorkingHub, tx: Tx) -> None:
    await revoke_grants_of(tx, hub.agent.id, "revoked", hub.authority)


async def leave_is_taken_back(hub: WorkingHub, tx: Tx) -> None:
    both = {"user_id": hub.people["requester"].id, "client_id": hub.agent.id}
    await revoke_grants_between(tx, **both, reason="consent withdrawn", authority=hub.authority)


async def scopes_are_narrowed(hub: WorkingHub, tx: Tx) -> None:
    servers = hub.agent.allowed_servers
    await limit_client(tx, hub.agent.id, scopes=frozenset(), servers=servers, authority=hub.authority)


ENDS = [agent_is_suspended, person_is_suspended, tokens_are_revoked, leave_is_taken_back, scopes_are_narrowed]


async def sent_slowly(
    hub: WorkingHub, http: httpx2.AsyncClient, end: End, tool: str, arguments: dict[str, Any]
) -> httpx2.Response:
    """Let the end come after the beginning of a call and before the rest of it."""
    params = {"name": tool, "arguments": arguments}
    whole = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).encode()

    async def body() -> AsyncIterator[bytes]:
        yield whole[:10]
        async with hub.database.transaction() as tx:
            await end(hub, tx)
        yield whole[10:]

    headers = {**HEADERS, "Authorization": f"Bearer {await hub.token()}"}
    return await http.post("/mcp", content=body(), headers=headers)


@pytest.mark.parametrize("end", ENDS)
async def test_a_read_whose_body_comes_after_the_end_reads_nothing(
    hub: WorkingHub, http: httpx2.AsyncClient, end: End
) -> None:
    answered = await sent_slowly(hub, http, end, "item_get", {"id": 1})

    assert answered.status_code in {401, 403}, answered.text
    assert hub.upstream.store.requests() == []


@pytest.mark.parametrize("end", ENDS)
async def test_a_write_whose_body_comes_after_the_end_is_not_put_on_record(
    hub: WorkingHub, http: httpx2.AsyncClient, end: End
) -> None:
    answered = await sent_slowly(hub, http, end, "ticket_create", {"title": "Late"})

    async with hub.database.reading() as tx:
        on_record = (await tx.scalars(select(InvocationRow.id))).all()
    assert answered.status_code in {401, 403}, answered.text
    assert on_record == []
