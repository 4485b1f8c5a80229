"""The way to an MCP server that speaks over its standard input and output: one process, kept and started again.

It is started for the first request, by a command that the hub's operator has allowed, and again after a pause when it
has died. A connector asks it as it asks a server over HTTP; ids, handshake and process are the way's own affair.
"""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.sdk.auth import AuthSpec
from connectors.sdk.errors import Unavailable
from connectors.sdk.wire import WireResponse
from sandbox.line import Dropped, NoAnswer, TooLarge
from sandbox.mcp.hearing import Hearing, is_answer, is_request, members, tells_of_change, unheard
from sandbox.mcp.http import ABOUT_US, CLIENT, LARGEST_ANSWER, MODERN, WHO_ARE_YOU
from sandbox.mcp.patience import MESSAGE, NONSENSE, REQUEST, Patience
from sandbox.mcp.process import LineTooLong, Process
from sandbox.mcp.standing import NotOffered, Tell, Wanted, ended, is_news
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
WRITE_SECONDS: Final = 5.0
_MOST_SAID: Final = 200
"""Things that are being said to one program at the same time, beside what it is asked."""


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """One request under way."""

    hearing: Hearing
    answer: asyncio.Future[tuple[dict[str, Json], int]]


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
        self._running: _Running | None = None
        self._starting = asyncio.Lock()
        self._deaths = 0
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
                asked = asyncio.ensure_future(running.ask(wanted.request(ABOUT_US), Hearing(None)))
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

    async def _ping(self, running: "_Running") -> None:
        """Return once the program has answered anything; that it does not know the question is an answer, too."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await running.ask(WHO_ARE_YOU, Hearing(None))
        except (TimeoutError, NoAnswer) as error:
            raise Unavailable("The program does not answer. Nothing was sent.") from error

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
            raise Unavailable("The program has ended. Nothing was sent.")
        exchange.progress.begin()
        async with Hearing(exchange.hear) as hearing:
            answer, size = await running.ask(message, hearing)
        if size > exchange.largest:
            raise TooLarge(f"The answer is larger than {exchange.largest} bytes.")
        return _received({**answer, "id": 1}, size)

    async def _there(self) -> "_Running":
        if (running := self._running) is not None and not running.is_over:
            return running
        async with self._starting:
            if self._running is not None and not self._running.is_over:
                return self._running
            if self._running is not None:
                await self._bury(self._running)
            if (pause := self._start_at - time.monotonic()) > 0:
                raise Unavailable(f"The program died; it is started again in {pause:.0f} seconds. Nothing was sent.")
            self._running = await self._started()
            return self._running

    async def _bury(self, dead: "_Running") -> None:
        self._running = None
        await dead.end("it has ended")
        self._deaths = 1 if time.monotonic() - dead.since > SETTLED_SECONDS else self._deaths + 1
        self._start_at = time.monotonic() + PAUSES[min(self._deaths - 1, len(PAUSES) - 1)]

    async def _started(self) -> "_Running":
        credential: Mapping[str, str] = await self._secrets() if self._program.secrets else {}
        if missing := sorted({*self._program.secrets.values()} - credential.keys()):
            raise Unavailable(f"The connection has no {', '.join(missing)}; its owner must enter the credential.")
        secrets = {name: credential[key] for name, key in self._program.secrets.items()}
        try:
            process = Process(self._program, secrets)
        except OSError as error:
            raise Unavailable("The program cannot be started. Nothing was sent.") from error
        return _Running(process, Proof(headers=secrets), lambda: self.on_change(), self._news)  # noqa: PLW0108  # it is set later


@dataclass(slots=True)
class _Running:
    """The program while it runs, and who waits for its answers."""

    process: Process
    shown: Proof
    """What it was given and must not come back with."""
    on_change: Callable[[], None]
    tell: Tell
    since: float = field(default_factory=time.monotonic)
    is_over: bool = False
    has_answered: bool = False
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _waiting: dict[int, _Waiting] = field(default_factory=dict[int, _Waiting])
    _greeting: asyncio.Task[tuple[dict[str, Json], int]] | None = None
    _patience: Patience = field(default_factory=Patience)
    _listening: asyncio.Task[None] = field(init=False)
    _side: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def __post_init__(self) -> None:
        self._listening = asyncio.create_task(self._listen())

    async def end(self, why: str) -> None:
        """End the process; whoever waits hears that no answer comes."""
        tasks: list[asyncio.Future[Any]] = [self._listening, *self._side]
        if self._greeting is not None:
            tasks.append(self._greeting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._give_up(Dropped(f"The program gave no answer: {why}."))
        await self.process.close()

    async def has_ended(self) -> None:
        """Wait until it says nothing more.

        Raises:
            Dropped: that is now.
        """
        await asyncio.wait({self._listening})
        raise Dropped("The program has ended.")

    async def shaken_hands(self, about: Mapping[str, Json]) -> tuple[dict[str, Json], int]:
        """Return the answer to the older protocol's handshake, which is made once."""
        if self._greeting is None:
            self._greeting = asyncio.create_task(self._shake_hands(about))
        try:
            answer = await asyncio.shield(self._greeting)
        except NoAnswer as error:
            raise Unavailable(f"The program does not open a session: {error} Nothing was sent.") from error
        if "error" in answer[0]:
            self._greeting = None  # it may have wanted another version
        return answer

    async def _shake_hands(self, about: Mapping[str, Json]) -> tuple[dict[str, Json], int]:
        answer = await self.ask({"jsonrpc": "2.0", "method": "initialize", "id": 1, "params": about}, Hearing(None))
        await self._say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    async def ask(self, message: Mapping[str, Json], hearing: Hearing) -> tuple[dict[str, Json], int]:
        """Return the answer to a request, and how many bytes it took.

        Raises:
            NoAnswer: there is none.
        """
        if self.is_over:
            raise Dropped("The program has ended.")
        number = next(self._ids)
        waiting = _Waiting(hearing=hearing, answer=asyncio.get_running_loop().create_future())
        waiting.answer.add_done_callback(_heed)  # the program may end before anybody waits for the answer
        self._waiting[number] = waiting
        try:
            await self._say(_numbered(message, number))
            return await waiting.answer
        except asyncio.CancelledError:
            self._later(self._take_back(number))
            raise
        finally:
            self._waiting.pop(number, None)

    async def _say(self, message: Mapping[str, Json]) -> None:
        try:
            if (writing := self.process.write(json.dumps(message).encode())) is not None:
                await self._seen_through(writing)
        except OSError as error:
            self._over()
            raise Dropped("The program does not read what it is sent.") from error

    async def _seen_through(self, writing: asyncio.Task[None]) -> None:
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            self._later(self._written(writing))  # half a line would be read as the beginning of the next one
            raise

    async def _written(self, writing: asyncio.Task[None]) -> None:
        """See a line through that nobody waits for any more; where it cannot be, nothing can be said here again."""
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await writing
        except (TimeoutError, OSError):
            self._over()

    async def _take_back(self, number: int) -> None:
        params = {"requestId": number, "reason": "Nobody waits for the answer any more."}
        with contextlib.suppress(NoAnswer):
            await self._say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})

    async def _listen(self) -> None:
        try:
            async with contextlib.aclosing(self.process.lines(LARGEST_ANSWER)) as lines:
                async for line in lines:
                    cost = self._hear(line)
                    if cost and not self._patience.bears(cost, len(line), at=time.monotonic()):
                        why = "The program says more than it may that nobody asked for; it was ended."
                        self._give_up(NoAnswer(why))
                        break
        except LineTooLong:
            self._give_up(TooLarge(f"The answer is larger than {LARGEST_ANSWER} bytes."))
        finally:
            self._over()
            self.process.kill()
            self._give_up(Dropped("The program ended, or said what nobody can read, before it gave an answer."))

    def _hear(self, line: bytes) -> float:
        """Take in one line, and return what it costs of the patience with the program; an answer costs nothing."""
        try:
            message = members(json.loads(self.shown.redact(line.decode("utf-8", errors="replace"))))
        except (ValueError, RecursionError):
            message = {}
        if is_answer(message):
            return 0.0 if self._answered(message, len(line)) else NONSENSE
        if is_request(message):
            self._later(self._reply(message, self._alone()))
            return REQUEST
        if is_news(message):
            if tells_of_change(message):
                self.on_change()
            self.tell(message)
            return MESSAGE
        if "method" in message:
            self._about(message).note(message)
            return MESSAGE
        return NONSENSE if line.strip() else MESSAGE

    def _answered(self, message: dict[str, Json], size: int) -> bool:
        """Hand an answer to who waits for it, and return whether somebody does."""
        number = message.get("id")
        waiting = self._waiting.get(number) if isinstance(number, int) else None
        if waiting is None or waiting.answer.done():
            return False
        self.has_answered = True
        waiting.answer.set_result((message, size))
        return True

    def _alone(self) -> Hearing:
        """Return who may be asked: over one pair of pipes a question says not whose call it is about."""
        listening = [one.hearing for one in self._waiting.values()]
        return listening[0] if len(listening) == 1 else Hearing(None)

    def _about(self, message: Mapping[str, Json]) -> Hearing:
        token = members(message.get("params")).get("progressToken")
        named = self._waiting.get(token) if isinstance(token, int) else None
        return self._alone() if named is None else named.hearing

    async def _reply(self, message: Mapping[str, Json], hearing: Hearing) -> None:
        with contextlib.suppress(NoAnswer):
            if (answer := await hearing.answer(message)) is not None:
                await self._say(answer)

    def _later(self, work: Any) -> None:  # noqa: ANN401  # a coroutine of ours
        if self.is_over or len(self._side) >= _MOST_SAID:
            work.close()
            return
        task = asyncio.create_task(work)
        self._side.add(task)
        task.add_done_callback(self._side.discard)

    def _over(self) -> None:
        self.is_over = True

    def _give_up(self, why: NoAnswer) -> None:
        for waiting in self._waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_exception(why)


def _heed(answer: asyncio.Future[tuple[dict[str, Json], int]]) -> None:
    """Take note of how it ended, so that nobody has to."""
    if not answer.cancelled():
        answer.exception()


def _numbered(message: Mapping[str, Json], number: int) -> dict[str, Json]:
    """Return a request under an id of its own, which is the token of its progress, too."""
    numbered = {**message, "id": number}
    params = members(message.get("params"))
    meta = members(params.get("_meta"))
    if "progressToken" in meta:
        numbered["params"] = {**params, "_meta": {**meta, "progressToken": number}}
    return numbered


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
