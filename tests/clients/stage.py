"""Where the matrix plays: a hub that is served over the test upstream, an approver at its API, and one client."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx2
from serving import Served, serve
from starlette.types import ASGIApp
from upstream.fixtures import running_upstream
from world import MASTER_KEY, PASSWORD, open_world

from clients.clients import Client, Played, Process, running
from clients.mishaps import Mishaps
from hub.identity.authority import Authority
from hub.identity.clients import issue_secret
from hub.invocations.runtime import ANSWER_SECONDS
from hub.keys import Keyring
from hub.storage import Database

Json = Any

CHARACTERS_OF_A_FALL: Final = 160


class Fell(Exception):
    """The client did not get through a step; the message says what came instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A hub with everything around it, and the client that is looked at."""

    served: Served
    mishaps: Mishaps
    secret: str
    process: Process

    @property
    def effects(self) -> int:
        """How often something has really happened upstream."""
        return len(self.served.world.upstream.store.effects())

    async def play(self, *calls: tuple[str, Mapping[str, Json]]) -> Played:
        """Let an agent of this client run, whose model makes `calls`."""
        return await self.process.play(self._order(calls))

    async def play_into_a_mishap(
        self, call: tuple[str, Mapping[str, Json]], *, patience: float | None = None
    ) -> Played:
        """Let it run into what awaits the answer, with `patience` of its own; it is ended if it hangs then."""
        return await self.process.play(self._order([call], patience), struck=self.mishaps.struck)

    def _order(self, calls: Sequence[tuple[str, Mapping[str, Json]]], patience: float | None = None) -> dict[str, Json]:
        known = {"hub": self.served.address, "client_id": self.served.world.bot.id, "client_secret": self.secret}
        return {**known, "calls": calls, "patience": patience}

    async def decide(self, invocation_id: str, choice: str, reason: str) -> None:
        """Let the approver log in to the API, look at what waits, and vote."""
        async with httpx2.AsyncClient(base_url=f"{self.served.address}/api/v1", trust_env=False, timeout=60) as http:
            session = _sound(await http.post("/session", json={"name": "ann", "password": PASSWORD})).json()
            digest = _sound(await http.get(f"/approvals/{invocation_id}")).json()["digest"]
            headers = {"X-CSRF-Token": session["csrf_token"]}
            vote = {"digest": digest, "choice": choice, "reason": reason}
            _sound(await http.post(f"/approvals/{invocation_id}/votes", json=vote, headers=headers))


def _sound(answer: httpx2.Response) -> httpx2.Response:
    assert answer.is_success, answer.text
    return answer


@asynccontextmanager
async def opened(
    client: Client, database: Database, folder: Path, *, packages: Path | None = None
) -> AsyncGenerator[Stage]:
    """Yield a stage for `client`; `database` is settled, `folder` its home, and `packages` what it may import, too."""
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240  # at once
    standing: list[Mishaps] = []

    def behind(app: ASGIApp) -> ASGIApp:
        standing.append(Mishaps(app))
        return standing[0]

    keys = await Keyring.open(database, MASTER_KEY)
    with running_upstream(folder) as system:
        system.store.rows("INSERT INTO item VALUES (1, 'pencil', 10, 1)")
        async with open_world(database, keys, system) as slow:
            world = replace(slow, runtime=replace(slow.runtime, answer_seconds=ANSWER_SECONDS))
            async with database.transaction() as tx:
                secret = await issue_secret(tx, world.bot.id, Authority(database=database, keys=keys))
            async with serve(world, behind=behind) as served, running(client, folder, packages) as process:
                yield Stage(served=served, mishaps=standing[0], secret=secret.value, process=process)
