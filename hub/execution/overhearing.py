"""What passes between a preview and a system: kept while it passes, and later given again instead of the system."""

from dataclasses import dataclass, field
from typing import Any, Final

from connectors.sdk.spec import AuthSpec
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox.line import NoAnswer
from sandbox.pace import Pace
from sandbox.sign_in import SignIn, Ways
from sandbox.upstream import Around, Exchange, Received, Way, plainly

Json = Any
"""Any JSON value."""

MOST_KEPT: Final = 2 * 1024 * 1024
"""Characters of answers of one preview; what passes with more is not kept at all, for half of it proves nothing."""
_NOWHERE: Final = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One request and its answer, or why none came."""

    request: WireRequest
    response: WireResponse | None = None
    problem: str = ""

    def as_json(self) -> dict[str, Json]:
        """Return it as JSON."""
        answer = None if self.response is None else self.response.model_dump(mode="json")
        return {"request": self.request.model_dump(mode="json"), "response": answer, "problem": self.problem}

    @classmethod
    def from_json(cls, stored: dict[str, Json]) -> "Heard":
        """Return what `as_json` made JSON of."""
        answer = stored["response"]
        return cls(
            request=WireRequest.model_validate(stored["request"]),
            response=None if answer is None else WireResponse.model_validate(answer),
            problem=stored["problem"],
        )


@dataclass(slots=True)
class Ear:
    """What was heard during one run, in the order of the answers."""

    _kept: list[Heard] = field(default_factory=list[Heard])
    _left: int = MOST_KEPT

    def keep(self, heard: Heard) -> None:
        """Keep one exchange."""
        self._left -= len(heard.response.body) if heard.response else 0
        if self._left >= 0:
            self._kept.append(heard)

    @property
    def kept(self) -> tuple[Heard, ...] | None:
        """All that was heard, or None: there was too much."""
        return tuple(self._kept) if self._left >= 0 else None


class Overheard:
    """A way to a system on which what passes is kept."""

    def __init__(self, way: Way, ear: Ear) -> None:
        self._way, self._ear = way, ear
        self.sign_in, self.pace = way.sign_in, way.pace
        self.around: Around = way.around
        self.keeps_sessions = way.keeps_sessions

    async def exchange(self, exchange: Exchange) -> Received:
        """Carry an exchange on, and keep what came of it."""
        try:
            received = await self._way.exchange(exchange)
        except NoAnswer as problem:
            self._ear.keep(Heard(request=exchange.request, problem=str(problem)))
            raise
        self._ear.keep(Heard(request=exchange.request, response=received.response))
        return received

    async def probe(self) -> int:
        """Probe the system."""
        return await self._way.probe()

    async def close(self) -> None:
        """Leave the way open: it is not ours."""


class Nowhere:
    """A way that leads nowhere: `answers` answers everything, without a proof, and nothing is ever sent."""

    def __init__(self, answers: Around) -> None:
        self._answers = answers
        self.sign_in = SignIn(AuthSpec(), _no_secrets, Ways(base_url=_NOWHERE, post=_unsent, ask=_unsent))
        self.pace = Pace()
        self.around: Around = plainly
        self.keeps_sessions = True  # what was kept was said over a way that does, or holds its handshakes anyway

    async def exchange(self, exchange: Exchange) -> Received:
        """Answer a request from the record."""
        return await self._answers(exchange.request, _unsent)

    async def probe(self) -> int:
        """Answer nothing: there is no system."""
        raise NoAnswer("There is no system to ask while a record is played.")

    async def close(self) -> None:
        """Do nothing: nothing is open."""


async def _no_secrets() -> dict[str, str]:
    return {}


async def _unsent(*_: object) -> Any:  # noqa: ANN401  # it never returns, whatever is expected of it
    raise NoAnswer("Nothing is sent while a record is played.")
