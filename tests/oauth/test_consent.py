"""Consent: whose question it is, how often it can be answered, and what is remembered."""

import pytest
from oauth_hub import PUBLIC_URL, Hub, agent_of, error_in, query_of, request_id_in
from sqlalchemy import update

from hub.core.errors import InputError, NotFound, Unauthenticated
from hub.identity.accounts import suspend
from hub.identity.clients import create_agent, limit_client
from hub.identity.directory import get
from hub.identity.enrolment import enrol
from hub.identity.grants_consent import (
    ConsentQuestion,
    consent_question,
    consents_of,
    deny_consent,
    grant_consent,
    withdraw_consent,
)
from hub.identity.principals import Principal, PrincipalKind
from hub.identity.tables import AuthorizationRequestRow, ClientRow
from hub.storage import now

pytestmark = pytest.mark.anyio


async def question(hub: Hub, request_id: str, user: Principal) -> ConsentQuestion:
    async with hub.database.transaction() as tx:
        return await consent_question(tx, request_id, user)


async def agree(hub: Hub, request_id: str, user: Principal, *scopes: str) -> str:
    session = await hub.login(user)
    async with hub.database.transaction() as tx:
        return await grant_consent(tx, request_id, session, scopes, hub.server.authority(user.id))


async def somebody_else(hub: Hub) -> Principal:
    async with hub.database.transaction() as tx:
        return await get(tx, await enrol(tx, kind=PrincipalKind.USER, name="eve", display_name="Eve"))


async def test_the_question_says_who_wants_what_where(hub: Hub) -> None:
    asked = await question(hub, request_id_in(await hub.ask()), hub.ada)

    assert (asked.agent.name, asked.server) == ("clerk", "sales")
    assert asked.owner == hub.ada
    assert asked.scopes == ("tryton:read", "tryton:write")
    assert asked.given_before == frozenset()


async def test_what_one_person_allows_one_client_counts_for_no_other_person_and_client(hub: Hub) -> None:
    await hub.code()  # ada allows clerk both scopes
    eve = await somebody_else(hub)
    async with hub.database.transaction() as tx:
        other = await create_agent(tx, agent_of(hub.ada.id, "other"), hub.authority)
    of_eve = await question(hub, request_id_in(await hub.ask(scope="tryton:read")), eve)
    of_other = await question(hub, request_id_in(await hub.ask(scope="tryton:read", client_id=other.id)), hub.ada)

    for asked, person in ((of_eve, eve), (of_other, hub.ada)):
        assert (asked.scopes, asked.given_before) == (("tryton:read",), frozenset())
        with pytest.raises(InputError):
            await agree(hub, asked.request_id, person, "tryton:read", "tryton:write")


async def test_what_was_agreed_to_before_is_shown_and_asked_again(hub: Hub) -> None:
    await hub.code(scope="tryton:read")

    asked = await question(hub, request_id_in(await hub.ask()), hub.ada)

    assert asked.given_before == {"tryton:read"}
    assert asked.scopes == ("tryton:read", "tryton:write")


async def test_an_agent_that_steps_up_keeps_what_the_person_allowed_before(hub: Hub) -> None:
    await hub.code(scope="tryton:read")

    asked = await hub.ask(scope="tryton:write")
    seen = await question(hub, request_id_in(asked), hub.ada)
    token = (await hub.redeem(query_of(await hub.consent(asked))["code"])).json()

    assert (seen.scopes, seen.given_before) == (("tryton:write", "tryton:read"), {"tryton:read"})
    assert token["scope"] == "tryton:read tryton:write"


async def test_what_a_person_left_out_of_its_latest_answer_is_not_kept(hub: Hub) -> None:
    await hub.code()
    await hub.consent(await hub.ask(), "tryton:read")

    seen = await question(hub, request_id_in(await hub.ask(scope="tryton:read")), hub.ada)

    assert (seen.scopes, seen.given_before) == (("tryton:read",), {"tryton:read"})


async def test_what_a_person_left_out_of_its_latest_answer_leaves_the_tokens_that_are_out(hub: Hub) -> None:
    first = (await hub.redeem(await hub.code())).json()
    code = await hub.code()
    await hub.consent(await hub.ask(), "tryton:read")

    assert (await hub.caller(first["access_token"])).scopes == {"tryton:read"}
    assert (await hub.refresh(first["refresh_token"])).json()["scope"] == "tryton:read"
    assert (await hub.redeem(code)).json()["scope"] == "tryton:read"


async def test_an_answer_that_allows_nothing_of_it_ends_what_was_allowed_before(hub: Hub) -> None:
    first = (await hub.redeem(await hub.code(scope="tryton:read"))).json()
    elsewhere = f"{PUBLIC_URL}/mcp"
    other = (await hub.redeem(await hub.code(scope="tryton:read", resource=elsewhere))).json()
    await hub.consent(await hub.ask(), "tryton:write")

    with pytest.raises(Unauthenticated):
        await hub.caller(first["access_token"])
    assert error_in(await hub.refresh(first["refresh_token"])) == "invalid_grant"
    assert (await hub.caller(other["access_token"], elsewhere)).scopes == {"tryton:read"}


async def test_a_code_that_was_not_redeemed_before_consent_was_withdrawn_gives_nothing(hub: Hub) -> None:
    code = await hub.code()
    async with hub.database.transaction() as tx:
        await withdraw_consent(tx, hub.ada.id, hub.agent.id, hub.server.authority(hub.ada.id))

    assert error_in(await hub.redeem(code)) == "invalid_scope"


