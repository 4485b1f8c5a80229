"""Recordings: what a system answered while a connector was checked on it, without classified values.

Each answer is kept with the request that it was given to, its condition and its key included, and with the moment.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict

from connectors.sdk.harness import Case, Contents, Harness, SystemAnswer
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.wire import WireRequest, WireResponse
from hub.execution import NoAnswer, Onward, Received
from hub.invocations.proving.bodies import Writing, answered, asked, bounded, heard
from hub.invocations.proving.course import Course
from hub.invocations.proving.pseudonyms import AsItStands, Pseudonyms

Json = Any
"""Any JSON value."""

_OF_SESSIONS = "mcp-"
"""Begins the names of headers that belong to a session, which a replay does not have."""
_KEPT_HEADERS = frozenset({"content-type", "etag", "retry-after", "link", "content-range"})


class _Recorded(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Question(_Recorded):
    """A request as it is told apart from others: a write without its condition or its key is another question."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: str | None


class RecordedExchange(_Recorded):
    """A request and its answer, or why none came; `at` is the moment, as `Course` tells them apart."""

    at: str
    question: Question
    answer: WireResponse | None = None
    problem: str | None = None


class Count(_Recorded):
    """How often a case's write had taken effect at some moment."""

    at: str
    effects: int


class Look(_Recorded):
    """What the system held at some moment: hashes of the fields of the records that ever differ."""

    at: str
    records: dict[str, dict[str, str]]


class RecordedCase(_Recorded):
    """A case: its arguments, whether somebody else could edit, what was counted, and documented answers."""

    operation: str
    arguments: Mapping[str, Json]
    can_edit: bool
    effects: tuple[Count, ...] | None
    answers: tuple[SystemAnswer, ...] = ()


class Recording(_Recorded):
    """One check of one connector on one system, as it can be repeated without it."""

    format: Literal[3] = 3
    connector: str
    version: str
    system: str
    recorded_at: datetime
    seed: str
    cases: tuple[RecordedCase, ...]
    contents: tuple[Look, ...] | None
    """What the system held each time it was looked at, None if nobody could look."""
    exchanges: tuple[RecordedExchange, ...]


@dataclass(slots=True)
class _Counting:
    """A case under way whose counts are kept."""

    case: Case
    course: Course
    counted: list[Count] = field(default_factory=list[Count])

    async def effects(self) -> int:
        assert self.case.effects is not None  # noqa: S101  # only such cases are counted
        count = await self.case.effects()
        self.counted.append(Count(at=self.course.moment(), effects=count))
        return count

    async def edit(self) -> None:
        assert self.case.edit is not None  # noqa: S101  # only such cases are edited
        await self.case.edit()
        self.course.edited()

    def watched(self) -> Case:
        """Return the case with its counts kept, and its edits noted."""
        return replace(
            self.case,
            edit=None if self.case.edit is None else self.edit,
            effects=None if self.case.effects is None else self.effects,
        )


