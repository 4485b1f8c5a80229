"""Checking a connector on what was recorded: nothing is sent, and what was never asked then has no answer now.

A step that misses something cannot hold, whatever the connector makes of it: `gaps` names what the recording lacks.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from connectors.sdk.harness import Case, Contents
from connectors.sdk.spec import AuthSpec, ConnectorSpec
from connectors.sdk.wire import WireRequest
from hub.execution import NoAnswer, Onward, Received
from hub.invocations.proving.course import Course
from hub.invocations.proving.recording import (
    Count,
    Look,
    Question,
    RecordedCase,
    RecordedExchange,
    Recording,
    question_of,
)

Json = Any
"""Any JSON value."""

_KeptT = TypeVar("_KeptT", Count, Look, RecordedExchange)

_NOWHERE: Final = "http://127.0.0.1:9"
"""Where a replayed connection leads: nothing is ever sent there."""
_LONGEST_BODY: Final = 160


class Replay:
    """A recording as a harness. Each question gets the answers that it got at this moment then, in their order.

    As long as nothing is written and nobody edits, an answer stays true for who asks more often than it was asked then.
    """

    def __init__(self, recording: Recording, spec: ConnectorSpec) -> None:
        self.course = Course(spec=spec)
        self._answers = dict[tuple[str, Question], deque[RecordedExchange]]()
        for exchange in recording.exchanges:
            self._answers.setdefault((exchange.at, exchange.question), deque()).append(exchange)
        self._still_true = dict[Question, RecordedExchange]()
        self._known = {(one.question.method, one.question.path) for one in recording.exchanges}
        self._looks = None if recording.contents is None else _by_moment(recording.contents)
        self.gaps = list[str]()
        self.system = f"{recording.system}, recorded on {recording.recorded_at:%Y-%m-%d}"
        self.base_url = _NOWHERE
        self.secret: Mapping[str, str] = {}
        self.cases: Sequence[Case] = [self._replayed(case) for case in recording.cases]

    async def contents(self) -> Contents | None:
        """Return what the system held then."""
        if self._looks is None:
            return None
        look = _next(self._looks.get(self.course.moment()))
        if look is None:
            self.gaps.append("what the system held")
        return {} if look is None else look.records

    async def around(self, request: WireRequest, _onward: Onward) -> Received:
        """Answer `request` as the system did then."""
        question = question_of(request)
        exchange = _next(self._answers.get((self.course.moment(), question))) or self._still_true.get(question)
        if self.course.passed(request):
            self._still_true.clear()
        elif exchange is not None:
            self._still_true[question] = exchange
        if exchange is None:
            self.gaps.append(self._asked(request))
            raise NoAnswer(f"The recording has no answer to {self.gaps[-1]}.")
        if exchange.answer is None:
            raise NoAnswer(exchange.problem or "No answer came.")
        return Received(exchange.answer, len(exchange.answer.body))

    def _asked(self, request: WireRequest) -> str:
        question = question_of(request)
        conditions = [f"{name}: {value}" for name, value in question.headers if name not in {"accept", "content-type"}]
        body = [] if question.body is None else [question.body[:_LONGEST_BODY]]
        query = f"?{question.query}" if question.query else ""
        named = " ".join([request.method, f"{request.operation or request.path}{query}", *conditions, *body])
        is_known = (question.method, question.path) in self._known
        return f"{named} (recorded at another moment, or with other content or headers)" if is_known else named

    def _replayed(self, recorded: RecordedCase) -> Case:
        counted = None if recorded.effects is None else _by_moment(recorded.effects)

        async def effects() -> int:
            count = None if counted is None else _next(counted.get(self.course.moment()))
            if count is None:
                self.gaps.append(f"how often {recorded.operation} had taken effect")
            return -1 if count is None else count.effects

        async def edit() -> None:
            self._still_true.clear()
            self.course.edited()  # the answers after it are those that came after the edit

        return Case(
            operation=recorded.operation,
            arguments=recorded.arguments,
            edit=edit if recorded.can_edit else None,
            effects=None if counted is None else effects,
            answers=recorded.answers,
        )


def without_sign_in(spec: ConnectorSpec) -> ConnectorSpec:
    """Return the connector as it runs on a recording, which asks for no credential and holds none."""
    return spec.model_copy(update={"auth": AuthSpec()})


def _by_moment(kept: Sequence[_KeptT]) -> dict[str, deque[_KeptT]]:
    found = dict[str, deque[_KeptT]]()
    for one in kept:
        found.setdefault(one.at, deque()).append(one)
    return found


def _next(kept: deque[_KeptT] | None) -> _KeptT | None:
    if not kept:
        return None
    return kept.popleft() if len(kept) > 1 else kept[0]
