"""A real Directus behind the hub: its own document under our overlay, trials in content versions, its refusals."""

import shutil
from collections.abc import AsyncGenerator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from upstream.fixtures import running_upstream
from world import MASTER_KEY, World, open_world

from connectors.directus import compiled, directus
from connectors.sdk.vocabulary import Fidelity
from directus.harness import opened
from directus.installation import install
from directus.server import Directus, running_directus
from hub.identity.clients import NewAgent, create_agent
from hub.identity.principals import Caller
from hub.invocations.proving.session import check_live
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.registry import BadgeVerdict, Environment, NewConnection, create_connection, register_connector
from hub.storage import Database

pytestmark = [pytest.mark.anyio, pytest.mark.more]

Json = Any
SCOPES = frozenset({"directus:read", "directus:write"})
_runs = count()


class Office:
    """A Directus, and an agent that may do there what the overlay exposes."""

    def __init__(self, directus: Directus, world: World, caller: Caller) -> None:
        self.directus = directus
        self.world = world
        self.caller = caller

    async def call(self, tool: str, **arguments: Json) -> Invocation:
        """Invoke `tool` as the agent, in a run of its own."""
        return await self.world.call(tool, arguments, caller=self.caller, run=f"run-{next(_runs)}")

    async def approved(self, invocation: Invocation) -> None:
        """Let somebody agree to `invocation`."""
        await self.world.vote(invocation, self.world.ann)

    async def done(self, tool: str, **arguments: Json) -> Invocation:
        """Invoke `tool`, which somebody has to agree to, and carry it out."""
        asked = await self.call(tool, **arguments)
        assert asked.state is State.AWAITING_APPROVAL
        await self.approved(asked)
        return await resume(asked.id, self.world.runtime)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directus]:
    with running_directus(install(Path(".venvs")), tmp_path_factory.mktemp("directus") / "served") as directus:
        yield directus


