"""The optional package for agents: installed from its wheel, it waits for people, and one decision has one effect."""

import asyncio
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from world import PASSWORD

from clients.clients import CLIENTS, ROOT, Client
from clients.stage import Stage, opened
from clients.story import NOTE, TICKET
from hub.storage import Database

pytestmark = [pytest.mark.more, pytest.mark.anyio]

PACKAGE = ROOT / "hub" / "mcp" / "clients"
LOOKS = 600


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in the wheel, and nothing else of this project."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", str(PACKAGE)]
    subprocess.run([*build, "--wheel-dir", str(folder)], check=True, capture_output=True)
    (wheel,) = folder.glob("toolhub_clients-*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "installed")
    return folder / "installed"


def waiting(name: str) -> Client:
    """Return the client in whose environment the package is tried."""
    return replace(CLIENTS[name], driver=f"drive_{name}_waiting.py")


async def waiting_invocation(stage: Stage) -> str:
    """Return the one invocation that waits for the approver, once there is one."""
    (one,) = await waiting_invocations(stage, 1)
    return one


async def waiting_invocations(stage: Stage, count: int) -> list[str]:
    """Return the invocations that wait for the approver, once there are so many."""
    async with httpx2.AsyncClient(base_url=f"{stage.served.address}/api/v1", trust_env=False, timeout=60) as http:
        (await http.post("/session", json={"name": "ann", "password": PASSWORD})).raise_for_status()
        for _ in range(LOOKS):
            items = (await http.get("/approvals")).json()["items"]
            if len(items) == count:
                return [str(one["invocation_id"]) for one in items]
            await asyncio.sleep(0.2)
    pytest.fail(f"never did {count} wait for the approver")


async def test_a_node_of_langgraph_that_runs_twice_has_one_effect_and_gets_the_result(
    database: Database, tmp_path: Path, package: Path
) -> None:
    async with opened(waiting("langgraph"), database, tmp_path / "stage", packages=package) as stage:
        first = await stage.play(TICKET)
        await stage.play()
        still = await stage.play()
        await stage.decide(await waiting_invocation(stage), "approve", "as agreed")
        done = await stage.play()

        assert stage.effects == 1
        assert stage.mishaps.carried["ticket_create"] == 4, "once for each run of the node"
        assert len(stage.mishaps.keys) == 1
    assert first.last.startswith("interrupted: "), first
    assert "Nothing has been changed yet" in first.last
    assert still.last.startswith("interrupted: "), still
    assert "The pencil broke" in done.last, done


async def test_two_writes_of_one_turn_of_langgraph_are_gone_on_with_as_each_is_decided(
    database: Database, tmp_path: Path, package: Path
) -> None:
    async with opened(waiting("langgraph"), database, tmp_path / "stage", packages=package) as stage:
        both = await stage.play(TICKET, NOTE)
        one, other = await waiting_invocations(stage, 2)
        await stage.decide(one, "approve", "as agreed")
        half = await stage.play()
        await stage.decide(other, "approve", "as agreed")
        done = await stage.play()

        assert stage.effects == 2
    assert [text.startswith("interrupted: ") for text in both.shown] == [True, True], both
    assert [text.startswith("interrupted: ") for text in half.shown] == [True], half
    assert done.raised is None
    assert [text.startswith("interrupted: ") for text in done.shown] == [False, False], done
    assert "The pencil broke" in str(done.shown)
    assert "Back at noon" in str(done.shown)


async def test_a_rejection_ends_the_interrupt_of_langgraph_with_its_reason(
    database: Database, tmp_path: Path, package: Path
) -> None:
    async with opened(waiting("langgraph"), database, tmp_path / "stage", packages=package) as stage:
        await stage.play(NOTE)
        await stage.decide(await waiting_invocation(stage), "reject", "nobody reads notes")
        told = await stage.play()

        assert stage.effects == 0
    assert "nobody reads notes" in told.last, told


async def test_a_tool_of_crewai_waits_and_makes_its_call_once(
    database: Database, tmp_path: Path, package: Path
) -> None:
    async with opened(waiting("crewai"), database, tmp_path / "stage", packages=package) as stage:
        playing = asyncio.create_task(stage.play(TICKET))
        await stage.decide(await waiting_invocation(stage), "approve", "as agreed")
        told = await playing

        assert stage.effects == 1
        assert stage.mishaps.carried["ticket_create"] == 1
    assert "The pencil broke" in told.last, told


async def test_a_tool_of_crewai_tells_a_rejection(database: Database, tmp_path: Path, package: Path) -> None:
    async with opened(waiting("crewai"), database, tmp_path / "stage", packages=package) as stage:
        playing = asyncio.create_task(stage.play(NOTE))
        await stage.decide(await waiting_invocation(stage), "reject", "nobody reads notes")
        told = await playing

        assert stage.effects == 0
    assert "nobody reads notes" in told.last, told


@pytest.mark.parametrize("how", ["lost", "withheld"])
async def test_a_look_of_crewai_whose_answer_never_comes_is_made_again(
    how: str, database: Database, tmp_path: Path, package: Path
) -> None:
    async with opened(waiting("crewai"), database, tmp_path / "stage", packages=package) as stage:
        happens = {"lost": stage.mishaps.lose_the_answer_of, "withheld": stage.mishaps.withhold_the_answer_of}[how]
        happens("hub_invocation_get")
        playing = asyncio.create_task(stage.play(TICKET))
        invocation_id = await waiting_invocation(stage)
        await stage.mishaps.struck.wait()
        await stage.decide(invocation_id, "approve", "as agreed")
        told = await playing

        assert stage.effects == 1
        assert stage.mishaps.carried["ticket_create"] == 1
        assert stage.mishaps.carried["hub_invocation_get"] >= 2
    assert "The pencil broke" in told.last, told


async def test_a_write_of_crewai_whose_answer_is_lost_is_told_so_and_not_made_again(
    database: Database, tmp_path: Path, package: Path
) -> None:
    async with opened(waiting("crewai"), database, tmp_path / "stage", packages=package) as stage:
        stage.mishaps.lose_the_answer_of("ticket_create")
        told = await stage.play(TICKET)

        assert stage.mishaps.struck.is_set()
        assert stage.mishaps.carried["ticket_create"] == 1
    assert told.last.startswith("No answer came (Server error '502 Bad Gateway'"), told
    assert "hub_invocations_mine" in told.last


@pytest.mark.parametrize("choice", [None, "approve"])
async def test_a_record_that_names_an_invocation_is_no_call_to_wait_for(
    choice: str | None, database: Database, tmp_path: Path, package: Path
) -> None:
    async with opened(waiting("crewai"), database, tmp_path / "stage", packages=package) as stage:
        world = stage.served.world
        agent_itself = replace(world.caller, on_behalf_of=None)
        named = (await world.call(TICKET[0], dict(TICKET[1]), caller=agent_itself)).id
        if choice is not None:
            await stage.decide(named, choice, "as agreed")
        world.upstream.store.rows("INSERT INTO item VALUES (9, ?, 4, 1)", f"stapler, see {named}")
        told = await stage.play(("item_get", {"id": 9}))

        assert stage.mishaps.calls["hub_invocation_get"] == 0
    assert f"stapler, see {named}" in told.last, told
