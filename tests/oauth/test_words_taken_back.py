"""What a person takes back at the very moment when a token is made of it: nothing that stood on it is left.

Whichever of the two is first, the other one waits. On SQLite there is one writer at a time anyway.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import pytest
from oauth_hub import RESOURCE, VERIFIER, Hub
from sqlalchemy import text
from test_exchange import Two, token_of, two

from hub.core.errors import Unauthenticated
from hub.identity.access_tokens import read_access_token
from hub.identity.accounts import resume, suspend
from hub.identity.clients import ClientProof, authenticate_client
from hub.identity.grants import Issued, Refused, revoke_grant
from hub.identity.grants_consent import withdraw_consent
from hub.identity.grants_exchange import ACCESS_TOKEN, TOKEN_EXCHANGE
from hub.identity.grants_types import exchange
from hub.storage import Tx, now

__all__ = ["two"]

pytestmark = pytest.mark.anyio

Change = Callable[[Hub, Tx], Awaitable[object]]


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    """The only engine on which two change anything at the same moment."""
    return postgresql_url


async def asked(hub: Hub, tx: Tx, form: dict[str, str]) -> Issued | Refused:
    """Return what the token endpoint answers in a transaction that goes on."""
    proof = ClientProof(client_id=hub.agent.id, method="client_secret_post", secret=hub.secret)
    client = await authenticate_client(tx, proof)
    assert client is not None
    return await exchange(tx, hub.server, client, form)


async def begun(hub: Hub, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """Return work that has begun, once it is done or waits for a lock."""
    task = asyncio.create_task(work)
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while not task.done():
        async with hub.database.reading() as tx:
            if await tx.scalar(waiting):
                break
    return task


async def changed(hub: Hub, change: Change) -> None:
    async with hub.database.transaction() as tx:
        await change(hub, tx)


async def withdraws(hub: Hub, tx: Tx) -> None:
    await withdraw_consent(tx, hub.ada.id, hub.agent.id, hub.authority)


async def is_suspended_and_comes_back(hub: Hub, tx: Tx) -> None:
    await suspend(tx, hub.ada.id, "a stolen laptop", hub.authority)
    await resume(tx, hub.ada.id, hub.authority)


async def the_agent_is_suspended(hub: Hub, tx: Tx) -> None:
    await suspend(tx, hub.agent.id, "strange behaviour", hub.authority)


def redeeming(code: str) -> dict[str, str]:
    return {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}


async def revoked(hub: Hub, token: str) -> None:
    form = {"token": token, "client_id": hub.agent.id, "client_secret": hub.secret}
    assert (await hub.http.post("/oauth/revoke", data=form)).status_code == 200


EXCHANGING: Final = {"grant_type": TOKEN_EXCHANGE, "subject_token_type": ACCESS_TOKEN}
TAKEN_BACK: Final[dict[str, Change]] = {"withdrawn": withdraws, "suspended": is_suspended_and_comes_back}


@pytest.mark.parametrize("change", TAKEN_BACK.values(), ids=TAKEN_BACK)
async def test_what_is_taken_back_while_a_code_is_redeemed_ends_what_came_of_it(hub: Hub, change: Change) -> None:
    code = await hub.code()

    async with hub.database.transaction() as tx:
        issued = await asked(hub, tx, redeeming(code))
        other = await begun(hub, changed(hub, change))
    await other

    assert isinstance(issued, Issued)
    with pytest.raises(Unauthenticated):
        await hub.caller(issued.access_token)


@pytest.mark.parametrize("change", TAKEN_BACK.values(), ids=TAKEN_BACK)
async def test_a_code_that_is_redeemed_while_something_is_taken_back_gives_nothing(hub: Hub, change: Change) -> None:
    code = await hub.code()
    answers = list[Issued | Refused]()

    async def redeemed() -> None:
        async with hub.database.transaction() as tx:
            answers.append(await asked(hub, tx, redeeming(code)))

    async with hub.database.transaction() as tx:
        await change(hub, tx)
        other = await begun(hub, redeemed())
    await other

    assert [type(one) for one in answers] == [Refused]


async def test_an_answer_that_allows_less_narrows_what_a_code_gives_at_that_moment(hub: Hub) -> None:
    code, again = await hub.code(), await hub.ask()

    async def narrowed() -> None:
        await hub.consent(again, "tryton:read")

    async with hub.database.transaction() as tx:
        issued = await asked(hub, tx, redeeming(code))
        other = await begun(hub, narrowed())
    await other

    assert isinstance(issued, Issued)
    assert (await hub.caller(issued.access_token)).scopes == {"tryton:read"}


async def test_consent_withdrawn_while_a_token_is_exchanged_ends_the_exchanged_one(two: Two) -> None:
    await two.second.code()
    subject = await token_of(two.first)
    async with two.second.database.transaction() as tx:
        issued = await asked(two.second, tx, {**EXCHANGING, "subject_token": subject})
        other = await begun(two.second, changed(two.second, withdraws))
    await other

    assert isinstance(issued, Issued)
    with pytest.raises(Unauthenticated):
        await two.second.caller(issued.access_token)


async def test_a_token_revoked_while_it_is_exchanged_takes_the_exchanged_one_with_it(two: Two) -> None:
    await two.second.code()
    subject = await token_of(two.first)
    async with two.second.database.transaction() as tx:
        issued = await asked(two.second, tx, {**EXCHANGING, "subject_token": subject})
        other = await begun(two.first, revoked(two.first, subject))
    await other

    assert isinstance(issued, Issued)
    with pytest.raises(Unauthenticated):
        await two.second.caller(issued.access_token)


async def test_a_token_exchanged_while_it_is_revoked_gives_nothing(two: Two) -> None:
    await two.second.code()
    subject, answers = await token_of(two.first), list[Issued | Refused]()
    grant_id = read_access_token(subject, two.first.server.keys).grant_id

    async def exchanged() -> None:
        async with two.second.database.transaction() as tx:
            answers.append(await asked(two.second, tx, {**EXCHANGING, "subject_token": subject}))

    async with two.first.database.transaction() as tx:
        await revoke_grant(tx, grant_id, "revoked by its client", two.first.authority)
        other = await begun(two.first, exchanged())
    await other

    assert [type(one) for one in answers] == [Refused]


async def test_an_agent_comes_back_without_the_token_it_got_when_it_was_suspended(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        issued = await asked(hub, tx, {"grant_type": "client_credentials", "resource": RESOURCE})
        other = await begun(hub, changed(hub, the_agent_is_suspended))
    await other
    async with hub.database.transaction() as tx:
        await resume(tx, hub.agent.id, hub.authority)

    assert isinstance(issued, Issued)
    with pytest.raises(Unauthenticated):
        await hub.caller(issued.access_token)


async def test_a_caller_says_when_its_token_was_found_good(hub: Hub) -> None:
    token = (await hub.own_token()).json()["access_token"]
    found = [(await hub.caller(token)).verified_at for _ in range(2)]  # looked up, and remembered
    async with hub.database.transaction() as tx:
        await hub.authority.outdate_callers(tx)  # as all does that takes something back: the time is read anew
        at = await now(tx)
    found.append((await hub.caller(token)).verified_at)

    assert [one for one in found if one is None] == []
    assert max(one for one in found if one) >= at
