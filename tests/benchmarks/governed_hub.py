"""The hub as it is measured: `toolhub serve` on SQLite, with the upstream federated and an agent that may read it.

Run as `python -m benchmarks.governed_hub [--samples FILE] -- serve --port N` it is that very command, which also ends
with its standard input, and writes where its time went if it is asked to.
"""

import asyncio
import json
import os
import pwd
import signal
import sqlite3
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.sampling import sampled
from connectors.mcp_upstream import Owner, before_discovery, discover
from connectors.sdk.vocabulary import Phase
from connectors.sdk.workbench import PlainTransport
from hub.cli import main as toolhub
from hub.identity.accounts import NewUser, create_default_groups, create_user
from hub.identity.authority import Authority
from hub.identity.clients import NewAgent, create_agent
from hub.identity.grants import ACCESS_TOKEN_LIFETIME, AuthorizationServer, NewGrant, issue, open_grant
from hub.identity.principals import Principal
from hub.identity.resources import EVERYTHING, resource_of
from hub.oauth.routes import is_published
from hub.opening import open_database, open_keyring
from hub.registry import Environment, NewConnection, create_connection, register_connector
from hub.settings import Settings
from hub.storage import now
from hub.storage.migrations import upgrade

SCOPES = frozenset({"sums:read"})
OWNER = Owner(name="sums", reads=frozenset({"add"}))


@dataclass(frozen=True, kw_only=True)
class GovernedHub:
    """A hub whose data are in `home`, set up and not started."""

    settings: Settings
    agent: Principal
    user: Principal
    count: Path | None = None
    """Where an upstream over standard input and output counts its calls."""

    @property
    def command(self) -> list[str]:
        """What starts it."""
        return ["serve", "--port", str(self.settings.port)]

    @property
    def environment(self) -> dict[str, str]:
        """The process environment it is started in."""
        own = {**os.environ, "TOOLHUB_HOME": str(self.settings.home)}
        if self.count is None:
            return own
        command = [sys.executable, "-m", "benchmarks.upstream", "--stdio", str(self.count)]
        program = {"name": "sums", "command": command, "environment": {"PYTHONPATH": str(Path(__file__).parents[1])}}
        allowed = {**program, "user": pwd.getpwuid(os.getuid()).pw_name}
        return {**own, "TOOLHUB_STDIO_SERVERS": json.dumps([allowed])}

    def token(self) -> str:
        """Return a new access token of the agent for the server at /mcp."""
        return asyncio.run(_token(self))

    def governed_reads(self) -> int:
        """Return how many reads are on record, each by its audit event."""
        return self._count("kind = 'invocation.read'")

    def unsequenced(self) -> int:
        """Return how many audit events wait to be numbered."""
        return self._count("position IS NULL")

    def _count(self, where: str) -> int:
        with sqlite3.connect(f"file:{self.settings.home / 'toolhub.db'}?mode=ro", uri=True) as connection:
            (number,) = connection.execute(f"SELECT count(*) FROM audit_events WHERE {where}").fetchone()  # noqa: S608  # our own words
        connection.close()
        return int(number)


def set_up(home: Path, *, port: int, upstream_url: str, count: Path | None = None) -> GovernedHub:
    """Return a hub with everything on, made in `home`, which will listen on `port`.

    With `count` it calls the same upstream over standard input and output, which counts there.
    """
    return asyncio.run(_set_up(Settings(home=home, port=port), upstream_url, count))


async def _set_up(settings: Settings, upstream_url: str, count: Path | None) -> GovernedHub:
    base_url = upstream_url if count is None else "stdio:sums"
    async with httpx2.AsyncClient() as client:
        transport = PlainTransport(before_discovery(OWNER), client, upstream_url, Phase.READ)
        found = await discover(transport, OWNER)
    async with open_database(settings) as database:
        await upgrade(database)
        keys = await open_keyring(settings, database)
        authority = Authority(database=database, keys=keys)
        async with database.transaction() as tx:
            await create_default_groups(tx)
            person = NewUser(name="requester", display_name="Requester", password=os.urandom(16).hex())
            user = await create_user(tx, person, authority)
            new = NewAgent(
                name="assistant",
                display_name="Assistant",
                owner_id=user.id,
                allowed_scopes=SCOPES,
                allowed_servers=frozenset({EVERYTHING}),
            )
            agent = await create_agent(tx, new, authority)
            await register_connector(tx, found.spec, authority, owner_id=user.id)
            connection = NewConnection(
                name="sums", connector="sums", environment=Environment.DEV, base_url=base_url, owner_id=user.id
            )
            await create_connection(tx, connection, authority)
    return GovernedHub(settings=settings, agent=agent, user=user, count=count)


async def _token(hub: GovernedHub) -> str:
    url = hub.settings.address
    async with open_database(hub.settings) as database:
        keys = await open_keyring(hub.settings, database)
        async with database.transaction() as tx:
            new = NewGrant(
                kind="authorization_code",
                client=hub.agent,
                user_id=hub.user.id,
                scopes=SCOPES,
                resource=resource_of(EVERYTHING, url),
                server=EVERYTHING,
                authenticated_at=await now(tx),
                lifetime=ACCESS_TOKEN_LIFETIME,
            )
            server = AuthorizationServer(database=database, keys=keys, public_url=url, is_server=is_published)
            issued = await issue(tx, server, await open_grant(tx, new), SCOPES, with_refresh=False)
    return issued.access_token


def _end_with_standard_input() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    """Be `toolhub` with the words after `--`."""
    ours, theirs = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    sys.argv = ["toolhub", *theirs]
    if ours:
        with sampled(Path(ours[1])):
            toolhub()
    else:
        toolhub()


if __name__ == "__main__":
    main()
