"""Promotions on the pages: asked for by the owner, decided by a second person who sees the evidence, never by a GET."""

from datetime import timedelta

import pytest
from promotions.stage import DOCUMENTED, LATER, Stage, open_stage
from sqlalchemy import update
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub import promotions
from hub.identity.tables import SessionRow
from hub.promotions import Promotion, State
from hub.registry import Environment
from hub.storage import now

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stage(world: World) -> Stage:
    return await open_stage(world)


async def ready(stage: Stage) -> Promotion:
    """Return a promotion of which every gate holds but the second person's."""
    await stage.call("item_put", {"id": 7, "name": "ruler", "quantity": 3})
    await stage.release(DOCUMENTED)
    await stage.badge(DOCUMENTED)
    return await stage.ask()


async def state(stage: Stage, promotion: Promotion) -> State:
    async with stage.world.runtime.database.reading() as tx:
        return (await promotions.get_promotion(tx, promotion.id)).state


async def test_the_owner_asks_and_sees_the_gates_and_what_differs(stage: Stage, visitor: Visitor) -> None:
    await stage.call("item_update", {"id": 1, "quantity": 5})
    await stage.release(LATER)
    await visitor.log_in("rita", PASSWORD)
    await visitor.get("/promotions")

    await visitor.submit("/promotions", connector="upstream", environment="prod", reason="Dozens.")
    await visitor.follow()

    assert "upstream 2.0.0 in prod" in visitor.text
    assert "The contract kit has not tried exactly this release" in visitor.text
    assert "items/1: quantity would become something else" in visitor.text
    assert "note_post offered not offered" in visitor.text
    assert "Somebody of approvers decides" in visitor.text
    assert "/decision" not in visitor.html


async def test_the_second_person_puts_it_in_use_with_a_form(stage: Stage, visitor: Visitor) -> None:
    asked = await ready(stage)
    await visitor.log_in("ann", PASSWORD)
    await visitor.get(f"/promotions/{asked.id}")

    await visitor.submit(f"/promotions/{asked.id}/decision", choice="use", reason="Looked at it.")
    await visitor.follow()

    assert await state(stage, asked) is State.IN_FORCE
    assert "The release is in use there from now on." in visitor.text


async def test_a_release_waits_among_the_approvals_of_who_may_decide_on_it_and_of_nobody_else(
    stage: Stage, visitor: Visitor
) -> None:
    asked = await ready(stage)
    await visitor.log_in("ann", PASSWORD)
    await visitor.get("/approvals")
    assert f'href="/promotions/{asked.id}"' in visitor.html
    assert "Put upstream" in visitor.text
    assert "Approvals 1" in visitor.text

    await visitor.get(f"/promotions/{asked.id}")
    await visitor.submit(f"/promotions/{asked.id}/decision", choice="use", reason="Looked at it.")
    await visitor.get("/approvals")
    assert "/promotions/" not in visitor.html

    await stage.release(LATER)
    await stage.ask()
    await visitor.get("/approvals")
    await visitor.submit("/logout")
    await visitor.log_in("rita", PASSWORD)  # she owns it and asked
    await visitor.get("/approvals")
    assert "/promotions/" not in visitor.html


async def test_a_get_decides_nothing_and_a_form_without_its_token_neither(stage: Stage, visitor: Visitor) -> None:
    asked = await ready(stage)
    await visitor.log_in("ann", PASSWORD)
    where = f"/promotions/{asked.id}/decision"

    looked = await visitor.get(f"{where}?choice=use&digest={asked.digest}")
    forged = await visitor.post(where, [("choice", "use"), ("digest", asked.digest)])

    assert (looked.status_code, forged.status_code) == (405, 403)
    assert await state(stage, asked) is State.ASKED


async def test_an_old_login_is_sent_to_enter_the_password_again(stage: Stage, visitor: Visitor) -> None:
    asked = await ready(stage)
    await visitor.log_in("ann", PASSWORD)
    async with stage.world.runtime.database.transaction() as tx:
        earlier = await now(tx) - timedelta(minutes=11)
        await tx.execute(update(SessionRow).values(authenticated_at=earlier))
    await visitor.get(f"/promotions/{asked.id}")

    await visitor.submit(f"/promotions/{asked.id}/decision", choice="use")

    assert visitor.page.headers["location"] == f"/fresh-login?next=/promotions/{asked.id}"
    assert await state(stage, asked) is State.ASKED


async def test_what_changed_since_the_page_was_shown_is_not_decided_on(stage: Stage, visitor: Visitor) -> None:
    asked, world = await ready(stage), stage.world
    await visitor.log_in("ann", PASSWORD)
    await visitor.get(f"/promotions/{asked.id}")
    async with world.runtime.database.transaction() as tx:
        await promotions.explain(tx, asked.id, "It is the same.", world.runtime.promotions, stage.authority(world.rita))

    await visitor.submit(f"/promotions/{asked.id}/decision", choice="use")

    assert visitor.page.status_code == 400
    assert "The promotion has changed since you looked at it." in visitor.text
    assert await state(stage, asked) is State.ASKED


async def test_an_onlooker_sees_the_gates_and_no_values_of_calls(stage: Stage, visitor: Visitor) -> None:
    await stage.call("item_update", {"id": 1, "quantity": 5})
    await stage.release(LATER)
    asked = await stage.ask()
    await visitor.log_in("carl", PASSWORD)

    await visitor.get(f"/promotions/{asked.id}")

    assert "Recorded writes come out the same" in visitor.text
    assert "would become" not in visitor.text
    assert "<form" not in visitor.html.partition("<main")[2]


async def test_the_owner_takes_it_back_with_a_reason(stage: Stage, visitor: Visitor) -> None:
    asked = await ready(stage)
    await stage.decide(asked, stage.world.ann)
    await visitor.log_in("rita", PASSWORD)
    await visitor.get(f"/promotions/{asked.id}")

    await visitor.submit(f"/promotions/{asked.id}/reversal", reason="It is slow.")
    await visitor.follow()

    assert await state(stage, asked) is State.REVERTED
    assert "It is slow." in visitor.text
    assert await stage.version_in(Environment.PROD) == 1


async def test_the_owner_looks_again_explains_and_withdraws(stage: Stage, visitor: Visitor) -> None:
    asked = await ready(stage)
    await visitor.log_in("rita", PASSWORD)
    where = f"/promotions/{asked.id}"
    for part, fields in (
        ("checks", {}),
        ("explanation", {"reason": "The same."}),
        ("withdrawal", {"reason": "Later."}),
    ):
        await visitor.get(where)
        await visitor.submit(f"{where}/{part}", **fields)
        await visitor.follow()

    assert await state(stage, asked) is State.WITHDRAWN
    assert "The same." in visitor.text


async def test_who_may_ask_for_nothing_gets_no_form(stage: Stage) -> None:
    async with browser_of(stage.world.runtime) as carl:
        await carl.log_in("carl", PASSWORD)
        await carl.get("/promotions")

        assert "Nothing has been promoted yet." in carl.text
        assert "Ask for a promotion" not in carl.text
