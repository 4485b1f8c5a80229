"""My passkeys, on pages: what stands there, what is refused, and what an administrator may do about lost ones."""

import html
import re
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from authenticator import Authenticator
from questions import add_person
from sqlalchemy import select
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.identity.accounts import set_roles
from hub.identity.principals import Role

pytestmark = pytest.mark.anyio

ADDRESS = "http://localhost:8420"


@pytest.fixture
async def named(world: World) -> World:
    """The hub, reached by a name."""
    return replace(world, runtime=replace(world.runtime, public_url=ADDRESS))


@pytest.fixture
async def anna(named: World) -> AsyncGenerator[Visitor]:
    """The approver, logged in there."""
    async with browser_of(named.runtime) as visitor:
        await visitor.log_in("ann", PASSWORD)
        yield visitor


def options_on(visitor: Visitor) -> str:
    found = re.search(r'data-options="([^"]+)"', visitor.html)
    assert found is not None
    return html.unescape(found[1])


async def enrol(visitor: Visitor, device: Authenticator) -> None:
    await visitor.get("/passkeys")
    await visitor.submit("/passkeys", name="laptop", credential=device.made(options_on(visitor)))
    assert visitor.page.status_code == 303, visitor.text
    await visitor.follow()


async def test_a_password_makes_no_fresh_login_once_a_passkey_is_enrolled(anna: Visitor) -> None:
    device = Authenticator()
    await enrol(anna, device)
    assert "The passkey is enrolled." in anna.text
    assert anna.html.count("/remove") == 1

    form = anna.form("/passkeys")
    await anna.post("/passkeys", form.fields)
    assert anna.page.headers["location"] == "/fresh-login?next=/passkeys"
    await anna.follow()
    await anna.post("/fresh-login", [*anna.form("/passkeys/proof").fields, ("password", PASSWORD)])
    assert anna.page.status_code == 400
    assert "a password makes no fresh login any more" in anna.text

    await anna.submit("/passkeys/proof", credential=device.answered(options_on(anna)))
    assert anna.page.headers["location"] == "/passkeys"
    await anna.follow()
    await anna.submit(re.search(r"/passkeys/pky_\w+/remove", anna.html)[0])
    await anna.follow()
    assert "The passkey is removed." in anna.text


async def test_what_proves_nothing_is_on_record_and_leaves_the_session_as_it_was(world: World, anna: Visitor) -> None:
    device = Authenticator()
    await enrol(anna, device)
    await anna.get("/fresh-login?next=/approvals")

    await anna.submit("/passkeys/proof", credential=Authenticator().answered(options_on(anna)))

    assert anna.page.status_code == 401
    assert "did not prove who you are" in anna.text
    async with world.runtime.database.reading() as tx:
        failed = select(EventRow.kind).where(EventRow.kind == EventKind.LOGIN_FAILED, EventRow.subject == world.ann.id)
        assert len((await tx.scalars(failed)).all()) == 1
    await anna.submit("/passkeys/proof", credential=device.answered(options_on(anna)))
    assert anna.page.headers["location"] == "/approvals"


async def test_a_form_without_its_token_enrols_nothing(anna: Visitor) -> None:
    await anna.get("/passkeys")
    fields = [field for field in anna.form("/passkeys").fields if field[0] != "csrf_token"]

    for path in ("/passkeys", "/passkeys/proof"):
        await anna.post(path, fields)
        assert anna.page.status_code == 403


async def test_a_hub_at_a_bare_address_says_what_it_lacks(ann: Visitor) -> None:
    await ann.get("/passkeys")
    assert "Browsers tie passkeys to a name." in ann.text

    token = dict(ann.form("/logout").fields)["csrf_token"]
    for path, status in (("/passkeys", 400), ("/passkeys/proof", 400)):
        await ann.post(path, [("csrf_token", token), ("name", "laptop")])
        assert ann.page.status_code == status
        assert "a bare address" in ann.text


async def test_an_administrator_removes_the_lost_passkeys_of_somebody_else(named: World, anna: Visitor) -> None:
    await enrol(anna, Authenticator())
    adam = await add_person(named, "adam")
    async with named.runtime.database.transaction() as tx:
        await set_roles(tx, adam.id, frozenset({Role.ADMINISTRATOR}), named.runtime.authority)
    async with browser_of(named.runtime) as visitor:
        await visitor.log_in("adam", PASSWORD)
        await visitor.get(f"/people/{named.ann.id}")
        assert "One passkey makes this person's fresh logins." in html.unescape(visitor.text)

        await visitor.submit(f"/people/{named.ann.id}/passkeys/remove")
        await visitor.follow()

        assert "The passkeys are removed" in visitor.text
        assert "Remove every passkey" not in visitor.text
    assert (await anna.get("/passkeys")).headers["location"] == "/login?next=%2Fpasskeys"


async def test_nobody_else_may(named: World, anna: Visitor) -> None:
    await anna.get("/passkeys")
    token = dict(anna.form("/passkeys").fields)["csrf_token"]

    await anna.post(f"/people/{named.rita.id}/passkeys/remove", [("csrf_token", token)])

    assert anna.page.status_code == 403