@pytest.fixture(scope="module")
async def office(
    running: Directus, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncGenerator[Office]:
    del anyio_backend
    folder = tmp_path_factory.mktemp("office")
    shutil.copyfile(sqlite_template, folder / "hub.sqlite")
    database = Database(f"sqlite+aiosqlite:///{folder / 'hub.sqlite'}")
    keys = await Keyring.open(database, MASTER_KEY)
    with running_upstream(folder) as upstream:
        async with open_world(database, keys, upstream) as world:
            yield Office(running, world, await _connected(world, running))
    await database.close()


async def _connected(world: World, running: Directus) -> Caller:
    authority = world.runtime.authority
    async with world.runtime.database.transaction() as tx:
        await register_connector(tx, directus(), authority)
        new = NewConnection(name="crm", connector="directus", environment=Environment.DEV, base_url=running.base_url)
        connection = await create_connection(tx, new, authority)
        await world.runtime.vault.put(tx, connection.id, {"token": running.token}, authority)
        agent = NewAgent(
            name="seller",
            display_name="Seller",
            owner_id=world.rita.id,
            allowed_scopes=SCOPES,
            allowed_servers=frozenset({"everything"}),
        )
        seller = await create_agent(tx, agent, authority)
    return Caller(actor=seller, on_behalf_of=world.rita, scopes=SCOPES, client_id=seller.id)


def test_its_own_document_makes_the_same_tools_as_the_part_that_is_kept_here(running: Directus) -> None:
    served = compiled(running.admin.get("/server/specs/oas").json())

    ours = {tool.name: tool.input_schema for tool in directus().operations}
    assert {tool.name: tool.input_schema for tool in served.spec.operations} == ours
    safe = [
        {(rule.method, rule.template, rule.preview_only, rule.opens, rule.opened) for rule in spec.safe}
        for spec in (served.spec, directus())
    ]
    assert safe[0] == safe[1]
    assert not [finding for finding in served.findings if "overlay" in finding]


async def test_a_change_is_tried_in_a_content_version_of_which_nothing_stays(office: Office) -> None:
    deal = office.directus.put("deals", title="Ten chairs", stage="new", amount_minor=50_000)
    before = office.directus.contents()

    changed = await office.done("update_deal", id=deal, stage="qualified")

    assert changed.preview is not None
    preview = changed.preview.preview
    assert preview.fidelity is Fidelity.EXECUTED
    assert preview.changes[0].target == f"items/deals/{deal}"
    assert preview.changes[0].before is not None
    assert preview.changes[0].after is not None
    assert (preview.changes[0].before["stage"], preview.changes[0].after["stage"]) == ("new", "qualified")
    assert any("all rights" in one for one in preview.not_covered)
    after = office.directus.contents()
    assert {**before, f"deals/{deal}": {**before[f"deals/{deal}"], "stage": "qualified"}} == after


async def test_a_deletion_waits_for_somebody_and_is_then_verified(office: Office) -> None:
    deal = office.directus.put("deals", title="Ten desks", stage="new", amount_minor=70_000, company=1)
    asked = await office.call("delete_deal", id=deal)
    assert asked.state is State.AWAITING_APPROVAL
    await office.approved(asked)

    gone = await resume(asked.id, office.world.runtime)

    assert gone.state is State.VERIFIED


async def test_an_update_is_undone_exactly(office: Office) -> None:
    deal = office.directus.put("deals", title="Ten lamps", stage="new", amount_minor=9_000, company=1)
    before = office.directus.contents()

    changed = await office.done("update_deal", id=deal, stage="lost", amount_minor=1)
    assert changed.state is State.VERIFIED
    compensation = directus().operation("update_deal").compensation
    assert compensation is not None
    assert changed.preview is not None
    found = changed.preview.preview.changes[0].before
    assert found is not None
    receipt = {"input": dict(changed.arguments), "output": changed.output, "before": [dict(found)]}
    undone = await office.done(compensation.tool, **compensation.arguments_for(receipt))

    assert undone.state is State.VERIFIED
    assert office.directus.contents() == before


async def test_what_directus_would_refuse_fails_in_the_preview_and_leaves_no_version(office: Office) -> None:
    deal = office.directus.put("deals", title="Ten rugs", stage="new", amount_minor=100)
    office.directus.ask(
        "PATCH", "/fields/deals/amount_minor", {"meta": {"validation": {"amount_minor": {"_lt": 1000}}}}
    )
    before = office.directus.contents()

    refused = await office.call("update_deal", id=deal, amount_minor=2000)

    office.directus.ask("PATCH", "/fields/deals/amount_minor", {"meta": {"validation": None}})
    assert refused.state is State.PREVIEW_FAILED
    assert office.directus.contents() == before


async def test_what_a_colleague_changed_meanwhile_is_not_overwritten(office: Office) -> None:
    deal = office.directus.put("deals", title="Ten beds", stage="new", amount_minor=100)
    asked = await office.call("update_deal", id=deal, stage="won")
    await office.approved(asked)
    office.directus.edit("deals", deal, amount_minor=5)

    stale = await resume(asked.id, office.world.runtime)

    assert asked.state is State.AWAITING_APPROVAL
    assert stale.state is State.STALE
    assert office.directus.read("deals", deal)["stage"] == "new"


async def test_directus_itself_keeps_the_guard_within_the_write(office: Office) -> None:
    deal = office.directus.put("deals", title="Ten pens", stage="new", amount_minor=100)
    body = {"query": {"filter": {"id": {"_eq": deal}, "date_updated": {"_eq": "2001-01-01T00:00:00.000Z"}}}}

    answered = office.directus.ask("PATCH", "/items/deals", {**body, "data": {"stage": "won"}})

    assert answered == []
    assert office.directus.read("deals", deal)["stage"] == "new"


async def test_unknown_and_forbidden_look_alike(office: Office) -> None:
    hidden = office.directus.put("deals", title="Secret", stage="new", amount_minor=1, region="south")
    said = set[tuple[str | None, str | None]]()
    for number in (hidden, 987_654):
        for tool, more in (("get_deal", {}), ("update_deal", {"stage": "won"}), ("delete_deal", {})):
            ended = await office.call(tool, id=number, **more)
            assert ended.state in {State.FAILED, State.PREVIEW_FAILED}
            said.add((ended.error_code, ended.error_message))

    assert len(said) == 1
    assert "may not see" in str(said)
    assert office.directus.read("deals", hidden)["stage"] == "new"


async def test_a_revision_brings_back_what_was(office: Office) -> None:
    deal = office.directus.put("deals", title="Ten mugs", stage="new", amount_minor=10)
    office.directus.edit("deals", deal, stage="lost")
    found = await office.call("find_revisions", filter_collection__eq="deals", filter_item__eq=str(deal))
    first = min(revision["id"] for revision in found.output["data"])
    asked = await office.call("revert_to_revision", revision=first)
    await office.approved(asked)

    done = await resume(asked.id, office.world.runtime)

    assert done.state in {State.COMMITTED, State.UNVERIFIABLE}
    assert office.directus.read("deals", deal)["stage"] == "new"


async def test_the_kit_finds_nothing_that_the_connector_does_not_keep() -> None:
    async with opened() as harness:
        badge = await check_live(directus(), harness)

    assert [line for line in badge.lines if line.verdict is BadgeVerdict.FAILED] == []
    assert any(line.verdict is BadgeVerdict.PASSED for line in badge.lines)
