"""Signing in at an external issuer: the way there and back, who may enter, and everything that is turned away."""

import base64
import hashlib
import re
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx2
import pytest
from issuing import CLIENT, SECRET, Issuing, new_key
from settled import settled_by
from sqlalchemy import select
from starlette.applications import Starlette
from upstream.fixtures import Upstream
from web.web_visitor import Visitor
from world import PASSWORD, World, open_world, settle

from hub.audit.tables import EventRow
from hub.core.errors import Unauthenticated
from hub.execution import Reach, judged_by
from hub.identity import directory
from hub.identity.accounts import set_groups, suspend
from hub.identity.foreign_login import journey_in, set_out
from hub.identity.foreign_people import link
from hub.identity.foreign_tokens import ForeignIssuers
from hub.identity.grants_authorize import MAX_STATE_LENGTH
from hub.identity.issuer_keys import IssuerLink
from hub.identity.issuers import Issuer
from hub.identity.sessions import session_of
from hub.keys import Keyring
from hub.outbound import Outbound
from hub.storage import Database, now
from hub.web import web_routes
from hub.web.signing_in import COOKIE, LONGEST_COOKIE

pytestmark = pytest.mark.anyio

sqlite_template, postgresql_template = settled_by(settle)

BACK = "/login/acme/back"


@pytest.fixture
async def database(sqlite_url: str) -> AsyncGenerator[Database]:
    """One engine is enough for what a door does."""
    opened = Database(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream, issuer: Issuing) -> AsyncGenerator[World]:
    """A hub at which people sign in by one issuer; nobody is linked yet."""
    async with open_world(database, keys, upstream) as opened:
        yield with_issuer(opened, issuer)


def with_issuer(world: World, issuer: Issuing, **changes: Any) -> World:  # noqa: ANN401  # settings of any kind
    usual = {
        "name": "acme",
        "title": "Acme",
        "issuer": issuer.address,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "groups": {"acme-finance": "approvers"},
    }
    named = Issuer.model_validate({**usual, **changes})
    issuers = ForeignIssuers([IssuerLink(named, Outbound(judged_by(Reach())))])
    return replace(world, runtime=replace(world.runtime, issuers=issuers))


def browser_at(world: World) -> Visitor:
    return Visitor(Starlette(routes=web_routes(world.runtime)), base_url=world.runtime.public_url)


async def linked(world: World, issuer: Issuing, subject: str = "s-1") -> None:
    """Let the issuer's subject be Ann."""
    (there,) = world.runtime.issuers
    async with world.runtime.database.transaction() as tx:
        await link(tx, world.ann.id, there.issuer, subject, world.runtime.authority)
    assert there.issuer.issuer == issuer.address


async def at_the_issuer(browser: Visitor) -> str:
    """Follow the browser to the issuer, and return the address that it is sent back to."""
    async with httpx2.AsyncClient() as http:
        answer = await http.get(browser.page.headers["location"])
    return str(answer.headers["location"])


async def sign_in(browser: Visitor, to: str = "/approvals", **changes: str | None) -> httpx2.Response:
    """Sign in at the issuer; a change alters what comes back from there."""
    await browser.get(f"/login/acme?next={to}")
    back = await at_the_issuer(browser)
    answer = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    sent = {name: value for name, value in {**answer, **changes}.items() if value is not None}
    return await browser.get(f"{BACK}?{httpx2.QueryParams(sent)}")


async def events_of(world: World, kind: str) -> int:
    async with world.runtime.database.reading() as tx:
        return len((await tx.scalars(select(EventRow.id).where(EventRow.kind == kind))).all())


async def test_a_journey_to_one_issuer_does_not_end_at_another(keys: Keyring) -> None:
    cookie = set_out("acme", to="/approvals").sealed(keys)

    assert journey_in(cookie, keys, "acme").next == "/approvals"
    with pytest.raises(Unauthenticated):
        journey_in(cookie, keys, "globex")


async def test_somebody_who_is_linked_signs_in_and_is_where_they_wanted_to_go(world: World, issuer: Issuing) -> None:
    await linked(world, issuer)
    async with browser_at(world) as browser:
        page = await browser.get("/login?next=/approvals")
        assert "Sign in with Acme" in browser.text
        assert '/login/acme?next=%2Fapprovals"' in page.text

        back = await sign_in(browser)

        assert (back.status_code, back.headers["location"]) == (303, "/approvals")
        assert (await browser.get("/approvals")).status_code == 200
    assert {issuer.last[name] for name in ("response_type", "code_challenge_method")} == {"code", "S256"}
    assert "openid" in issuer.last["scope"]
    assert await events_of(world, "login.succeeded") == 1


async def test_who_is_known_to_nobody_here_stays_outside(world: World, issuer: Issuing) -> None:
    issuer.claims |= {
        "preferred_username": "ann",
        "email": "ann@example.org",
        "name": "Ann",
        "groups": ["acme-finance"],
    }
    async with browser_at(world) as browser:
        back = await sign_in(browser)

        assert back.status_code == 403
        assert "you have no account here" in browser.text
        assert (await browser.get("/approvals")).status_code == 303
    assert await events_of(world, "login.failed") == 1


