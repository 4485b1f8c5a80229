"""Promotions on the pages: asked for by the owner, decided by a second person who sees the evidence, never by a GET."""

from datetime import timedelta

import pytest
from promotions.stage import DOCUMENTED, LATER, Stage, open_stage
from sqlalchemy import update
from upstream.composites import restock
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub import promotions
from hub.identity.accounts import set_roles
from hub.identity.principals import Role
from hub.identity.tables import SessionRow
from hub.promotions import Promotion, State
from hub.registry import Declaration, Environment, declare
from hub.registry.using import take_out_of_use
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
    assert "<code>toolhub connector check upstream --on HARNESS --keep</code>" in visitor.html
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
    assert "holds Ann has looked at all of it and agrees." in visitor.text
    assert "open Somebody of approvers decides" not in visitor.text
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


async def test_of_the_first_release_nobody_is_asked_to_explain_what_differs(stage: Stage, visitor: Visitor) -> None:
    await stage.release(DOCUMENTED)
    await stage.badge(DOCUMENTED)
    async with stage.world.runtime.database.transaction() as tx:
        await take_out_of_use(tx, "upstream", Environment.PROD)
    asked = await stage.ask()
    await visitor.log_in("rita", PASSWORD)
    where = f"/promotions/{asked.id}"

    await visitor.get(where)

    assert "the first release there" in visitor.text
    assert "Say why it may be the first No release is in use in prod yet" in visitor.text
    assert "Explain what differs" not in visitor.text
    await visitor.submit(f"{where}/explanation", reason="It was tried in staging.")
    await visitor.follow()
    assert "It was tried in staging." in visitor.text


async def test_of_an_environment_whose_gates_compare_no_calls_nobody_is_asked_to_explain(
    stage: Stage, visitor: Visitor
) -> None:
    await stage.release(DOCUMENTED)
    async with stage.world.runtime.database.transaction() as tx:
        await take_out_of_use(tx, "upstream", Environment.STAGING)
    asked = await stage.ask(Environment.STAGING)
    await visitor.log_in("rita", PASSWORD)
    where = f"/promotions/{asked.id}"

    await visitor.get(where)

    assert f"{where}/checks" in visitor.html
    assert f"{where}/explanation" not in visitor.html
    token = [field for field in visitor.form(f"{where}/checks").fields if field[0] == "csrf_token"]
    await visitor.post(f"{where}/explanation", [*token, ("reason", "It is the first.")])
    assert "No recorded calls are compared for staging, so there is nothing to explain." in visitor.text


async def test_a_refusal_stands_at_the_gate_of_the_second_person(stage: Stage, visitor: Visitor) -> None:
    asked = await ready(stage)
    await visitor.log_in("ann", PASSWORD)
    await visitor.get(f"/promotions/{asked.id}")

    await visitor.submit(f"/promotions/{asked.id}/decision", choice="reject", reason="Not yet.")
    await visitor.follow()

    assert "fails Ann does not agree." in visitor.text


async def test_who_may_ask_for_nothing_gets_no_form(stage: Stage) -> None:
    async with browser_of(stage.world.runtime) as carl:
        await carl.log_in("carl", PASSWORD)
        await carl.get("/promotions")

        assert "Nothing has been promoted yet." in carl.text
        assert "Ask for a promotion" not in carl.text


async def administrator(stage: Stage, visitor: Visitor) -> None:
    """Let rita administer, and look at the promotions while dev has a composite tool."""
    authority = stage.authority(None)
    async with stage.world.runtime.database.transaction() as tx:
        await set_roles(tx, stage.world.rita.id, frozenset({Role.ADMINISTRATOR, Role.MEMBER}), authority)
        await declare(tx, Declaration.model_validate(restock()), authority)
    await visitor.log_in("rita", PASSWORD)
    await visitor.get("/promotions")


async def test_an_administrator_asks_for_a_composite_tool_and_sees_its_gates(stage: Stage, visitor: Visitor) -> None:
    await administrator(stage, visitor)
    assert "restock (dev)" in visitor.text

    wanted = {"composite": "restock", "environment": "staging", "reason": "Tried."}
    await visitor.submit("/promotions/composites", connections="put = upstream-staging\n", **wanted)
    await visitor.follow()

    assert "composite_staging" in visitor.text
    assert "restock: in use in dev like this" in visitor.text


async def test_what_speaks_against_a_composite_tool_is_told_beside_the_form_which_keeps_what_was_typed(
    stage: Stage, visitor: Visitor
) -> None:
    await administrator(stage, visitor)
    wanted = {"composite": "restock", "environment": "prod", "reason": "Tried for a week."}
    await visitor.submit("/promotions/composites", connections="put upstream-staging", **wanted)
    assert (visitor.page.status_code, "Write each step once, as STEP = CONNECTION" in visitor.text) == (400, True)

    await visitor.submit("/promotions/composites", connections="put = upstream-staging", **wanted)

    assert visitor.page.status_code == 400
    assert "There is no composite tool" in visitor.text
    assert "put = upstream-staging" in visitor.html
    assert 'value="Tried for a week."' in visitor.html
    assert 'value="prod" selected' in visitor.html
    async with stage.world.runtime.database.reading() as tx:
        assert await promotions.promotions(tx) == []


async def test_who_is_no_administrator_gets_no_form_for_composite_tools(stage: Stage, visitor: Visitor) -> None:
    async with stage.world.runtime.database.transaction() as tx:
        await declare(tx, Declaration.model_validate(restock()), stage.authority(None))
    await visitor.log_in("rita", PASSWORD)
    await visitor.get("/promotions")

    assert "Ask for a promotion" in visitor.text  # the connector is hers
    assert "Ask for a composite tool" not in visitor.text
    assert "composite_dev" not in visitor.text
