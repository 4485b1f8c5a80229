"""What auditors read on pages: the log and its proof, everybody's calls, the rules in force; and no more than that."""

import json
import re
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from sqlalchemy import select, update
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub import audit
from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.bundles import default_bundle_text
from hub.core.canonical import canonical_json
from hub.identity.accounts import set_roles
from hub.identity.principals import Principal, Role
from hub.invocations.states import State

pytestmark = pytest.mark.anyio


async def become(world: World, person: Principal, *roles: Role) -> None:
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, person.id, frozenset(roles), world.runtime.authority)


@pytest.fixture
async def auditor(world: World, ann: Visitor) -> Visitor:
    """Ann, who is an auditor and nothing else."""
    await become(world, world.ann, Role.AUDITOR)
    return ann


async def test_an_auditor_reads_the_log_by_kind_and_by_name(world: World, auditor: Visitor) -> None:
    done = await world.call("item_get", {"id": 1})

    await auditor.get("/audit")
    assert 'href="/audit" aria-current="page"' in auditor.html
    assert f'href="/invocations/{done.id}"' in auditor.html
    assert "kept private arguments" in auditor.text
    await auditor.get("/audit?kind=account.created")
    assert "account.created" in auditor.text
    assert done.id not in auditor.html
    await auditor.get("/audit?of=rita")
    assert "Rita" in auditor.text
    assert done.id not in auditor.html
    await auditor.get(f"/audit?of={done.id}&kind=nothing&before=x")

    assert f'href="/invocations/{done.id}"' in auditor.html


async def test_an_auditor_reads_what_a_call_brought_back_and_that_is_on_record(world: World, auditor: Visitor) -> None:
    done = await world.call("item_get", {"id": 1})

    await auditor.get(f"/invocations/{done.id}")

    assert 'id="outcome"' in auditor.html
    assert "pencil" in auditor.html
    assert "is shown to those whose call it is" not in auditor.html
    async with world.runtime.database.reading() as tx:
        (look,) = [one for one in await audit.events_of(tx, done.id) if one.kind is EventKind.BODIES_READ]
    assert "result" in look.facts["fields"]


async def test_a_long_log_is_read_page_by_page(world: World, auditor: Visitor) -> None:
    for _ in range(60):
        await become(world, world.carl, Role.MEMBER)

    await auditor.get("/audit?kind=account.changed")
    newest = auditor.html.count("What is on record")
    (more,) = (part.partition('"')[0] for part in auditor.html.split('href="/audit?')[1:])
    await auditor.get(f"/audit?{more.replace('&amp;', '&')}")

    assert (newest, auditor.html.count("What is on record")) == (50, 11)
    assert "Older events" not in auditor.text


async def test_the_newest_checkpoint_is_shown_to_be_kept(world: World, auditor: Visitor) -> None:
    await audit.sequence(world.runtime.database, world.runtime.keys)

    await auditor.get("/audit")

    async with world.runtime.database.reading() as tx:
        newest = await audit.latest_checkpoint(tx, world.runtime.keys)
    assert newest is not None
    assert newest.note.splitlines()[0] in auditor.text
    assert f"{newest.size:,} events are under this signature" in auditor.text


async def test_the_log_is_checked_on_the_page_and_a_changed_event_is_found(world: World, auditor: Visitor) -> None:
    await auditor.get("/audit")
    await auditor.submit("/audit/check")
    assert "Proven: " in auditor.text
    assert "from number 0 to" in auditor.text
    async with world.runtime.database.transaction() as tx:
        first = (await tx.scalars(select(EventRow).order_by(EventRow.entry).limit(1))).one()
        body = json.loads(first.body) | {"subject": "somebody else"}
        await tx.execute(update(EventRow).where(EventRow.id == first.id).values(body=canonical_json(body)))

    await auditor.get("/audit")
    await auditor.submit("/audit/check")

    assert "Not proven" in auditor.text
    assert "Proven: " not in auditor.text


async def test_an_event_that_was_made_unreadable_hides_none_of_the_others(world: World, auditor: Visitor) -> None:
    done, spoilt = [await world.call("item_get", {"id": number}) for number in (1, 2)]
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(EventRow).where(EventRow.subject == spoilt.id).values(body=b"no event"))

    await auditor.get("/audit")

    assert auditor.text.count("What stands here was changed after it was written and cannot be read.") == 1
    assert f'href="/invocations/{done.id}"' in auditor.html
    assert f'href="/invocations/{spoilt.id}"' in auditor.html


async def test_the_log_is_taken_away_and_verifies_elsewhere(world: World, auditor: Visitor) -> None:
    await auditor.get("/audit")

    await auditor.submit("/audit/export")

    report = audit.verify_export(auditor.page.content.splitlines(keepends=True))
    assert report.is_sound
    assert report.opened == 0
    assert 'filename="audit.jsonl"' in auditor.page.headers["content-disposition"]
    async with world.runtime.database.reading() as tx:
        taken = await tx.scalar(select(EventRow.actor).where(EventRow.kind == EventKind.LOG_EXPORTED.value))
    assert taken == world.ann.id


def ids_on(visitor: Visitor) -> list[str]:
    return [part.partition('"')[0] for part in visitor.html.split('href="/invocations/')[1:]]


