"""A client of others that holds a key (DPoP, RFC 9449) gets its tokens here and uses them: npm's `oauth4webapi`."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from conformance.persons_browser import allowed
from locked_packages import NODE, installed
from serving import serve
from upstream.fixtures import Upstream
from world import open_world

from hub.identity.authority import Authority
from hub.identity.clients import ClientAuthentication, NewAgent, create_agent, issue_secret
from hub.identity.resources import EVERYTHING
from hub.keys import Keyring
from hub.storage import Database

pytestmark = [pytest.mark.anyio, pytest.mark.more]

Json = Any
"""Any JSON value."""

SOURCE: Final = Path(__file__).parent / "dpop_client"
CALLBACK: Final = "http://127.0.0.1:8765/callback"
SCOPE: Final = "upstream:read"


@pytest.fixture(scope="module")
def program(request: pytest.FixtureRequest) -> Path:
    folder = installed(SOURCE, request.config.rootpath / ".venvs", "dpop-client")
    shutil.copyfile(SOURCE / "client.mjs", folder / "client.mjs")
    return folder / "client.mjs"


@dataclass(frozen=True, slots=True)
class Client:
    """The running program."""

    process: asyncio.subprocess.Process

    async def says(self) -> Json:
        """Return its next line."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            raise AssertionError((await self.process.stderr.read()).decode())
        return json.loads(line)

    def hears(self, line: str) -> None:
        """Tell it something."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())


@asynccontextmanager
async def running(program: Path, **told: str) -> AsyncGenerator[Client]:
    pipe = asyncio.subprocess.PIPE
    environment = {**os.environ, **told}
    process = await asyncio.create_subprocess_exec(
        str(NODE), str(program), stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    )
    try:
        yield Client(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
async def test_a_client_of_others_gets_bound_tokens_and_nobody_else_can_use_them(
    database: Database, keys: Keyring, upstream: Upstream, program: Path
) -> None:
    authority = Authority(database=database, keys=keys)
    async with open_world(database, keys, upstream) as world, serve(world) as served:
        ordinary = {
            "owner_id": world.rita.id,
            "allowed_scopes": frozenset({SCOPE}),
            "allowed_servers": frozenset({EVERYTHING}),
            "needs_bound_tokens": True,
        }
        async with database.transaction() as tx:
            agent = await create_agent(tx, NewAgent(name="holder", display_name="Holder", **ordinary), authority)
            secret = await issue_secret(tx, agent.id, authority)
            native = NewAgent(
                name="app",
                display_name="App",
                redirect_uris=(CALLBACK,),
                authentication=ClientAuthentication.NONE,
                **ordinary,
            )
            app = await create_agent(tx, native, authority)
        about = {"ISSUER": served.address, "RESOURCE": f"{served.address}/mcp", "REDIRECT": CALLBACK, "SCOPE": SCOPE}
        async with running(program, AGENT=agent.id, SECRET=secret.value, APP=app.id, **about) as client:
            alone = await client.says()
            asked = await client.says()
            client.hears(await allowed(asked["url"], "rita"))
            for_somebody = await client.says()

    assert alone == {"step": "alone", "type": "dpop", "mine": 200, "another": 401, "bearer": 401, "nonces": 3}
    assert for_somebody == {
        "step": "for somebody",
        "types": ["dpop", "dpop"],
        "mine": 200,
        "bearer": 401,
        "refreshed_by_another": "invalid_grant",
    }
