"""Pages for people who may not see a class of data: masked whatever revision is shown, and batches that stay whole."""

import re
from collections.abc import AsyncGenerator

import pytest
from doors.mailing import let_go
from personal import ASK, MARKER, NOT_APPROVERS, open_personal, rename
from upstream.fixtures import Upstream
from web_visitor import Visitor
from world import World

from hub.identity.accounts import set_roles
from hub.identity.principals import Role
from hub.invocations.asking import called_with
from hub.invocations.preview import dry_run
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    """The names of items are personal."""
    async with open_personal(database, keys, upstream) as opened:
        yield opened


async def test_what_was_asked_is_masked_while_a_newer_preview_is_under_way(world: World, ann: Visitor) -> None:
    await world.decide_by(NOT_APPROVERS, ASK)
    asked = await world.call("item_update", {"id": 1, "name": "Ada Lovelace"})
    await world.vote(asked, world.ann)
    rename(world, "Grace Hopper")
    stale = await resume(asked.id, world.runtime)
    newer = await dry_run(stale, await called_with(stale, world.runtime), world.runtime)
    assert (newer.state, newer.revision) == (State.PREVIEWING, 2)

    await ann.get(f"/approvals/{asked.id}")

    assert MARKER in ann.text
    for name in ("Ada Lovelace", "Grace Hopper", "pencil"):
        assert name not in ann.html


async def test_a_batch_shows_every_item_to_somebody_who_sees_them_masked(world: World, ann: Visitor) -> None:
    await world.decide_by(NOT_APPROVERS, ASK)
    asked = [await world.call("item_put", {"id": 7 + one, "name": "Ada", "quantity": 1}) for one in range(2)]
    assert asked[0].question is not None

    await ann.get(f"/approval-batches/{asked[0].question.shape}")

    found = re.findall(r'name="item" value="(inv_[^" ]+) ', ann.html)
    assert sorted(found) == sorted(one.id for one in asked)
    assert MARKER in ann.text
    assert "Ada" not in ann.html


async def test_where_glass_is_broken_and_reviewed_the_same_is_masked_and_said_to_be(world: World, ann: Visitor) -> None:
    await world.decide_by(NOT_APPROVERS, ASK)
    asked = await world.call("item_update", {"id": 1, "name": "Ada Lovelace"})
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.ann.id, frozenset({Role.OPERATOR, Role.MEMBER}), world.runtime.authority)

    await ann.get(f"/approvals/{asked.id}/broken-glass")
    glass = (ann.text, ann.html)
    await let_go(world, asked)
    await ann.get("/reviews")

    for text, html in (glass, (ann.text, ann.html)):
        assert MARKER in text
        assert "Masked for you" in text
        assert not any(name in html for name in ("Ada Lovelace", "pencil"))
