"""The way to an MCP server that speaks over its standard input and output: one process, kept and started again.

It is started for the first request, by a command that the hub's operator has allowed, and again after a pause when it
has died. A connector asks it as it asks a server over HTTP; ids, handshake and process are the way's own affair.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.sdk.auth import AuthSpec
from connectors.sdk.errors import Unavailable
from connectors.sdk.wire import WireResponse
from sandbox.line import NoAnswer, TooLarge
from sandbox.mcp.conversation import Conversation
from sandbox.mcp.hearing import Hearing, members, unheard
from sandbox.mcp.http import ABOUT_US, CLIENT, MODERN, WHO_ARE_YOU
from sandbox.mcp.process import Process
from sandbox.mcp.standing import NotOffered, Tell, Wanted, ended
from sandbox.pace import Pace
from sandbox.programs import STDIO, Program
from sandbox.sign_in import Proof, Secrets, SignIn, Ways
from sandbox.tokens import TokenRequest
from sandbox.upstream import AnswerLost, Around, Exchange, Received, plainly

Json = Any
"""Any JSON value."""

PAUSES: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before each further start of a program that keeps dying; the last goes on."""
SETTLED_SECONDS: Final = 30.0
"""A program that has lived for so long is not one that keeps dying."""
PROBE_SECONDS: Final = 8.0


class StdioWay:
    """The way to one program. At most one process of it runs."""

    keeps_sessions = True

    def __init__(self, program: Program, secrets: Secrets) -> None:
        self._program = program
        self._secrets = secrets
        self.sign_in = SignIn(AuthSpec(), _nothing, Ways(base_url=STDIO, post=_post_nowhere, ask=_ask_nobody))
        self.pace = Pace()
        self.around: Around = plainly
        self.on_change: Callable[[], None] = unheard
        """Called whenever the server says that one of its lists has changed."""
        self._tell: Tell | None = None
        self._running: Conversation | None = None
        self._starting = asyncio.Lock()
        self._deaths = 0
        self._how = ""
        """How the last one ended."""
        self._start_at = 0.0

    @property
    def keeper_pid(self) -> int | None:
        """Return the number of the process that keeps the program, None while it does not run."""
        return None if self._running is None else self._running.process.keeper_pid

    async def close(self) -> None:
        """End the program."""
        async with self._starting:
            running, self._running = self._running, None
        if running is not None:
            await running.end("it was closed")

    async def exchange(self, exchange: Exchange) -> Received:
        """Send a request and return its answer, as `Upstream.exchange` says."""
        try:
            return await self.around(exchange.request, lambda: self._carried(exchange))
        except AnswerLost:
            exchange.progress.has_begun = True
            raise

    async def probe(self) -> int:
        """Have the program running, ask whether it is there, and return 200."""
        await self._ping(await self._there())
        return 200

    async def listen(self, wanted: Wanted) -> None:
        """Have the program running, and hear what it says has changed, until it ends; as `McpWay.listen` says."""
        running = await self._there()
        self._tell = wanted.tell
        try:
            if wanted.version >= MODERN:
                asked = asyncio.ensure_future(running.ask(wanted.request(ABOUT_US), Hearing(None), is_call=False))
                wanted.opened()
                raise ended((await asked)[0])
            about = {"protocolVersion": wanted.version, "capabilities": {}, "clientInfo": CLIENT}
            if "error" in (await running.shaken_hands(about))[0]:
                raise NotOffered
            for message in wanted.subscriptions():
                await running.ask(message, Hearing(None))
            wanted.opened()
            await running.has_ended()
        finally:
            self._tell = None if self._tell is wanted.tell else self._tell

    def _news(self, message: Mapping[str, Json]) -> None:
        if self._tell is not None:
            self._tell(message)

    async def _ping(self, running: Conversation) -> None:
        """Return once the program has answered anything; that it does not know the question is an answer, too."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await running.ask(WHO_ARE_YOU, Hearing(None))
        except TimeoutError as error:
            raise Unavailable("The program does not answer. Nothing was sent.") from error
        except NoAnswer as error:
            raise Unavailable(f"The program does not answer: {error} Nothing was sent.") from error

    async def _carried(self, exchange: Exchange) -> Received:
        message = members(json.loads(exchange.request.body or "{}"))
        running = await self._there()
        version = exchange.request.headers.get("mcp-protocol-version")
        if message.get("method") == "initialize":
            answer, size = await running.shaken_hands(members(message.get("params")))
            return _received({**answer, "id": 1}, size)
        if message.get("method") == "notifications/initialized":
            return Received(WireResponse(status=202, headers={}, body=""), 0)  # the handshake has said it
        if version is not None and version < MODERN:
            await running.shaken_hands({"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT})
        if exchange.is_alone and not running.has_answered:  # a write waits until somebody is known to be there
            await self._ping(running)
        if running.is_over:
            raise Unavailable(f"The program has ended.{running.how} Nothing was sent.")
        exchange.progress.begin()
        async with Hearing(exchange.hear) as hearing:
            answer, size = await running.ask(message, hearing)
        if size > exchange.largest:
            raise TooLarge(f"The answer is larger than {exchange.largest} bytes.")
        return _received({**answer, "id": 1}, size)

    async def _there(self) -> Conversation:
        if (running := self._running) is not None and not running.is_over:
            return running
        async with self._starting:
            if self._running is not None and not self._running.is_over:
                return self._running
            if self._running is not None:
                await self._bury(self._running)
            if (pause := self._start_at - time.monotonic()) > 0:
                raise Unavailable(
                    f"The program died; it is started again in {pause:.0f} seconds.{self._how} Nothing was sent."
                )
            self._running = await self._started()
            return self._running

    async def _bury(self, dead: Conversation) -> None:
        self._running, self._how = None, dead.how
        await dead.end("it has ended")
        self._deaths = 1 if time.monotonic() - dead.since > SETTLED_SECONDS else self._deaths + 1
        self._start_at = time.monotonic() + PAUSES[min(self._deaths - 1, len(PAUSES) - 1)]

    async def _started(self) -> Conversation:
        credential: Mapping[str, str] = await self._secrets() if self._program.secrets else {}
        if missing := sorted({*self._program.secrets.values()} - credential.keys()):
            raise Unavailable(f"The connection has no {', '.join(missing)}; its owner must enter the credential.")
        secrets = {name: credential[key] for name, key in self._program.secrets.items()}
        try:
            process = Process(self._program, secrets)
        except OSError as error:
            raise Unavailable("The program cannot be started. Nothing was sent.") from error
        return Conversation(process, Proof(headers=secrets), lambda: self.on_change(), self._news)  # noqa: PLW0108  # it is set later


def _received(answer: Mapping[str, Json], size: int) -> Received:
    return Received(
        WireResponse(status=200, headers={"content-type": "application/json"}, body=json.dumps(answer)), size
    )


async def _nothing() -> Mapping[str, str]:
    return {}


async def _post_nowhere(path: str, body: bytes) -> bytes:
    del path, body
    raise Unavailable("A program is given its credential when it is started.")


async def _ask_nobody(request: TokenRequest) -> tuple[int, bytes]:
    del request
    raise Unavailable("A program is given its credential when it is started.")
