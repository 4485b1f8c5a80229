"""The conversation with one program over its pipes: requests under ids of its own, each answer to whoever waits."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.sdk.errors import Unavailable
from sandbox.line import Dropped, NoAnswer, TooLarge
from sandbox.mcp.hearing import Hearing, is_answer, is_request, members, numbered, parsed, tells_of_change
from sandbox.mcp.http import LARGEST_ANSWER
from sandbox.mcp.patience import MESSAGE, NONSENSE, REQUEST, Patience
from sandbox.mcp.process import WORD_SECONDS, LineTooLong, Process
from sandbox.mcp.standing import Tell, is_news
from sandbox.sign_in import Proof

Json = Any
"""Any JSON value."""

WRITE_SECONDS: Final = 5.0
LEFT_SECONDS: Final = 30.0
"""For how long a program may still speak of a call that was taken back; one that heeds that says nothing more."""
_MOST_SAID: Final = 200
"""Things that are being said to one program at the same time, beside what it is asked."""


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """One request under way."""

    hearing: Hearing
    is_call: bool
    """Whether it does some work; one for news only stands open."""
    answer: asyncio.Future[tuple[dict[str, Json], int]]


@dataclass(slots=True)
class Conversation:
    """What is said to a program and by it while it runs, and who waits for its answers."""

    process: Process
    shown: Proof
    """What it was given and must not come back with."""
    on_change: Callable[[], None]
    tell: Tell
    since: float = field(default_factory=time.monotonic)
    is_over: bool = False
    how: str = ""
    """How the program ended, in sentences after a space, as soon as its keeper has said so."""
    has_answered: bool = False
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _waiting: dict[int, _Waiting] = field(default_factory=dict[int, _Waiting])
    _left: dict[int, float] = field(default_factory=dict[int, float])
    """Calls that were taken back and not answered, each with when the program is taken to have heard."""
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

    async def ask(
        self, message: Mapping[str, Json], hearing: Hearing, *, is_call: bool = True
    ) -> tuple[dict[str, Json], int]:
        """Return the answer to a request, and how many bytes it took; one for news `is_call` not.

        Raises:
            NoAnswer: there is none.
        """
        if self.is_over:
            raise Dropped(f"The program has ended.{self.how}")
        number = next(self._ids)
        answer = asyncio.get_running_loop().create_future()
        waiting = _Waiting(hearing=hearing, is_call=is_call, answer=answer)
        waiting.answer.add_done_callback(_heed)  # the program may end before anybody waits for the answer
        self._waiting[number] = waiting
        try:
            await self._say(numbered(message, number))
            return await waiting.answer
        except asyncio.CancelledError:
            if is_call:
                self._left[number] = time.monotonic() + LEFT_SECONDS
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
            await asyncio.wait({self._listening}, timeout=WORD_SECONDS)
            raise Dropped(f"The program does not read what it is sent.{self.how}") from error

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
                else:
                    self._over()
                    self.how = await self.process.last_word()
        except LineTooLong:
            self._give_up(TooLarge(f"The answer is larger than {LARGEST_ANSWER} bytes."))
        except TooLarge as error:
            self._give_up(error)
        finally:
            self._over()
            self.process.kill()
            why = "The program ended, or said what nobody can read, before it gave an answer."
            self._give_up(Dropped(f"{why}{self.how}"))

    def _hear(self, line: bytes) -> float:
        """Take in one line, and return what it costs of the patience with the program; an answer costs nothing."""
        message = parsed(self.shown.redact(line.decode("utf-8", errors="replace")))
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
        if isinstance(number, int):
            self._left.pop(number, None)
        waiting = self._waiting.get(number) if isinstance(number, int) else None
        if waiting is None or waiting.answer.done():
            return False
        self.has_answered = True
        waiting.answer.set_result((message, size))
        return True

    def _alone(self) -> Hearing:
        """Return who may be asked and told: over one pair of pipes little says which call it is about."""
        at = time.monotonic()
        self._left = {number: until for number, until in self._left.items() if until > at}
        if self._left:
            return Hearing(None)
        listening = [one.hearing for one in self._waiting.values() if one.is_call]
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