class Recorder:
    """A harness that keeps what is seen through it; `around` stands between the broker and the system."""

    def __init__(self, harness: Harness, spec: ConnectorSpec) -> None:
        self._harness = harness
        self.course = Course(spec=spec)
        self._cases = [_Counting(case, self.course) for case in harness.cases]
        self._exchanges: list[tuple[str, WireRequest, WireResponse | str]] = []
        self._contents: list[tuple[str, Contents]] = []
        self.system, self.base_url, self.secret = harness.system, harness.base_url, harness.secret
        self.cases: Sequence[Case] = [counting.watched() for counting in self._cases]

    async def contents(self) -> Contents | None:
        """Return what the system holds, and keep it."""
        contents = await self._harness.contents()
        if contents is not None:
            self._contents.append((self.course.moment(), contents))
        return contents

    async def around(self, request: WireRequest, onward: Onward) -> Received:
        """Carry `request` on, and keep what came of it."""
        at = self.course.moment()
        try:
            received = await onward()
        except NoAnswer as problem:
            self._exchanges.append((at, request, str(problem)))
            raise
        finally:
            self.course.passed(request)
        self._exchanges.append((at, request, received.response))
        return received

    def recording(self, *, said: Sequence[Json], seed: str, at: datetime) -> Recording:
        """Return what was recorded, without classified values; `said` is what the connector made of the answers.

        Raises:
            InputError: an operation does not say which of its fields are classified.
        """
        spec = self.course.spec
        names = Pseudonyms(spec, self.secret.values())
        for value in (*said, *(dict(counting.case.arguments) for counting in self._cases)):
            names.learn(value)
        for documented in (answer for counting in self._cases for answer in counting.case.answers):
            names.learn_text(documented.body)
        for _, request, answer in self._exchanges:
            names.learn_question(request)
            if isinstance(answer, WireResponse):
                names.learn_text(heard(answer, in_base64=request.wants_bytes))
        return Recording(
            connector=spec.name,
            version=spec.version,
            system=self.system,
            recorded_at=at,
            seed=seed,
            cases=tuple(_case(counting, names) for counting in self._cases),
            contents=_hashed(self._contents, names),
            exchanges=tuple(_exchange(kept, names) for kept in self._exchanges),
        )


def _case(counting: _Counting, names: Pseudonyms) -> RecordedCase:
    case = counting.case
    return RecordedCase(
        operation=case.operation,
        arguments=names.json(dict(case.arguments)),
        can_edit=case.edit is not None,
        effects=None if case.effects is None else tuple(counting.counted),
        answers=tuple(_documented(answer, names) for answer in case.answers),
    )


def _documented(answer: SystemAnswer, names: Pseudonyms) -> SystemAnswer:
    """Return an answer that the author wrote down, who may have copied it from the system."""
    headers = {name: names.text(value) for name, value in answer.headers.items()}
    return replace(answer, body=names.text(answer.body), headers=headers)


def question_of(request: WireRequest, writing: Writing | None = None) -> Question:
    """Return `request` as it is told apart; `writing` takes classified values out of it, if there still are some."""
    by = writing or AsItStands()
    headers = {name: bounded(value) for name, value in request.headers.items() if _counts(name)}
    return Question(
        method=request.method,
        path=by.path(request.path),
        query=urlencode([(name, by.field(name, value)) for name, value in request.asked]),
        headers=tuple(sorted((name, by.text(value)) for name, value in headers.items())),
        body=asked(request, by),
    )


def _counts(header: str) -> bool:
    return not header.startswith(_OF_SESSIONS)


def _exchange(kept: tuple[str, WireRequest, WireResponse | str], names: Pseudonyms) -> RecordedExchange:
    at, request, answer = kept
    question = question_of(request, names)
    if isinstance(answer, str):
        return RecordedExchange(at=at, question=question, problem=names.text(answer))
    headers = {name: names.text(value) for name, value in answer.headers.items() if name in _KEPT_HEADERS}
    body = answered(answer, names, in_base64=request.wants_bytes)
    said = WireResponse(status=answer.status, headers=headers, body=body)
    return RecordedExchange(at=at, question=question, answer=said)


def _hashed(seen: list[tuple[str, Contents]], names: Pseudonyms) -> tuple[Look, ...] | None:
    """Return the records that ever differ, each field as a hash that only this recording knows how to make."""
    if not seen:
        return None
    first, records = seen[0][1], {record for _, contents in seen for record in contents}
    moving = sorted(record for record in records if any(one.get(record) != first.get(record) for _, one in seen))
    salt = secrets.token_bytes(16)

    def hashed(value: Json) -> str:
        return hashlib.sha256(salt + json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def of(contents: Contents) -> dict[str, dict[str, str]]:
        return {
            names.path(record): {name: hashed(value) for name, value in contents[record].items()}
            for record in moving
            if record in contents
        }

    return tuple(Look(at=at, records=of(contents)) for at, contents in seen)