async def test_a_member_of_a_mapped_group_gets_an_account_where_the_settings_say_so(
    world: World, issuer: Issuing
) -> None:
    world = with_issuer(world, issuer, admits="groups")
    issuer.claims |= {"groups": ["acme-finance", "approvers", "controllers"], "preferred_username": "ann"}
    async with browser_at(world) as browser:
        assert (await sign_in(browser)).status_code == 303
        assert (await sign_in(browser)).status_code == 303  # the second time it is the same one
    async with world.runtime.database.reading() as tx:
        people = [one for one in await directory.page(tx) if one.name.startswith("ann-")]

    (person,) = people  # beside Ann, never in her place
    assert person.groups == {"approvers"}


async def test_who_is_in_no_mapped_group_gets_none(world: World, issuer: Issuing) -> None:
    world = with_issuer(world, issuer, admits="groups")
    issuer.claims |= {"groups": ["approvers", "everybody"]}
    async with browser_at(world) as browser:
        assert (await sign_in(browser)).status_code == 403


async def test_mapped_groups_follow_the_issuer_and_others_stay(world: World, issuer: Issuing) -> None:
    await linked(world, issuer)
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.ann.id, frozenset({"approvers", "controllers"}), world.runtime.authority)

    async with browser_at(world) as browser:
        await sign_in(browser)
        async with world.runtime.database.reading() as tx:
            without = (await directory.get(tx, world.ann.id)).groups
        issuer.claims["groups"] = ["acme-finance"]
        await sign_in(browser)
        async with world.runtime.database.reading() as tx:
            again = (await directory.get(tx, world.ann.id)).groups

    assert (without, again) == ({"controllers"}, {"controllers", "approvers"})


async def test_a_suspended_person_stays_outside(world: World, issuer: Issuing) -> None:
    await linked(world, issuer)
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, world.ann.id, "stop", world.runtime.authority)

    async with browser_at(world) as browser:
        assert (await sign_in(browser)).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "other"},
        {"state": None},
        {"iss": "https://somebody.example"},
        {"iss": None},
        {"code": None},
        {"code": "x"},
    ],
    ids=str,
)
async def test_an_answer_that_is_not_the_one_asked_for_lets_nobody_in(
    world: World, issuer: Issuing, changes: dict[str, str | None]
) -> None:
    await linked(world, issuer)
    async with browser_at(world) as browser:
        assert (await sign_in(browser, **changes)).status_code == 401
        assert (await browser.get("/approvals")).status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "somebody"},
        {"aud": [CLIENT, "other"]},
        {"azp": "other"},
        {"iss": "https://somebody.example"},
        {"nonce": "other"},
        {"nonce": None},
        {"exp": 1_700_000_000},
        {"iat": 4_000_000_000},
        {"sub": None},
        {"sub": "x" * 256},
    ],
    ids=lambda claims: str(claims)[:40],
)
async def test_an_id_token_that_is_not_for_this_login_lets_nobody_in(
    world: World, issuer: Issuing, claims: dict[str, Any]
) -> None:
    await linked(world, issuer)
    issuer.claims |= claims
    async with browser_at(world) as browser:
        assert (await sign_in(browser)).status_code == 401


async def test_an_id_token_that_another_key_signed_lets_nobody_in(world: World, issuer: Issuing) -> None:
    await linked(world, issuer)
    async with browser_at(world) as browser:
        await sign_in(browser)
        issuer.keys.append(new_key("k1"))  # the same name, another key; the hub has read the first
        assert (await sign_in(browser)).status_code == 401


async def test_a_browser_that_did_not_set_out_does_not_arrive(world: World, issuer: Issuing) -> None:
    await linked(world, issuer)
    async with browser_at(world) as browser, browser_at(world) as other:
        await browser.get("/login/acme")
        back = urlsplit(await at_the_issuer(browser))

        assert (await other.get(f"{BACK}?{back.query}")).status_code == 401
        assert (await browser.get(f"{BACK}?{back.query}")).status_code == 303
        assert (await browser.get(f"{BACK}?{back.query}")).status_code == 401


async def test_nobody_is_sent_elsewhere_after_a_login(world: World, issuer: Issuing) -> None:
    await linked(world, issuer)
    async with browser_at(world) as browser:
        assert (await sign_in(browser, to="//evil.example")).headers["location"] == "/"


async def test_a_long_request_of_an_application_is_kept_meanwhile_and_one_that_is_too_long_is_told(
    world: World, issuer: Issuing
) -> None:
    await linked(world, issuer)
    scopes = "+".join(f"connector{number}%3Aread+connector{number}%3Awrite" for number in range(150))
    long = f"/oauth/authorize?state={random_letters(MAX_STATE_LENGTH // 2)}&scope={scopes}"
    async with browser_at(world) as browser:
        await browser.get(f"/login/acme?{urlencode({'next': long})}")
        cookie = browser.page.headers["set-cookie"].partition(";")[0]
        back = await sign_in(browser, to=quote(long))

        refused = await browser.get(f"/login/acme?{urlencode({'next': long + random_letters(2 * MAX_STATE_LENGTH)})}")

        assert len(cookie) <= LONGEST_COOKIE
        assert back.headers["location"] == long
        assert (refused.status_code, COOKIE in refused.headers["set-cookie"]) == (400, False)
        assert "cannot be kept while you are at Acme" in browser.text


