"""Policy on the pages: looked at, tried on the record, proposed, and published by a second, freshly logged in."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.bundles import default_bundle_text
from hub.bundles.tables import BundleRow
from hub.identity.accounts import set_roles
from hub.identity.principals import Role
from hub.identity.tables import SessionRow
from hub.storage import now

pytestmark = pytest.mark.anyio

ASKING = f"""{default_bundle_text()}
@id("ask-for-updates") @require("approvers:1") @ttl("PT1H") @why("Stock counts are audited this week.")
forbid (principal, action == Action::"autocommit", resource == Tool::"upstream.item_update");
"""
WRONG = '@id("p")\npermit (principal, action, resource)\nwhen { context.ammount > 1 };\n'


@pytest.fixture
async def root(world: World, visitor: Visitor) -> Visitor:
    """Ann, who has been made administrator, as carl has been."""
    async with world.runtime.database.transaction() as tx:
        for one in (world.ann, world.carl):
            await set_roles(tx, one.id, frozenset({Role.ADMINISTRATOR, Role.MEMBER}), world.runtime.authority)
    await visitor.log_in("ann", PASSWORD)
    return visitor


@pytest.fixture
async def other(world: World, root: Visitor) -> AsyncGenerator[Visitor]:
    """Carl, the other administrator, at a browser of his own."""
    assert root.page.status_code == 303
    async with browser_of(world.runtime) as opened:
        await opened.log_in("carl", PASSWORD)
        yield opened


async def deciding(world: World, environment: str) -> str:
    async with world.runtime.database.reading() as tx:
        return (await world.runtime.bundles.fresh(tx, environment)).text


async def propose(visitor: Visitor, text: str, environment: str = "prod") -> str:
    """Propose a text on the page; return where its proposal stands."""
    await visitor.get(f"/policy/{environment}")
    await visitor.submit(f"/policy/{environment}", text=text, wish="propose")
    where = str(visitor.page.headers["location"])
    await visitor.follow()
    return where


async def test_what_decides_is_shown_with_its_rules_reasons_and_tests(root: Visitor) -> None:
    await root.get("/policy")
    await root.follow()

    assert "Policy in dev" in root.text
    assert "Writes of tier high need the approval of another person." in root.text
    assert "1 of approvers, within 1 day" in root.text
    assert "a high write needs another person" in root.text
    assert ">fails<" not in root.html


async def test_only_administrators_see_any_of_it(world: World) -> None:
    async with browser_of(world.runtime) as rita:
        await rita.log_in("rita", PASSWORD)
        await rita.get("/servers")
        token = dict(rita.form("/logout").fields)["csrf_token"]
        answers = [
            (await rita.get("/policy")).status_code,
            (await rita.get("/policy/dev")).status_code,
            (await rita.get("/policy/bundles/bdl_1")).status_code,
            (await rita.post("/policy/dev", [("csrf_token", token), ("wish", "publish")])).status_code,
            (await rita.post("/policy/bundles/bdl_1/publish", [("csrf_token", token)])).status_code,
        ]
        assert 'href="/policy"' not in (await rita.get("/servers")).text

    assert answers == [403] * 5


async def test_a_text_is_tried_on_the_record_and_the_difference_explained_call_by_call(
    world: World, root: Visitor
) -> None:
    happened = await world.call("item_update", {"id": 1, "quantity": 12})
    await root.get("/policy/dev")

    await root.submit("/policy/dev", text=ASKING.replace("\n", "\r\n"), wish="try")

    assert root.page.status_code == 200
    assert happened.id in root.text
    assert "update items/1" in root.text  # the record by its name, and nothing of what it holds
    assert "would ask more people asks 1 of approvers" in root.text
    assert "ask-for-updates decides now: Stock counts are audited this week." in root.text
    assert dict(root.form("/policy/dev").fields)["text"].strip() == ASKING.strip()
    assert await deciding(world, "dev") == default_bundle_text()


async def test_other_terms_for_the_same_people_are_shown_side_by_side(world: World, root: Visitor) -> None:
    await world.decide_by(
        '@id("note") @confirm("requester") @require("approvers:1") @why("Theirs.")'
        ' forbid (principal, action == Action::"autocommit", resource == Tool::"upstream.note_post");'
    )
    await world.call("note_post", {"text": "Back at noon"})
    await root.get("/policy/dev")
    text = dict(root.form("/policy/dev").fields)["text"]

    await root.submit("/policy/dev", text=text.replace('@id("note")', '@id("note") @fresh("PT5M")'), wish="try")

    assert "would go on other terms" in root.text
    assert "asks the person it is done for and 1 of approvers (within 86400 seconds)" in root.text
    assert "(within 86400 seconds, login of the last 300 seconds)" in root.text


async def test_a_wrong_text_is_shown_with_the_line_that_is_wrong_and_nothing_is_lost(
    world: World, root: Visitor
) -> None:
    await root.get("/policy/dev")

    for wish in ("try", "propose", "publish"):
        await root.submit("/policy/dev", text=WRONG, wish=wish)
        assert root.page.status_code == 400
        assert "Lines 1 to 3: attribute `ammount` in the context of a call not found" in root.text
        assert "3 , wrong when { context.ammount &gt; 1 };" in root.text
        assert dict(root.form("/policy/dev").fields)["text"].strip() == WRONG.strip()

    assert await deciding(world, "dev") == default_bundle_text()


async def test_a_test_that_fails_is_shown_where_it_stands(root: Visitor) -> None:
    failing = ASKING + '\n//? {"example": "all is well", "action": "commit",\n//? "expect": "denied"}\n'
    await root.get("/policy/dev")

    await root.submit("/policy/dev", text=failing, wish="propose")

    assert root.page.status_code == 400
    number = len(ASKING.splitlines()) + 2
    assert f"Lines {number} to {number + 1}: &#39;all is well&#39; should be denied and is allowed" in root.text


async def test_a_file_takes_the_place_of_the_text(world: World, root: Visitor) -> None:
    await root.get("/policy/dev")
    token = dict(root.form("/policy/dev").fields)["csrf_token"]
    fields = {"csrf_token": token, "wish": "publish", "days": "30", "text": "what was typed"}

    answers = []
    for content in (b"\xff\xfe", b"x" * (1024 * 1024), ASKING.encode()):
        files = {"file": ("stricter.cedar", content, "text/plain")}
        answers.append((await root.client.post("/policy/dev", data=fields, files=files)).status_code)

    assert answers == [400, 400, 303]
    assert await deciding(world, "dev") == ASKING


async def test_in_production_it_takes_a_second_person(world: World, root: Visitor, other: Visitor) -> None:
    await root.get("/policy/prod")
    token = dict(root.form("/policy/prod").fields)["csrf_token"]
    alone = await root.post("/policy/prod", [("csrf_token", token), ("text", ASKING), ("wish", "publish")])
    assert alone.status_code == 403
    where = await propose(root, ASKING)
    assert "You proposed it; another administrator publishes it." in root.text
    digest = await _digest(world)
    await root.post(f"{where}/publish", [("csrf_token", token), ("digest", digest)])
    assert "You proposed this policy" in root.text
    assert await deciding(world, "prod") == default_bundle_text()

    await other.get("/policy/prod")
    assert f'href="{where}"' in other.html
    await other.get(f"{where}?days=7")
    assert "+ added @id" in other.text
    assert "0 decisions of the last 7 days made again" in other.text
    await other.submit(f"{where}/publish")

    assert await deciding(world, "prod") == ASKING
    await other.follow()
    assert "It decides from now on." in other.text
    assert "Carl" in other.text


async def _digest(world: World) -> str:
    async with world.runtime.database.reading() as tx:
        found = await tx.scalar(select(BundleRow.digest).where(BundleRow.published_at.is_(None)))
    assert found is not None
    return found


async def test_an_old_login_publishes_nothing_until_the_password_was_given_again(
    world: World, root: Visitor, other: Visitor
) -> None:
    where = await propose(root, ASKING)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(SessionRow).values(authenticated_at=await now(tx) - timedelta(minutes=11)))
    await other.get(where)
    assert "You will be asked for your password first" in other.text

    await other.submit(f"{where}/publish")

    assert other.page.headers["location"] == f"/fresh-login?next={where}"
    assert await deciding(world, "prod") == default_bundle_text()
    await other.follow()
    await other.submit("/fresh-login", password=PASSWORD)
    await other.follow()
    await other.submit(f"{where}/publish")
    assert await deciding(world, "prod") == ASKING


async def test_what_was_not_shown_is_not_published(world: World, root: Visitor, other: Visitor) -> None:
    where = await propose(root, ASKING)
    await other.get(where)

    await other.submit(f"{where}/publish", digest="0" * 64)

    assert other.page.status_code == 409
    assert "not the proposal that the page showed" in other.text
    assert await deciding(world, "prod") == default_bundle_text()


async def test_the_history_leads_to_every_bundle_that_decided(world: World, root: Visitor) -> None:
    for text in (ASKING, default_bundle_text()):
        await root.get("/policy/dev")
        await root.submit("/policy/dev", text=text, wish="publish")
        await root.follow()

    async with world.runtime.database.reading() as tx:
        rows = (await tx.scalars(select(BundleRow).order_by(BundleRow.id))).all()
    assert [row.text for row in rows] == [default_bundle_text(), ASKING, default_bundle_text()]
    assert all(f"/policy/bundles/{row.id}" in root.html for row in rows)
    await root.get(f"/policy/bundles/{rows[1].id}")
    assert "replaced" in root.text
    assert "+ added @id" in root.text
    await root.get(f"/policy/bundles/{rows[2].id}")
    assert "- removed @id" in root.text
    assert (await root.get("/policy/bundles/bdl_none")).status_code == 404
    assert (await root.get("/policy/nowhere")).status_code == 404


async def test_a_text_that_lost_its_guards_is_remarked_on_by_trial_proposal_and_publication(root: Visitor) -> None:
    text = "\n".join(line for line in default_bundle_text().splitlines() if not line.startswith("//?"))
    lost = text.replace("when { context.is_suspended }", 'when { context.environment == "staging" }')
    await root.get("/policy/dev")
    assert "Look at this" not in root.text

    await root.submit("/policy/dev", text=lost, wish="try")
    assert "Look at this before it decides No rule forbids what a suspended agent asks for" in root.text
    assert "No example says what these rules are to decide" in root.text
    await propose(root, lost)
    assert "Look at this before it decides No rule forbids what a suspended agent asks for" in root.text
    await root.get("/policy/dev")
    await root.submit("/policy/dev", text=lost, wish="publish")
    await root.follow()

    assert "It decides from now on. No rule forbids what a suspended agent asks for" in root.text
    assert "Look at this: it decides now" in root.text


async def test_a_text_that_permits_nothing_is_refused(world: World, root: Visitor) -> None:
    for wish in ("try", "propose", "publish"):
        await root.get("/policy/dev")
        await root.submit("/policy/dev", text="", wish=wish)
        assert root.page.status_code == 400
        assert "No rule permits anything, so every call would be refused." in root.text
    assert await deciding(world, "dev") == default_bundle_text()


async def test_every_rule_of_the_default_policy_has_a_reason(root: Visitor) -> None:
    await root.get("/policy/dev")

    assert "none given" not in root.text
