"""A token is bound to the version of its agent's declaration: never more than that, nor than the newest allows."""

import pytest
from oauth_hub import Hub
from test_verify import parts_of, signed

from hub import audit
from hub.audit import EventKind
from hub.core.errors import InputError, NotFound, Unauthenticated
from hub.identity.accounts import suspend
from hub.identity.clients import limit_client
from hub.identity.declarations import Statement, agent_versions, as_of, state
from hub.identity.directory import get

pytestmark = pytest.mark.anyio

BOTH = frozenset({"tryton:read", "tryton:write"})


async def limit(hub: Hub, scopes: frozenset[str], *servers: str) -> None:
    async with hub.database.transaction() as tx:
        await limit_client(tx, hub.agent.id, scopes=scopes, servers=frozenset(servers), authority=hub.authority)


async def issued(hub: Hub) -> str:
    return str((await hub.redeem(await hub.code())).json()["access_token"])


async def test_a_token_names_the_version_that_was_declared_when_it_was_issued(hub: Hub) -> None:
    first = await issued(hub)
    await limit(hub, BOTH, "sales", "everything", "desk")
    second = await issued(hub)

    assert [parts_of(one)[1]["agent_version"] for one in (first, second)] == [1, 2]
    assert [(await hub.caller(one)).actor.agent_version for one in (first, second)] == [1, 2]


async def test_a_wider_declaration_widens_no_token_that_is_out(hub: Hub) -> None:
    token = await issued(hub)
    await limit(hub, BOTH | {"crm:read"}, "sales", "everything", "desk")

    actor = (await hub.caller(token)).actor

    assert (actor.allowed_servers, actor.allowed_scopes) == ({"sales", "everything"}, BOTH)
    newest = (await hub.caller(await issued(hub))).actor
    assert newest.allowed_servers == {"sales", "everything", "desk"}


async def test_a_narrower_declaration_narrows_every_token_at_once_and_back_is_no_more_than_it_was(hub: Hub) -> None:
    token = await issued(hub)
    await limit(hub, frozenset({"tryton:read"}), "sales")
    narrowed = (await hub.caller(token)).scopes
    await limit(hub, BOTH, "sales", "everything", "desk")

    caller = await hub.caller(token)

    assert (narrowed, caller.scopes) == ({"tryton:read"}, BOTH)
    assert caller.actor.allowed_servers == {"sales", "everything"}


async def test_a_version_that_is_not_on_record_allows_nothing(hub: Hub) -> None:
    header, claims = parts_of(await issued(hub))

    for number in (0, 7, "1", None):
        with pytest.raises(Unauthenticated):
            await hub.caller(signed(hub, header, {**claims, "agent_version": number}))


async def test_suspension_stops_the_tokens_of_every_version(hub: Hub) -> None:
    first = await issued(hub)
    await limit(hub, BOTH, "sales", "everything", "desk")
    second = await issued(hub)
    async with hub.database.transaction() as tx:
        await suspend(tx, hub.agent.id, "strange behaviour", hub.authority)

    for token in (first, second):
        with pytest.raises(Unauthenticated):
            await hub.caller(token)


async def test_each_other_declaration_is_a_version_with_a_digest_and_an_event_and_the_same_is_none(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        stated = Statement(model="m-4", prompt="sha256:0f")
        await state(tx, hub.agent.id, stated, hub.authority)
        await state(tx, hub.agent.id, stated, hub.authority)
    await limit(hub, BOTH, "sales", "everything")  # what it is already

    async with hub.database.reading() as tx:
        newest, first = await agent_versions(tx, hub.agent.id)
        events = await audit.events_of(tx, hub.agent.id)
    assert newest.changed_from(first) == {"model": ("", "m-4"), "prompt": ("", "sha256:0f")}
    declared = [event.facts for event in events if event.kind is EventKind.AGENT_DECLARED]
    assert [(one["version"], one["digest"]) for one in declared] == [("1", first.digest), ("2", newest.digest)]
    assert first.declaration["owner"] == hub.ada.id


async def test_what_is_stated_is_bounded_and_about_an_agent(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        with pytest.raises(InputError, match="name a prompt by digest"):
            await state(tx, hub.agent.id, Statement(prompt="x" * 201), hub.authority)
        with pytest.raises(NotFound):
            await state(tx, hub.ada.id, Statement(model="m"), hub.authority)


async def test_people_have_no_versions_and_are_not_narrowed(hub: Hub) -> None:
    async with hub.database.reading() as tx:
        ada = await get(tx, hub.ada.id)

        assert await as_of(tx, ada, 0) == ada
