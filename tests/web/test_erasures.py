"""Erasures and legal holds on the page: seen beforehand, asked by one person, granted by another, held by auditors."""

import pytest
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.identity.accounts import set_roles
from hub.identity.principals import Principal, Role
from hub.invocations.values import Invocation

pytestmark = pytest.mark.anyio


async def become(world: World, person: Principal, *roles: Role) -> None:
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, person.id, frozenset({*roles, Role.MEMBER}), world.runtime.authority)


async def ask_for(visitor: Visitor, done: Invocation) -> None:
    await visitor.get("/erasures")
    await visitor.submit("/erasures/survey", kind="invocation", subject=done.id)
    await visitor.submit("/erasures", reason="They asked us to.")
    await visitor.follow()


async def test_one_sees_what_would_go_asks_and_an_auditor_grants(world: World, ann: Visitor) -> None:
    await become(world, world.ann, Role.AUDITOR)
    await become(world, world.carl, Role.ADMINISTRATOR)
    done = await world.call("item_get", {"id": 1})
    async with browser_of(world.runtime) as carl:
        await carl.log_in("carl", PASSWORD)
        await carl.get("/erasures")
        await carl.submit("/erasures/survey", kind="invocation", subject=done.id)
        assert "1 invocations, 0 previews and 2 private values of 1 events" in carl.text
        await carl.submit("/erasures", reason="They asked us to.")
        await carl.follow()
        assert "An auditor decides." in carl.text
        assert "Erase it for good" not in carl.text
    await ann.get("/erasures")
    erasure_id = ann.html.split("/erasures/ers_")[1].split("/")[0]

    await ann.submit(f"/erasures/ers_{erasure_id}/grant")
    await ann.follow()

    assert "It is erased." in ann.text
    assert "by Ann: 1 invocations" in ann.text
    async with browser_of(world.runtime) as rita:
        await rita.log_in("rita", PASSWORD)
        await rita.get(f"/invocations/{done.id}")
        assert "brought back was erased on" in rita.text
        assert "pencil" not in rita.text


async def test_who_asked_is_offered_no_grant_and_gets_none(world: World, ann: Visitor) -> None:
    await become(world, world.ann, Role.AUDITOR)
    await ask_for(ann, await world.call("item_get", {"id": 1}))

    assert "You asked for it; another auditor decides." in ann.text
    assert "Erase it for good" not in ann.text


async def test_an_auditor_holds_something_and_lifts_the_hold(world: World, ann: Visitor) -> None:
    await become(world, world.ann, Role.AUDITOR)
    await ann.get("/erasures")

    await ann.submit("/erasures/holds", kind="since", since="2026-03-01", reason="Proceedings.")
    await ann.follow()
    assert "everything since 2026-03-01 00:00Z Proceedings." in ann.text
    hold_id = ann.html.split("/erasures/holds/hld_")[1].split("/")[0]
    await ann.submit(f"/erasures/holds/hld_{hold_id}/lifting", reason="It is over.")
    await ann.follow()

    assert "Nothing is held." in ann.text


@pytest.mark.parametrize(
    ("action", "typed", "says"),
    [
        ("/erasures/survey", {"kind": "invocation", "subject": "inv_none"}, "There is no invocation inv_none."),
        ("/erasures/survey", {"kind": "all", "subject": "x"}, "Choose one of what the form offers."),
        ("/erasures/holds", {"kind": "since", "since": "March", "reason": "x"}, "Say since which day"),
        ("/erasures/holds", {"kind": "person", "subject": "usr_none", "reason": "x"}, "There is no person"),
        ("/erasures/holds", {"kind": "since", "since": "2026-03-01", "reason": ""}, "Say why it must be kept"),
    ],
    ids=["nothing", "kind", "day", "person", "reason"],
)
async def test_what_cannot_be_done_is_said(
    world: World, ann: Visitor, action: str, typed: dict[str, str], says: str
) -> None:
    await become(world, world.ann, Role.AUDITOR)
    await ann.get("/erasures")

    await ann.submit(action, **typed)

    assert ann.page.status_code == 400
    assert says in ann.text


async def test_the_page_is_for_those_who_may_ask(world: World, ann: Visitor) -> None:
    await ann.get("/erasures")
    assert ann.page.status_code == 403

    await become(world, world.ann, Role.ADMINISTRATOR)
    await ann.get("/erasures")
    assert "Legal holds" not in ann.text.replace("Erasures and legal holds", "")
    for action in ("/erasures/holds", "/erasures/ers_1/grant", "/erasures/ers_1/refusal", "/erasures/holds/h/lifting"):
        await ann.post(action, [("csrf_token", dict(ann.form("/erasures/survey").fields)["csrf_token"])])
        assert ann.page.status_code == 403
        await ann.get("/erasures")


async def test_a_person_is_named_by_account_name_and_kept_by_id(world: World, ann: Visitor) -> None:
    await become(world, world.ann, Role.AUDITOR)
    await world.call("item_get", {"id": 1})
    await ann.get("/erasures")

    await ann.submit("/erasures/survey", kind="person", subject="rita")
    assert "1 invocations" in ann.text
    await ann.submit("/erasures", reason="They asked us to.")
    await ann.follow()
    assert f"person {world.rita.id}" in ann.text
    await ann.submit("/erasures/holds", kind="person", subject="Rita", reason="A dispute.")
    await ann.follow()

    assert ann.text.count(f"person {world.rita.id}") == 2
