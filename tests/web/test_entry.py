"""Coming in: login, sessions, forms that others forged."""

import base64
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from web_visitor import Visitor

from hub.identity.accounts import NewUser, create_user
from hub.identity.principals import Role
from hub.settings import Settings
from hub.web import lost, web_routes
from hub.wiring import open_runtime

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


@pytest.fixture
async def visitor(sqlite_url: str, tmp_path: Path) -> AsyncGenerator[Visitor]:
    """Somebody at the browser of a hub in which Grace has an account.

    One engine is enough here: what differs between the two is below the door, and tested there on both.
    """
    key = SecretStr(base64.b64encode(bytes(range(32))).decode())
    settings = Settings(home=tmp_path / "home", database_url=SecretStr(sqlite_url), master_key=key)
    roles = frozenset({Role.ADMINISTRATOR, Role.MEMBER})
    new = NewUser(name="grace", display_name="Grace Hopper", password=PASSWORD, roles=roles)
    async with open_runtime(settings) as runtime:
        async with runtime.database.transaction() as tx:
            await create_user(tx, new, runtime.authority)
        app = Starlette(routes=web_routes(runtime), exception_handlers={404: lost(runtime)})
        async with Visitor(app, base_url=runtime.public_url) as opened:
            yield opened


async def test_who_logs_in_comes_to_the_page_they_wanted(visitor: Visitor) -> None:
    await visitor.get("/people?after=a")
    assert visitor.page.headers["location"] == "/login?next=%2Fpeople%3Fafter%3Da"

    await visitor.follow()
    await visitor.submit("/login", name="grace", password=PASSWORD)

    assert visitor.page.headers["location"] == "/people?after=a"
    assert (await visitor.follow()).status_code == 200


async def test_a_login_never_leads_away_from_the_hub(visitor: Visitor) -> None:
    elsewhere = (
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "\\/evil.example",
    )
    for wanted in elsewhere:
        visitor.page = await visitor.client.get("/login", params={"next": wanted})
        assert 'name="next" value="/"' in visitor.html

        await visitor.submit("/login", name="grace", password=PASSWORD, next=wanted)

        assert visitor.page.headers["location"] == "/"


async def test_a_wrong_password_and_a_wrong_name_look_the_same(visitor: Visitor) -> None:
    answers = []
    for name in ("grace", "nobody"):
        await visitor.log_in(name, "not the password!")
        answers.append((visitor.page.status_code, re.search(r'role="alert"[^>]*><bdi[^>]*>([^<]+)', visitor.html)[1]))

    assert answers == [(401, "Wrong name or password.")] * 2


