"""Runners are registered and revoked on a page, by those who may, and no private key is kept or shown."""

from collections.abc import AsyncGenerator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import update
from upstream.connector import connector
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.identity.accounts import set_roles
from hub.identity.principals import Role
from hub.registry.runners import Runner, runners_of
from hub.registry.tables import ConnectorRow

pytestmark = pytest.mark.anyio

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
OTHER = X25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
CI = {"connector": connector.name, "name": "acme-ci", "public_key": PUBLIC}


@pytest.fixture
async def root(world: World) -> AsyncGenerator[Visitor]:
    """Carl, who has been made administrator."""
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.carl.id, frozenset({Role.ADMINISTRATOR, Role.MEMBER}), world.runtime.authority)
    async with browser_of(world.runtime) as opened:
        await opened.log_in("carl", PASSWORD)
        yield opened


async def registered(world: World) -> list[Runner]:
    async with world.runtime.database.reading() as tx:
        return await runners_of(tx, connector.name)


async def test_an_administrator_registers_a_runner_and_revokes_it(world: World, root: Visitor) -> None:
    await root.get("/servers")
    assert 'href="/runners"' in root.html
    await root.get("/runners")
    await root.submit("/runners", **CI, agent="bot")
    await root.follow()

    assert "What acme-ci signs about upstream counts from now on." in root.text
    (runner,) = await registered(world)
    assert (runner.name, runner.agent_id, runner.revoked_at) == ("acme-ci", world.bot.id, None)
    assert runner.public_key in root.text
    await root.submit(f"/runners/upstream/{runner.id}/revoke")
    await root.follow()
    assert "It is revoked." in root.text
    assert "/revoke" not in root.html
    assert [one.revoked_at is None for one in await registered(world)] == [False]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"name": "Acme CI"}, "small letters, digits and hyphens"),
        ({"public_key": PRIVATE}, "private key, which stays at the runner"),
        ({"public_key": OTHER}, "no Ed25519 public key"),
        ({"public_key": "c2hvcnQ="}, "no Ed25519 public key"),
        ({"agent": "nobody-here"}, "no agent or service"),
        ({"agent": "rita"}, "by an agent or a service"),
        ({"connector": "elsewhere"}, "There is no connector"),
    ],
    ids=["name", "private key", "another kind of key", "short key", "unknown agent", "a person", "connector"],
)
async def test_what_will_not_do_is_told_and_nothing_is_registered(
    world: World, root: Visitor, typed: dict[str, str], says: str
) -> None:
    await root.get("/runners")

    await root.submit("/runners", **{**CI, "agent": "", **typed})

    assert root.page.status_code == 400
    assert says in root.text
    assert "PRIVATE KEY" not in root.html
    assert dict(root.form("/runners").fields)["name"] == {**CI, **typed}["name"]
    assert await registered(world) == []


async def test_nobody_else_registers_a_runner_and_its_connectors_owner_revokes_it(
    world: World, root: Visitor, ann: Visitor
) -> None:
    await root.get("/runners")
    await root.submit("/runners", **CI)
    (runner,) = await registered(world)
    await ann.get("/password")
    token = [field for field in ann.form("/password").fields if field[0] == "csrf_token"]
    await ann.get("/runners")
    assert "acme-ci" in ann.text
    assert '<form class="card form"' not in ann.html
    assert "/revoke" not in ann.html

    added = await ann.post("/runners", [*token, *{**CI, "name": "another"}.items()])
    revoked = await ann.post(f"/runners/upstream/{runner.id}/revoke", token)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(ConnectorRow).values(owner_id=world.ann.id))
    await ann.get("/runners")
    await ann.submit(f"/runners/upstream/{runner.id}/revoke")

    assert (added.status_code, revoked.status_code, ann.page.status_code) == (403, 403, 303)
    assert [(one.name, one.revoked_at is None) for one in await registered(world)] == [("acme-ci", False)]
