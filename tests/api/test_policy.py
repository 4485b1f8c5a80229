"""Policy over the API: shown, tried on the record, proposed by one administrator and published by another."""

from datetime import timedelta

import pytest
from doors.people import LogIn, is_problem
from doors.working_hub import WorkingHub
from sqlalchemy import update

from hub.bundles import default_bundle_text
from hub.identity.accounts import NewUser, create_user, set_roles
from hub.identity.principals import Role
from hub.identity.tables import SessionRow
from hub.invocations.invoke import invoke
from hub.invocations.values import Call
from hub.storage import now

pytestmark = pytest.mark.anyio

NO_READS = f"""{default_bundle_text()}
@id("no-reads") @why("Nothing is read on holidays.")
forbid (principal, action == Action::"propose", resource == Tool::"upstream.item_get");"""


@pytest.fixture
async def second(hub: WorkingHub) -> str:
    """Another administrator, by name."""
    async with hub.database.transaction() as tx:
        new = NewUser(name="second", display_name="Second", password="a long enough password")
        hub.people["second"] = await create_user(tx, new, hub.authority)
        await set_roles(tx, hub.people["second"].id, frozenset({Role.ADMINISTRATOR}), hub.authority)
    return "second"


async def test_what_decides_is_shown_with_what_waits(log_in: LogIn) -> None:
    shown = await (await log_in("administrator")).get("/policy/prod")

    assert shown.status_code == 200
    assert shown.json()["active"]["text"] == default_bundle_text()
    assert (shown.json()["proposals"], shown.json()["takes_two"]) == ([], True)


async def test_a_bundle_is_tried_on_the_record_and_changes_nothing(hub: WorkingHub, log_in: LogIn) -> None:
    administrator = await log_in("administrator")
    call = Call(caller=hub.caller, server="everything", tool="item_get", arguments={"id": 1}, trace_id="0" * 32)
    read = await invoke(call, hub.runtime)

    tried = await administrator.send("POST", "/policy/dev/what-if", {"text": NO_READS})

    assert tried.status_code == 200, tried.text
    assert (tried.json()["decisions"], tried.json()["changed"]["refused"]) == (1, 1)
    [difference] = tried.json()["differences"]
    assert difference["invocation"] == read.id
    assert difference["was"]["outcome"] == "allowed"
    assert difference["would_be"]["rule_ids"] == ["no-reads"]
    assert difference["would_be"]["reasons"] == ["Nothing is read on holidays."]
    assert (await administrator.get("/policy/dev")).json()["active"]["text"] == default_bundle_text()


async def test_in_production_nobody_publishes_alone(hub: WorkingHub, log_in: LogIn, second: str) -> None:
    administrator = await log_in("administrator")

    alone = await administrator.send("PUT", "/policy/prod", {"text": NO_READS})
    proposed = await administrator.send("POST", "/policy/prod/proposals", {"text": NO_READS})
    publish = f"/policy/proposals/{proposed.json()['id']}/publish"
    own = await administrator.send("POST", publish)
    before = await administrator.get("/policy/prod")
    published = await (await log_in(second)).send("POST", publish)
    twice = await (await log_in(second)).send("POST", publish)
    after = await administrator.get("/policy/prod")

    assert is_problem(alone, 403, "forbidden")
    assert is_problem(own, 403, "forbidden")
    assert before.json()["active"]["text"] == default_bundle_text()
    assert [one["proposed_by"] for one in before.json()["proposals"]] == [hub.people["administrator"].id]
    assert published.status_code == 200
    assert is_problem(twice, 409, "conflict")
    assert (after.json()["active"]["text"], after.json()["proposals"]) == (NO_READS, [])


async def test_an_old_login_publishes_nothing(hub: WorkingHub, log_in: LogIn, second: str) -> None:
    proposed = await (await log_in("administrator")).send("POST", "/policy/prod/proposals", {"text": NO_READS})
    other = await log_in(second)
    async with hub.database.transaction() as tx:
        await tx.execute(update(SessionRow).values(authenticated_at=await now(tx) - timedelta(minutes=11)))

    late = await other.send("POST", f"/policy/proposals/{proposed.json()['id']}/publish")

    assert is_problem(late, 403, "fresh_login_needed")
    assert (await other.get("/policy/prod")).json()["active"]["text"] == default_bundle_text()


async def test_an_old_proposal_does_not_undo_what_was_published_since(log_in: LogIn, second: str) -> None:
    first, other = await log_in("administrator"), await log_in(second)
    old = await first.send("POST", "/policy/prod/proposals", {"text": default_bundle_text() + "\n"})
    newer = await other.send("POST", "/policy/prod/proposals", {"text": NO_READS})
    await first.send("POST", f"/policy/proposals/{newer.json()['id']}/publish")

    late = await other.send("POST", f"/policy/proposals/{old.json()['id']}/publish")

    assert is_problem(late, 409, "conflict")
    assert (await first.get("/policy/prod")).json()["active"]["text"] == NO_READS


async def test_in_development_one_person_is_enough(log_in: LogIn) -> None:
    administrator = await log_in("administrator")

    published = await administrator.send("PUT", "/policy/dev", {"text": NO_READS})

    assert published.status_code == 200
    assert (await administrator.get("/policy/dev")).json()["active"]["text"] == NO_READS


@pytest.mark.parametrize("path", ["/policy/prod/proposals", "/policy/dev/what-if"])
async def test_a_bundle_that_breaks_its_own_examples_is_refused(log_in: LogIn, path: str) -> None:
    failing = f'{NO_READS}\n//? {{"example": "anybody reads", "action": "propose", "facts": {{"connector": "upstream", "tool": "item_get"}}, "expect": "allowed"}}\n'  # noqa: E501  # one line of a bundle

    refused = await (await log_in("administrator")).send("POST", path, {"text": failing})

    assert refused.status_code in {400, 422}
    assert "anybody reads" in refused.json()["detail"]


async def test_a_bundle_that_lost_a_guard_is_remarked_on_and_one_that_permits_nothing_is_refused(log_in: LogIn) -> None:
    administrator = await log_in("administrator")
    lost = default_bundle_text().replace(
        "when { !context.stops.isEmpty() }", 'when { context.environment == "staging" }'
    )
    lost = "\n".join(line for line in lost.splitlines() if not line.startswith("//?"))

    tried = await administrator.send("POST", "/policy/dev/what-if", {"text": lost})
    proposed = await administrator.send("POST", "/policy/prod/proposals", {"text": lost})
    published = await administrator.send("PUT", "/policy/dev", {"text": lost})
    nothing = await administrator.send("PUT", "/policy/dev", {"text": "// nothing"})

    for answer in (tried, proposed, published):
        assert ["context.stops" in told for told in answer.json()["remarks"]] == [True, False], answer.text
    assert (await administrator.get("/policy/dev")).json()["active"]["remarks"] == published.json()["remarks"]
    assert is_problem(nothing, 400, "bundle_invalid"), nothing.text
