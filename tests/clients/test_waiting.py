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
    async with httpx2.AsyncClient(base_url=f"{stage.served.address}/api/v1", trust_env=False, timeout=60) as http:
        (await http.post("/session", json={"name": "ann", "password": PASSWORD})).raise_for_status()
        for _ in range(LOOKS):
            items = (await http.get("/approvals")).json()["items"]
            if items:
                (one,) = items
                return str(one["invocation_id"])
            await asyncio.sleep(0.2)
    pytest.fail("nothing ever waited for the approver")


async def test_a_node_of_langgraph_that_runs_twice_has_one_effect_and_gets_the_result(
    database: Database, tmp_path: Path, package: Path
) -> None:
    async with opened(waiting("langgraph"), database, tmp_path / "stage", packages=package) as stage:
        first = await stage.play(TICKET)
        still = await stage.play()
        await stage.decide(await waiting_invocation(stage), "approve", "as agreed")
        done = await stage.play()

        assert stage.effects == 1
        assert stage.mishaps.calls["ticket_create"] >= 3
        assert len(stage.mishaps.keys) == 1
    assert first.last.startswith("interrupted: "), first
    assert "Nothing has been changed yet" in first.last
    assert still.last.startswith("interrupted: "), still
    assert "The pencil broke" in done.last, done


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