async def test_everybodys_invocations_are_found_by_agent_tool_state_and_day(world: World, auditor: Visitor) -> None:
    written = await world.call("item_update", {"id": 1, "quantity": 11})
    read = await world.call("item_get", {"id": 1})

    day = f"{datetime.now(UTC):%Y-%m-%d}"
    for asked, found in (
        ({"agent": "bot"}, [read.id, written.id]),
        ({"agent": world.bot.id, "tool": "item_get"}, [read.id]),
        ({"state": "VERIFIED"}, [written.id]),
        ({"since": day}, [read.id, written.id]),
        ({"since": "2100-01-01"}, []),
        ({"agent": "rita"}, []),
        ({"state": "nonsense", "since": "nonsense"}, [read.id, written.id]),
    ):
        await auditor.get(f"/invocations?{urlencode({'of': 'everybody', **asked})}")
        assert ids_on(auditor) == found, asked
        kept = dict(auditor.form("/invocations").fields)
        assert all(kept[name] == text for name, text in asked.items() if name != "state")


async def test_more_of_a_filtered_list_is_filtered_too(world: World, auditor: Visitor) -> None:
    reads = [await world.call("item_get", {"id": 1}) for _ in range(41)]
    await world.call("item_update", {"id": 1, "quantity": 11})

    await auditor.get("/invocations?of=everybody&tool=item_get&agent=bot")
    (more,) = set(re.findall(r'href="(/invocations\?[^"]+after=[^"]+)"', auditor.html))
    await auditor.get(more.replace("&amp;", "&"))

    assert ids_on(auditor) == [reads[0].id]
    kept = dict(auditor.form("/invocations").fields)
    assert kept == {"of": "everybody", "agent": "bot", "tool": "item_get", "state": "", "since": ""}


async def test_the_log_is_read_by_who_did_something(world: World, auditor: Visitor) -> None:
    asked = await world.call("ticket_create", {"title": "x"})
    await world.vote(asked, world.ann)

    for who, of_it in (("ann", 1), (world.ann.id, 1), ("rita", 0)):
        await auditor.get(f"/audit?who={who}&kind=vote.cast")
        assert auditor.page.status_code == 200
        assert auditor.html.count(f'href="/invocations/{asked.id}"') == of_it
    await auditor.get("/audit?who=ann")
    assert ("who", "ann") in auditor.form("/audit").fields


async def test_an_auditor_opens_anybodys_call_which_is_on_record_and_changes_nothing(
    world: World, auditor: Visitor
) -> None:
    written = await world.call("item_update", {"id": 1, "quantity": 11})
    read = await world.call("item_get", {"id": 1})

    await auditor.get("/invocations?of=everybody")
    assert {written.id, read.id} <= {part.partition('"')[0] for part in auditor.html.split('href="/invocations/')[1:]}
    assert (await auditor.get(f"/invocations/{read.id}")).status_code == 200
    assert (await auditor.get(f"/invocations/{written.id}")).status_code == 200

    assert written.state is State.VERIFIED
    assert f"/invocations/{written.id}/undo" not in auditor.html
    assert f"/invocations/{written.id}/cancel" not in auditor.html
    token = auditor.form("/logout").fields
    for what in ("undo", "cancel"):
        answer = await auditor.post(f"/invocations/{written.id}/{what}", [*token, ("reason", "x")])
        assert answer.status_code == 404
    async with world.runtime.database.reading() as tx:
        looks = [one for one in await audit.events_of(tx, written.id) if one.kind is EventKind.BODIES_READ]
    assert [one.actor for one in looks] == [world.ann.id]


async def test_what_an_auditor_may_look_at_gives_no_right_to_what_belongs_to_it(world: World, auditor: Visitor) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 11})
    async with browser_of(world.runtime) as rita:
        await rita.log_in("rita", PASSWORD)
        await rita.get(f"/invocations/{done.id}")
        await rita.submit(f"/invocations/{done.id}/undo", reason="A slip.")
        undoing = rita.page.headers["location"].partition("?")[0]

    await auditor.get(undoing)
    assert auditor.page.status_code == 200

    token = auditor.form("/logout").fields
    assert (await auditor.post(f"{undoing}/undo", [*token, ("reason", "x")])).status_code == 404


async def test_an_auditor_reads_the_rules_and_changes_none(auditor: Visitor) -> None:
    await auditor.get("/policy/dev")
    assert auditor.page.status_code == 200
    assert "What decides" in auditor.html
    assert "Try or propose another" not in auditor.text

    token = auditor.form("/logout").fields
    for wish in ("try", "propose", "publish"):
        form = [*token, ("wish", wish), ("text", default_bundle_text())]
        assert (await auditor.post("/policy/dev", form)).status_code == 403


async def test_who_is_no_auditor_reads_none_of_it(world: World, ann: Visitor) -> None:
    done = await world.call("item_get", {"id": 1})
    token = (await ann.get("/audit")) and ann.form("/logout").fields
    assert ann.page.status_code == 403
    for path in ("/audit/check", "/audit/export"):
        assert (await ann.post(path, token)).status_code == 403
    for path, status in (("/invocations?of=everybody", 403), (f"/invocations/{done.id}", 404), ("/policy/dev", 403)):
        assert (await ann.get(path)).status_code == status


async def test_an_administrator_sees_health_but_not_all_that_waits(world: World, ann: Visitor) -> None:
    await become(world, world.ann, Role.ADMINISTRATOR)

    await ann.get("/health")
    assert 'href="/health" aria-current="page"' in ann.html

    assert (await ann.get("/waiting")).status_code == 403
    asked = await world.call("item_delete", {"id": 1})
    async with browser_of(world.runtime) as carl:
        await become(world, world.carl, Role.ADMINISTRATOR)
        await carl.log_in("carl", PASSWORD)
        assert (await carl.get(f"/invocations/{asked.id}")).status_code == 404