async def test_a_login_makes_a_new_session_and_ends_the_old_one(visitor: Visitor) -> None:
    await visitor.log_in("grace", PASSWORD)
    planted = visitor.client.cookies["hub_session"]

    await visitor.log_in("grace", PASSWORD)
    fresh = visitor.client.cookies["hub_session"]

    assert fresh != planted
    visitor.client.cookies.set("hub_session", planted, domain="127.0.0.1", path="/")
    assert (await visitor.get("/people")).status_code == 303


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(visitor: Visitor) -> None:
    answer = await visitor.log_in("grace", PASSWORD)

    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("hub_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age" not in cookie


async def test_a_login_form_from_elsewhere_logs_nobody_in(visitor: Visitor) -> None:
    fields = [("name", "grace"), ("password", PASSWORD), ("next", "/")]

    await visitor.post("/login", [*fields, ("form_token", "forged")])
    assert visitor.page.status_code == 400
    await visitor.get("/login")
    token = dict(visitor.form("/login").fields)["form_token"]
    visitor.client.cookies.clear()
    await visitor.post("/login", [*fields, ("form_token", token)])

    assert visitor.page.status_code == 400
    assert "hub_session" not in visitor.client.cookies


async def test_a_change_without_the_sessions_token_is_refused(visitor: Visitor) -> None:
    await visitor.log_in("grace", PASSWORD)

    for path in ("/logout", "/people/users", "/people/x/suspend", "/fresh-login", "/approvals/x", "/consent/x"):
        for fields in ([], [("csrf_token", "")], [("csrf_token", "forged")]):
            assert (await visitor.post(path, fields)).status_code == 403

    assert (await visitor.get("/people")).status_code == 200


async def test_a_form_that_another_site_sends_is_refused(visitor: Visitor) -> None:
    await visitor.log_in("grace", PASSWORD)
    await visitor.get("/people")
    fields = visitor.form("/logout").fields

    for header in ({"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"origin": "https://evil.test"}):
        assert (await visitor.post("/logout", fields, **header)).status_code == 403
    for forged in ("http://evil.test", "http://127.0.0.1:8421", "https://127.0.0.1:8420", "null", "http://127.0.0.1:x"):
        same_host = {"origin": forged, "host": forged.rpartition("/")[2]}
        assert (await visitor.post("/logout", fields, **same_host)).status_code == 403
    assert "http://127.0.0.1:8420" in visitor.text
    assert (await visitor.post("/logout", fields, origin=str(visitor.client.base_url))).status_code == 303


async def test_a_form_may_come_from_this_machine_under_its_other_name(visitor: Visitor) -> None:
    await visitor.log_in("grace", PASSWORD)
    await visitor.get("/people")

    answer = await visitor.post("/logout", visitor.form("/logout").fields, origin="http://localhost:8420")

    assert answer.status_code == 303


async def test_after_logging_out_the_cookie_is_worthless(visitor: Visitor) -> None:
    await visitor.log_in("grace", PASSWORD)
    kept = visitor.client.cookies["hub_session"]
    await visitor.get("/people")

    await visitor.submit("/logout")

    visitor.client.cookies.set("hub_session", kept, domain="127.0.0.1", path="/")
    assert (await visitor.get("/people")).headers["location"].startswith("/login")


async def test_private_pages_are_neither_kept_nor_framed(visitor: Visitor) -> None:
    await visitor.log_in("grace", PASSWORD)

    for path in ("/people", "/people/nobody", "/login"):
        headers = (await visitor.get(path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_what_is_no_form_is_refused_in_words(visitor: Visitor) -> None:
    form = "application/x-www-form-urlencoded"
    sent = (
        (b"{}", "application/json"),
        (b"name=" + b"x" * 70_000, form),
        (b"name=%ff", form),
        (b"\xff\xfe", form),
        (b"&".join(b"a=1" for _ in range(500)), form),
        (b"name=a&name=b", form),
    )
    for body, content_type in sent:
        answer = await visitor.client.post("/login", content=body, headers={"content-type": content_type})

        assert answer.status_code == 400
        assert "This cannot be understood" in answer.text


async def test_a_fresh_login_replaces_the_session_and_comes_back(visitor: Visitor) -> None:
    await visitor.log_in("grace", PASSWORD)
    old = visitor.client.cookies["hub_session"]

    await visitor.get("/fresh-login?next=/people")
    await visitor.submit("/fresh-login", password="wrong wrong wrong")
    assert visitor.page.status_code == 401
    await visitor.submit("/fresh-login", password=PASSWORD)

    assert visitor.page.headers["location"] == "/people"
    assert visitor.client.cookies["hub_session"] != old


async def test_static_files_are_pinned_by_their_digest(visitor: Visitor) -> None:
    await visitor.get("/login")
    address = re.search(r'href="(/static/hub\.css\?v=\w+)"', visitor.html)[1]

    assert "immutable" in (await visitor.get(address)).headers["cache-control"]
    assert "immutable" not in (await visitor.get("/static/hub.css?v=other")).headers["cache-control"]
    assert (await visitor.get("/static/%2e%2e%2froutes.py")).status_code == 404


async def test_an_unknown_address_is_answered_in_the_way_it_was_asked(visitor: Visitor) -> None:
    page = await visitor.get("/no/such/page", accept="text/html")
    line = await visitor.get("/no/such/page", accept="application/json")

    assert (page.status_code, line.status_code) == (404, 404)
    assert "There is nothing here" in page.text
    assert line.text == "Not Found"
    assert 'aria-label="Main"' not in page.text
    await visitor.log_in("grace", PASSWORD)
    assert 'aria-label="Main"' in (await visitor.get("/no/such/page", accept="text/html")).text


async def test_a_part_of_a_page_whose_session_has_ended_brings_the_whole_page_to_the_login(visitor: Visitor) -> None:
    answer = await visitor.get("/approvals", hx_request="true", hx_trigger="inbox")

    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/login")
