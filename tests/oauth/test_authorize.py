"""The authorization endpoint: who is redirected where, and who never is."""

from urllib.parse import urlsplit

import pytest
from oauth_hub import CALLBACK, PUBLIC_URL, Hub, challenge_of, error_in, query_of, request_id_in
from sqlalchemy import func, select
from starlette.requests import Request

from hub.identity.accounts import suspend
from hub.identity.sessions import local_path
from hub.identity.tables import AuthorizationRequestRow
from hub.oauth.authorize import authorize

pytestmark = pytest.mark.anyio


async def requests_kept(hub: Hub) -> int:
    async with hub.database.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(AuthorizationRequestRow)) or 0


async def test_a_stranger_is_sent_to_the_login_and_from_there_back_with_the_same_request(
    hub: Hub, stranger: Hub
) -> None:
    state = "a b+c%25&x=\u00e9"
    sent = await stranger.ask(state=state)

    login = urlsplit(sent.headers["location"])
    then = query_of(sent.headers["location"])["next"]
    assert (sent.status_code, login.path, sent.headers["cache-control"]) == (303, "/login", "no-store")
    assert local_path(then) == then
    location = await hub.consent(await hub.http.get(then))
    assert (location.startswith(f"{CALLBACK}?code="), query_of(location)["state"]) == (True, state)


async def test_nothing_is_kept_for_strangers_however_much_they_ask_for(hub: Hub, stranger: Hub) -> None:
    for number in range(5):
        await stranger.ask(state=str(number))
    of_strangers = await requests_kept(hub)
    await hub.ask()

    assert (of_strangers, await requests_kept(hub)) == (0, 1)


async def test_what_is_wrong_with_a_request_is_told_before_anybody_logs_in(stranger: Hub) -> None:
    told = await stranger.ask(scope="nonsense")
    nowhere = await stranger.ask(redirect_uri="https://evil.example/callback")

    assert query_of(told.headers["location"])["error"] == "invalid_scope"
    assert (nowhere.status_code, "location" in nowhere.headers) == (400, False)


async def test_the_way_to_the_login_holds_nothing_that_a_path_must_not(hub: Hub) -> None:
    asked = (await hub.ask()).request.url.query + b'&odd=\\\xc3\xa9"<> #'
    scope = {"type": "http", "method": "GET", "path": "/oauth/authorize", "query_string": asked, "headers": []}

    sent = await authorize(hub.server, Request(scope))

    then = query_of(sent.headers["location"])["next"]
    assert local_path(then) == then
    assert query_of(then)["odd"] == '\\é"<> #'


async def test_somebody_who_is_logged_in_is_sent_to_the_consent_page_and_never_straight_back(hub: Hub) -> None:
    await hub.code()  # Ada has agreed to exactly this before

    asked = await hub.ask()

    assert urlsplit(asked.headers["location"]).path.startswith("/consent/azr_")


async def test_a_redirect_uri_that_is_not_registered_is_never_followed(hub: Hub) -> None:
    elsewhere = [
        "https://evil.example/callback",
        f"{CALLBACK}/",
        f"{CALLBACK}?x=1",
        f"{CALLBACK}#x",
        f"{CALLBACK}/../evil",
        "https://agent.example:444/callback",
        "https://AGENT.example/callback",
        "https://agent.example@evil.example/callback",
        "http://agent.example/callback",
        "https://agent.example/callback%00",
        "http://localhost:4000/done",
        "http://127.0.0.1:4000/other",
        "http://127.0.0.1:4000@evil.example/done",
        "http://127.0.0.1.evil.example/done",
        "javascript:alert(1)",
        "//evil.example",
    ]

    answers = {uri: await hub.ask(redirect_uri=uri) for uri in elsewhere}

    assert {uri: answer.status_code for uri, answer in answers.items()} == dict.fromkeys(elsewhere, 400)
    assert [uri for uri, answer in answers.items() if "location" in answer.headers] == []
    assert {answer.headers["content-type"] for answer in answers.values()} == {"text/plain; charset=utf-8"}


async def test_a_native_app_may_listen_on_any_port_of_the_loopback_address(hub: Hub) -> None:
    location = await hub.consent(await hub.ask(redirect_uri="http://127.0.0.1:49152/done"))

    assert location.startswith("http://127.0.0.1:49152/done?code=")