def random_letters(count: int) -> str:
    """Return what does not get shorter by packing: as applications make up, and the same in every run."""
    return base64.urlsafe_b64encode(hashlib.shake_256(b"state").digest(count)).decode()[:count]


async def test_an_issuer_that_nobody_named_is_no_way_in(world: World) -> None:
    async with browser_at(world) as browser:
        assert (await browser.get("/login/other")).status_code == 404
        assert (await browser.get("/login/other/back")).status_code == 404


async def test_an_issuer_that_does_not_answer_is_told(world: World, issuer: Issuing) -> None:
    issuer.document["issuer"] = "https://somebody.example"
    async with browser_at(world) as browser:
        assert (await browser.get("/login/acme")).status_code == 503
        assert "Acme says it is" in browser.text


# ------------------------------------------------------------------------------------------------------- fresh logins


async def how_old(world: World, browser: Visitor) -> float:
    """Return how long ago, by the hub, the person in the browser proved who they are."""
    cookie = browser.client.cookies.get("hub_session")
    async with world.runtime.database.transaction() as tx:
        session = await session_of(tx, cookie)
        assert session is not None
        return (await now(tx) - session.authenticated_at).total_seconds()


async def test_a_session_at_the_issuer_counts_from_when_it_began_and_an_unsaid_one_as_old(
    world: World, issuer: Issuing
) -> None:
    await linked(world, issuer)
    async with browser_at(world) as browser:
        await sign_in(browser)
        assert await how_old(world, browser) > 3600
        issuer.claims["auth_time"] = int(time.time()) - 1800
        await sign_in(browser)
        assert 1700 < await how_old(world, browser) < 3600
        issuer.claims["auth_time"] = 4_000_000_000
        await sign_in(browser)
        assert await how_old(world, browser) >= 0


async def renew(browser: Visitor) -> httpx2.Response:
    await browser.get("/fresh-login?next=/approvals")
    assert "Sign in with Acme" in browser.text
    (way,) = re.findall(r'href="(/fresh-login/acme[^"]*)"', browser.html)
    await browser.get(way)
    return await browser.get(f"{BACK}?{urlsplit(await at_the_issuer(browser)).query}")


async def test_a_fresh_login_asks_the_issuer_to_ask_again_and_believes_no_older_one(
    world: World, issuer: Issuing
) -> None:
    await linked(world, issuer)
    async with browser_at(world) as browser:
        await sign_in(browser)
        assert (await renew(browser)).status_code == 401  # it does not say when
        assert (issuer.last["prompt"], issuer.last["max_age"]) == ("login", "0")
        for other_time in (-3600, 3600):
            issuer.claims["auth_time"] = int(time.time()) + other_time
            assert (await renew(browser)).status_code == 401
        issuer.claims["auth_time"] = int(time.time())
        assert (await renew(browser)).headers["location"] == "/approvals"
        assert await how_old(world, browser) < 600


async def test_a_fresh_login_of_somebody_else_is_none(world: World, issuer: Issuing) -> None:
    await linked(world, issuer)
    world_rita = world
    async with browser_at(world_rita) as browser:
        await sign_in(browser)
        async with world.runtime.database.transaction() as tx:
            (there,) = world.runtime.issuers
            await link(tx, world.rita.id, there.issuer, "s-2", world.runtime.authority)
        issuer.claims |= {"sub": "s-2", "auth_time": int(time.time())}

        assert (await renew(browser)).status_code == 403
        assert (await browser.get("/approvals")).status_code == 200


async def test_a_critical_login_has_to_be_of_the_class_that_the_settings_ask_for(world: World, issuer: Issuing) -> None:
    world = with_issuer(world, issuer, fresh_acr="phr")
    await linked(world, issuer)
    issuer.claims["auth_time"] = int(time.time())
    async with browser_at(world) as browser:
        await sign_in(browser)
        assert await how_old(world, browser) > 3600  # it was a weaker one
        assert (await renew(browser)).status_code == 401
        assert issuer.last["acr_values"] == "phr"
        issuer.claims["acr"] = "phr"
        assert (await renew(browser)).status_code == 303
        assert await how_old(world, browser) < 600


async def test_who_has_no_password_is_asked_for_none(world: World, issuer: Issuing) -> None:
    world = with_issuer(world, issuer, admits="everybody")
    async with browser_at(world) as browser, browser_at(world) as ann:
        await sign_in(browser)
        await browser.get("/fresh-login?next=/approvals")
        assert 'type="password"' not in browser.html
        await ann.log_in("ann", PASSWORD)
        await ann.get("/fresh-login?next=/approvals")
        assert 'type="password"' in ann.html
        assert "Sign in with Acme" not in ann.text
