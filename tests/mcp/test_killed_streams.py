"""A process that is killed while it answers in a stream: whoever goes on with the call at another is told the truth."""

import base64
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from continued import continue_due
from doors.agents import BOTH_ENGINES, open_door
from doors.holding_back import READ, WRITE, holding_back
from doors.older_clients import OLDER, OlderClient
from doors.working_hub import PUBLIC_URL, WorkingHub
from sqlalchemy import text, update
from starlette.applications import Starlette
from world import MASTER_KEY

from hub.cli.demo.hub_process import free_port
from hub.invocations.tables import InvocationRow
from hub.storage import now
from hub.storage.migrations import head

pytestmark = pytest.mark.anyio

Json = Any
"""Any JSON value."""

TESTS: Final = Path(__file__).parents[1]


@contextmanager
def serving(hub: WorkingHub, home: Path) -> Generator[tuple[subprocess.Popen[str], str]]:
    """Yield one more process of the hub, a real one, and its address; whatever is left of it is ended."""
    port = free_port()
    own = {
        "TOOLHUB_HOME": str(home),
        "TOOLHUB_PORT": str(port),
        "TOOLHUB_PUBLIC_URL": PUBLIC_URL,
        "TOOLHUB_DATABASE_URL": hub.database.url.render_as_string(hide_password=False),
        "TOOLHUB_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
        "PYTHONPATH": str(TESTS),
        "PYTHONUNBUFFERED": "1",
    }
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("TOOLHUB_")}
    command = [sys.executable, "-m", "hub", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=home, env=foreign | own) as process:
        assert process.stdout is not None
        try:
            assert any("The hub is at" in line for line in process.stdout)
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()


@asynccontextmanager
async def calling(address: str, client: OlderClient, message: Json) -> AsyncGenerator[str]:
    """Make a call at another process, and yield the mark with which its answer begins."""
    headers = {
        "host": PUBLIC_URL.split("//")[1],
        "authorization": f"Bearer {client.token}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": OLDER,
        "mcp-session-id": client.session or "",
    }
    async with (
        httpx2.AsyncClient(base_url=address, timeout=60, trust_env=False) as http,
        http.stream("POST", "/mcp", json=message, headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                yield line.removeprefix("id: ")
                return


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


async def came_to(client: OlderClient, mark: str) -> Json:
    """Return what the call of a mark is answered with at this process."""
    async with client.listening(last_event_id=mark) as resumed:
        told = await resumed.told()
    return told["result"]["structuredContent"]


@BOTH_ENGINES
async def test_a_read_whose_process_was_killed_may_be_made_again_and_a_write_goes_on_as_the_same(
    hub: WorkingHub, app: Starlette, tmp_path: Path
) -> None:
    client = OlderClient(app=app, token=await hub.token())
    await client.open({})
    async with hub.database.transaction() as tx:  # what migrations would have left in it
        await tx.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        await tx.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": head()})
    async with holding_back(hub) as system, open_door(replace(hub.runtime, answer_seconds=-100.0)) as door:
        client.app = door  # where nothing is waited for any more that was not answered
        with serving(hub, tmp_path) as (process, address):
            async with calling(address, client, client.call(READ, id=1)) as read:
                await system.asked.wait()
                system.asked.clear()
                async with calling(address, client, client.call(WRITE, id=1)) as write:
                    await system.asked.wait()
                    kill(process)
        lost = await came_to(client, read)
        before = await came_to(client, write)
        system.may_answer.set()
        async with hub.database.transaction() as tx:
            await tx.execute(update(InvocationRow).values(lease_until=await now(tx) - timedelta(seconds=1)))
        await continue_due(hub.runtime)
        after = await came_to(client, write)

    assert (lost["reason_code"], lost["retryable"]) == ("call_lost", True)
    assert before["status"] == "running"
    assert after["status"] == "pending_approval"
    assert before["invocation_id"] == after["invocation_id"]