async def test_a_code_that_went_to_one_port_is_not_redeemed_for_another(hub: Hub) -> None:
    location = await hub.consent(await hub.ask(redirect_uri="http://127.0.0.1:49152/done"))
    code = query_of(location)["code"]

    refused = await hub.redeem(code, redirect_uri="http://127.0.0.1:49153/done")
    redeemed = await hub.redeem(code, redirect_uri="http://127.0.0.1:49152/done")

    assert (refused.status_code, error_in(refused), redeemed.status_code) == (400, "invalid_grant", 200)


async def test_an_unknown_client_is_never_redirected(hub: Hub) -> None:
    for client_id in (None, "", "agt_nobody", "ada", hub.ada.id):
        asked = await hub.ask(client_id=client_id)

        assert asked.status_code == 400
        assert "location" not in asked.headers


async def test_a_suspended_agent_cannot_ask(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        await suspend(tx, hub.agent.id, "strange behaviour", hub.authority)

    assert (await hub.ask()).status_code == 400


async def test_without_a_redirect_uri_only_a_client_with_a_single_one_is_answered(hub: Hub) -> None:
    assert (await hub.ask(redirect_uri=None)).status_code == 400


async def test_a_known_client_learns_at_its_own_address_what_was_wrong(hub: Hub) -> None:
    cases: list[tuple[dict[str, str | None], str]] = [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "too-short"}, "invalid_request"),
        ({"code_challenge": challenge_of("x" * 43) + "="}, "invalid_request"),
        ({"resource": None}, "invalid_target"),
        ({"resource": "https://elsewhere.example/mcp"}, "invalid_target"),
        ({"resource": f"{PUBLIC_URL}/servers/sales/mcp/"}, "invalid_target"),
        ({"resource": f"{PUBLIC_URL}/servers/hidden/mcp"}, "invalid_target"),
        ({"resource": f"{PUBLIC_URL}/servers/unpublished/mcp"}, "invalid_target"),
        ({"resource": PUBLIC_URL}, "invalid_target"),
        ({"scope": "sap:read"}, "invalid_scope"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"request": "eyJ.x.y"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
    ]

    for changes, error in cases:
        location = (await hub.ask(**changes)).headers["location"]

        answer = query_of(location)
        assert location.startswith(CALLBACK + "?")
        assert (changes, answer["error"], answer["state"], answer["iss"]) == (changes, error, "xyz", PUBLIC_URL)
        assert "code" not in answer


async def test_a_repeated_parameter_is_refused_and_a_repeated_destination_never_followed(hub: Hub) -> None:
    url = (await hub.ask(unheard_of="x")).request.url

    for name in ("state", "scope", "resource", "code_challenge", "unheard_of"):
        asked = await hub.http.get(url.copy_add_param(name, "again"))
        assert query_of(asked.headers["location"])["error"] == "invalid_request"
    for name in ("client_id", "redirect_uri"):
        assert (await hub.http.get(url.copy_add_param(name, "again"))).status_code == 400


async def test_a_query_beyond_measure_is_refused(hub: Hub) -> None:
    assert (await hub.ask(state="x" * 20_000)).status_code == 400
    assert query_of((await hub.ask(state="x" * 2_001)).headers["location"])["error"] == "invalid_request"


async def test_asking_needs_a_get(hub: Hub) -> None:
    assert (await hub.http.post("/oauth/authorize")).status_code == 405


async def test_what_is_beyond_the_agents_bounds_is_left_out_of_the_question(hub: Hub) -> None:
    location = await hub.consent(await hub.ask(scope="tryton:read sap:write offline_access"))

    issued = await hub.redeem(query_of(location)["code"])
    assert issued.json()["scope"] == "tryton:read"


async def test_the_answer_carries_code_state_and_issuer_and_nothing_else(hub: Hub) -> None:
    location = await hub.consent(await hub.ask())

    assert location.startswith(CALLBACK + "?")
    assert query_of(location).keys() == {"code", "state", "iss"}
    assert query_of(location)["iss"] == PUBLIC_URL


async def test_a_request_is_kept_with_an_id_that_says_nothing(hub: Hub) -> None:
    first, second = request_id_in(await hub.ask()), request_id_in(await hub.ask())

    assert first != second
