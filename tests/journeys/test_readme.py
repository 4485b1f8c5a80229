"""What the README shows about connecting agents works, against a hub that serves on an address of its own."""

import asyncio
import os
import re
import shlex
import socket
import string
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx2
import pytest
import upstream.connector
import uvicorn
from upstream.fixtures import Upstream

from hub.app import create_app
from hub.bundles import publish_default
from hub.identity.accounts import NewUser
from hub.identity.bootstrap import account_create
from hub.identity.clients import NewAgent, create_agent, issue_secret
from hub.invocations.runtime import Runtime
from hub.opening import open_database
from hub.registry import Environment, NewConnection, create_connection, register_connector
from hub.settings import Settings
from hub.storage.migrations import upgrade
from hub.wiring import notifications, open_runtime

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
LANGGRAPH = ROOT / ".venvs" / "langgraph" / "bin" / "python"
SCOPES = frozenset({"upstream:read", "upstream:write"})

pytestmark = pytest.mark.anyio


async def connect_the_upstream(runtime: Runtime, system: Upstream) -> dict[str, str]:
    """Register an agent and connect the upstream; return what the README's examples expect in their environment."""
    authority = runtime.authority
    async with runtime.database.transaction() as tx:
        await publish_default(tx, runtime.database, runtime.keys, environment=runtime.environment)
        owner = await account_create(tx, NewUser(name="olive", display_name="Olive", password="x" * 20), authority)
        await register_connector(tx, upstream.connector.connector.spec, authority, owner_id=owner.id)
        where = NewConnection(
            name="system", connector="upstream", environment=Environment.DEV, base_url=system.base_url
        )
        connection = await create_connection(tx, where, authority)
        await runtime.vault.put(tx, connection.id, {"token": system.token}, authority)
        new = NewAgent(
            name="assistant",
            display_name="Assistant",
            owner_id=owner.id,
            allowed_scopes=SCOPES,
            allowed_servers=frozenset({"everything"}),
        )
        agent = await create_agent(tx, new, authority)
        secret = await issue_secret(tx, agent.id, authority)
    return {"HUB": runtime.public_url, "HUB_CLIENT_ID": agent.id, "HUB_CLIENT_SECRET": secret.value}


@pytest.fixture
async def environment(tmp_path: Path, upstream: Upstream) -> AsyncGenerator[dict[str, str]]:
    """A hub that serves, and the environment in which the README's examples find it."""
    tests = Path(__file__).parents[1]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        settings = Settings(home=tmp_path / "home", port=port, connector_paths=(tests,))
        async with open_database(settings) as database:
            await upgrade(database)
        async with open_runtime(settings) as runtime:
            known = await connect_the_upstream(runtime, upstream)
            app = create_app(runtime, notifications(settings, runtime))
            server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            yield known
            server.should_exit = True
            await serving


async def test_the_langgraph_example_lists_the_tools_of_the_hub(environment: dict[str, str], tmp_path: Path) -> None:
    shown = re.search(r"^```python file=langgraph_tools\.py\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert shown is not None
    (tmp_path / "langgraph_tools.py").write_text(shown[1])

    run = await asyncio.to_thread(
        subprocess.run,
        [LANGGRAPH, "langgraph_tools.py"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    names = run.stdout.split()
    assert "item_get" in names
    assert "hub_invocation_get" in names


async def test_the_request_shown_by_hand_gets_a_token(environment: dict[str, str]) -> None:
    shown = re.search(r"^curl (?:.|\n)*?/oauth/token\"$", README, re.MULTILINE)
    assert shown is not None
    words = shlex.split(string.Template(shown[0]).substitute(environment, HUB_SCOPE="upstream:read"))
    options = [
        (words[at], words[at + 1])
        for at in range(1, len(words) - 1)
        if words[at] in {"--user", "--data", "--data-urlencode"}
    ]
    user = next(value for name, value in options if name == "--user").partition(":")
    form = dict(value.split("=", 1) for name, value in options if name != "--user")

    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(words[-1], data=form, auth=(user[0], user[2]))

    assert answer.status_code == 200, answer.text
    assert answer.json()["scope"] == "upstream:read"
    assert answer.json()["token_type"] == "Bearer"
