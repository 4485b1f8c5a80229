"""Recordings: what a system answered while a connector was checked on it, without classified values, to check again.

A recording stands in the place of the system: the same cases, the same keys, the same answers in the same order.
"""

import hashlib
import json
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from connectors.sdk.harness import Case, Contents, Harness, SystemAnswer
from connectors.sdk.spec import AuthSpec, ConnectorSpec
from connectors.sdk.wire import WireRequest, WireResponse
from hub.execution import NoAnswer, Onward, Received
from hub.invocations.proving.pseudonyms import Pseudonyms, rewritten

Json = Any
"""Any JSON value."""

_NOWHERE = "http://127.0.0.1:9"
"""Where a replayed connection leads: nothing is ever sent there."""
_KEPT_HEADERS = frozenset({"content-type", "etag", "retry-after", "link", "content-range"})


class _Recorded(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Question(_Recorded):
    """A request as it is told apart from others; headers do not count, since keys and conditions stand in them."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: str | None


class RecordedExchange(_Recorded):
    """A request and its answer, or why none came."""

    question: Question
    answer: WireResponse | None = None
    problem: str | None = None


class RecordedCase(_Recorded):
    """A case: its arguments, whether somebody else could edit, what was counted, and documented answers."""

    operation: str
    arguments: Mapping[str, Json]
    can_edit: bool
    effects: tuple[int, ...] | None
    answers: tuple[SystemAnswer, ...] = ()


class Recording(_Recorded):
    """One check of one connector on one system, as it can be repeated without it."""

    format: Literal[1] = 1
    connector: str
    version: str
    system: str
    recorded_at: datetime
    seed: str
    cases: tuple[RecordedCase, ...]
    contents: tuple[dict[str, dict[str, str]], ...] | None
    """What the system held each time it was looked at: hashes of the fields of the records that ever differ."""
    exchanges: tuple[RecordedExchange, ...]


@dataclass(slots=True)
class _Counting:
    """A case under way whose counts are kept."""

    case: Case
    counted: list[int] = field(default_factory=list[int])

    async def effects(self) -> int:
        assert self.case.effects is not None  # noqa: S101  # only such cases are counted
        self.counted.append(await self.case.effects())
        return self.counted[-1]

    def watched(self) -> Case:
        """Return the case with its counts kept."""
        case = self.case
        effects: Callable[[], Awaitable[int]] | None = self.effects if case.effects is not None else None
        return Case(
            operation=case.operation, arguments=case.arguments, edit=case.edit, effects=effects, answers=case.answers
        )


class Recorder:
    """A harness that keeps what is seen through it; `around` stands between the broker and the system."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._cases = [_Counting(case) for case in harness.cases]
        self._exchanges: list[tuple[WireRequest, WireResponse | str]] = []
        self._contents: list[Contents | None] = []
        self.system, self.base_url, self.secret = harness.system, harness.base_url, harness.secret
        self.cases: Sequence[Case] = [counting.watched() for counting in self._cases]

    async def contents(self) -> Contents | None:
        """Return what the system holds, and keep it."""
        self._contents.append(await self._harness.contents())
        return self._contents[-1]

    async def around(self, request: WireRequest, onward: Onward) -> Received:
        """Carry `request` on, and keep what came of it."""
        try:
            received = await onward()
        except NoAnswer as problem:
            self._exchanges.append((request, str(problem)))
            raise
        self._exchanges.append((request, received.response))
        return received

    def recording(self, spec: ConnectorSpec, *, said: Sequence[Json], seed: str, at: datetime) -> Recording:
        """Return what was recorded, without classified values; `said` is what the connector made of the answers.

        Raises:
            InputError: an operation does not say which of its fields are classified.
        """
        names = Pseudonyms(spec, self.secret.values())
        for value in (*said, *(dict(counting.case.arguments) for counting in self._cases)):
            names.learn(value)
        for request, answer in self._exchanges:
            names.learn_text(request.body)
            names.learn_text(answer.body if isinstance(answer, WireResponse) else None)
        return Recording(
            connector=spec.name,
            version=spec.version,
            system=self.system,
            recorded_at=at,
            seed=seed,
            cases=tuple(_case(counting, names) for counting in self._cases),
            contents=_hashed([contents for contents in self._contents if contents is not None], names),
            exchanges=tuple(_exchange(request, answer, names) for request, answer in self._exchanges),
        )


class Replay:
    """A recording as a harness: nothing is sent, and each question gets the answer that it got then."""

    def __init__(self, recording: Recording) -> None:
        self._answers: dict[Question, deque[RecordedExchange]] = {}
        for exchange in recording.exchanges:
            self._answers.setdefault(exchange.question, deque()).append(exchange)
        self._contents = deque(recording.contents or ())
        self.system, self.base_url = recording.system, _NOWHERE
        self.secret: Mapping[str, str] = {}
        self.cases: Sequence[Case] = [_replayed(case) for case in recording.cases]

    async def contents(self) -> Contents | None:
        """Return what the system held then."""
        return self._contents.popleft() if self._contents else None

    async def around(self, request: WireRequest, _onward: Onward) -> Received:
        """Answer `request` as the system did then; where it was asked more often, with its last word."""
        kept = self._answers.get(_question(request))
        if kept is None:
            name = request.operation or request.path
            raise NoAnswer(f"The recording has no answer to {request.method} {name}; record it again.")
        exchange = kept.popleft() if len(kept) > 1 else kept[0]
        if exchange.answer is None:
            raise NoAnswer(exchange.problem or "No answer came.")
        return Received(exchange.answer, len(exchange.answer.body))


def without_sign_in(spec: ConnectorSpec) -> ConnectorSpec:
    """Return the connector as it runs on a recording, which asks for no credential and holds none."""
    return spec.model_copy(update={"auth": AuthSpec()})


def _case(counting: _Counting, names: Pseudonyms) -> RecordedCase:
    case = counting.case
    return RecordedCase(
        operation=case.operation,
        arguments=names.json(dict(case.arguments)),
        can_edit=case.edit is not None,
        effects=None if case.effects is None else tuple(counting.counted),
        answers=tuple(case.answers),
    )


def _exchange(request: WireRequest, answer: WireResponse | str, names: Pseudonyms) -> RecordedExchange:
    question = Question(
        method=request.method,
        path=names.path(request.path),
        query=tuple((name, names.text(value)) for name, value in request.query),
        body=None if request.body is None else names.text(request.body),
    )
    if isinstance(answer, str):
        return RecordedExchange(question=question, problem=names.text(answer))
    headers = {name: names.text(value) for name, value in answer.headers.items() if name in _KEPT_HEADERS}
    said = WireResponse(status=answer.status, headers=headers, body=names.text(answer.body))
    return RecordedExchange(question=question, answer=said)


def _question(request: WireRequest) -> Question:
    body = None if request.body is None else rewritten(request.body)
    return Question(method=request.method, path=request.path, query=request.query, body=body)


def _replayed(recorded: RecordedCase) -> Case:
    counted = deque(recorded.effects or ())

    async def effects() -> int:
        return counted.popleft() if len(counted) > 1 else counted[0]

    async def edit() -> None:
        """Nothing is to be done: the answers after it are those that came after the edit."""

    return Case(
        operation=recorded.operation,
        arguments=recorded.arguments,
        edit=edit if recorded.can_edit else None,
        effects=effects if counted else None,
        answers=recorded.answers,
    )


def _hashed(seen: list[Contents], names: Pseudonyms) -> tuple[dict[str, dict[str, str]], ...] | None:
    """Return the records that ever differ, each field as a hash that only this recording knows how to make."""
    if not seen:
        return None
    records = {record for contents in seen for record in contents}
    moving = sorted(record for record in records if any(one.get(record) != seen[0].get(record) for one in seen))
    salt = secrets.token_bytes(16)

    def hashed(value: Json) -> str:
        return hashlib.sha256(salt + json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]

    return tuple(
        {
            names.path(record): {name: hashed(value) for name, value in contents[record].items()}
            for record in moving
            if record in contents
        }
        for contents in seen
    )