async def test_nothing_is_kept_of_what_was_withdrawn_or_of_what_the_agent_may_no_longer_hold(hub: Hub) -> None:
    await hub.code()
    async with hub.database.transaction() as tx:
        servers = hub.agent.allowed_servers
        await limit_client(
            tx, hub.agent.id, scopes=frozenset({"tryton:read"}), servers=servers, authority=hub.authority
        )
    narrowed = await question(hub, request_id_in(await hub.ask(scope="tryton:read")), hub.ada)
    async with hub.database.transaction() as tx:
        await withdraw_consent(tx, hub.ada.id, hub.agent.id, hub.server.authority(hub.ada.id))
    withdrawn = await question(hub, request_id_in(await hub.ask(scope="tryton:read")), hub.ada)

    assert narrowed.scopes == ("tryton:read",)
    assert withdrawn.given_before == frozenset()


async def test_what_is_kept_at_one_server_is_not_at_another(hub: Hub) -> None:
    await hub.code()

    seen = await question(hub, request_id_in(await hub.ask(scope="tryton:read", resource=f"{PUBLIC_URL}/mcp")), hub.ada)

    assert (seen.scopes, seen.given_before) == (("tryton:read",), frozenset())


async def test_the_first_who_sees_a_request_owns_it(hub: Hub) -> None:
    request_id = request_id_in(await hub.ask())
    await question(hub, request_id, hub.ada)

    with pytest.raises(NotFound):
        await question(hub, request_id, await somebody_else(hub))


async def test_nobody_answers_a_request_without_having_seen_it(hub: Hub) -> None:
    request_id = request_id_in(await hub.ask())

    with pytest.raises(NotFound):
        await agree(hub, request_id, hub.ada, "tryton:read")


async def test_an_id_that_cannot_be_one_is_as_unknown_as_any_other(hub: Hub) -> None:
    for request_id in ("azr_unknown", "", "azr\x00", "\ud800", "x" * 5_000):
        with pytest.raises(NotFound):
            await question(hub, request_id, hub.ada)
        with pytest.raises(NotFound):
            await agree(hub, request_id, hub.ada, "tryton:read")


async def test_a_request_is_answered_once(hub: Hub) -> None:
    request_id = request_id_in(await hub.ask())
    await question(hub, request_id, hub.ada)
    await agree(hub, request_id, hub.ada, "tryton:read")

    with pytest.raises(NotFound):
        await agree(hub, request_id, hub.ada, "tryton:read")
    with pytest.raises(NotFound):
        await question(hub, request_id, hub.ada)


async def test_a_request_that_waited_too_long_cannot_be_answered(hub: Hub) -> None:
    request_id = request_id_in(await hub.ask())
    await question(hub, request_id, hub.ada)
    async with hub.database.transaction() as tx:
        await tx.execute(update(AuthorizationRequestRow).values(expires_at=await now(tx)))

    with pytest.raises(NotFound):
        await agree(hub, request_id, hub.ada, "tryton:read")


@pytest.mark.parametrize("scopes", [(), ("sap:read",), ("tryton:read", "tool:sales_quote")])
async def test_consent_never_gives_more_than_was_asked_and_never_nothing(hub: Hub, scopes: tuple[str, ...]) -> None:
    request_id = request_id_in(await hub.ask())
    await question(hub, request_id, hub.ada)

    with pytest.raises(InputError):
        await agree(hub, request_id, hub.ada, *scopes)
    assert "code=" in await agree(hub, request_id, hub.ada, "tryton:read")  # the mistake can be mended


async def test_a_person_may_agree_to_less_than_was_asked(hub: Hub) -> None:
    location = await hub.consent(await hub.ask(), "tryton:read")

    issued = await hub.redeem(query_of(location)["code"])
    assert issued.json()["scope"] == "tryton:read"


async def test_a_refusal_goes_back_to_the_agent(hub: Hub) -> None:
    request_id = request_id_in(await hub.ask())
    await question(hub, request_id, hub.ada)
    session = await hub.login(hub.ada)

    async with hub.database.transaction() as tx:
        location = await deny_consent(tx, request_id, session, hub.server.authority(hub.ada.id))

    assert query_of(location) == {"error": "access_denied", "state": "xyz", "iss": "https://hub.example"}


async def test_nobody_consents_to_an_agent_that_was_suspended_meanwhile(hub: Hub) -> None:
    request_id = request_id_in(await hub.ask())
    await question(hub, request_id, hub.ada)
    async with hub.database.transaction() as tx:
        await suspend(tx, hub.agent.id, "strange behaviour", hub.authority)

    with pytest.raises(NotFound):
        await agree(hub, request_id, hub.ada, "tryton:read")


async def test_no_code_goes_to_an_address_that_is_no_longer_the_agents(hub: Hub) -> None:
    request_id = request_id_in(await hub.ask())
    await question(hub, request_id, hub.ada)
    async with hub.database.transaction() as tx:  # by somebody whose change was under way while the login began
        await tx.execute(update(ClientRow).values(redirect_uris=["https://agent.example/new"]))

    with pytest.raises(NotFound):
        await agree(hub, request_id, hub.ada, "tryton:read")


async def test_withdrawing_consent_stops_the_agents_tokens_for_this_person_at_once(hub: Hub) -> None:
    issued = (await hub.redeem(await hub.code())).json()
    own = (await hub.own_token()).json()["access_token"]
    assert (await hub.caller(issued["access_token"])).on_behalf_of == hub.ada

    async with hub.database.transaction() as tx:
        stopped = await withdraw_consent(tx, hub.ada.id, hub.agent.id, hub.server.authority(hub.ada.id))

    assert stopped == 1
    with pytest.raises(Unauthenticated):
        await hub.caller(issued["access_token"])
    assert (await hub.refresh(issued["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await hub.caller(own)).actor == hub.agent
    async with hub.database.reading() as tx:
        assert await consents_of(tx, hub.ada.id) == []
