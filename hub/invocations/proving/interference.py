"""Standing between the broker and a system: losing answers, throttling, adding fields, refusing; and what came by."""

import json
import re
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

from connectors.sdk.harness import SystemAnswer
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.wire import WireRequest, WireResponse
from hub.execution import AnswerLost, Around, Onward, Received

Json = Any
"""Any JSON value."""

WAIT_SECONDS: Final = 1
"""How long a throttled connector is asked to wait."""
STRANGE_FIELD: Final = "x_field_of_a_later_release"
_STRANGE_VALUE: Final = {"added": ["by", "the", "contract", "kit"]}
_DEEPEST: Final = 40
_FIELD_NAME: Final = re.compile(r"[A-Za-z_]\w*")


@dataclass(slots=True, kw_only=True)
class Passed:
    """One request as it came by: when, what it may do, and whether its answer was made up or changed."""

    request: WireRequest
    at: float
    is_safe: bool
    """Whether a preview may send it."""
    is_read: bool
    """Whether it is safe everywhere: what previews alone may send, such as writes to drafts, is a write in a commit."""
    is_touched: bool = False


Way = Callable[[Passed, Onward], Awaitable[Received]]
"""One way to interfere: returns the answer to a request, which `Onward` would carry to the system."""


@dataclass(slots=True, kw_only=True)
class Interference:
    """What stands around the exchanges of a trial. `beneath` stands between it and the system: a recording."""

    spec: ConnectorSpec
    beneath: Around | None = None
    passed: list[Passed] = field(default_factory=list[Passed])
    _way: Way | None = None

    @contextmanager
    def by(self, way: Way | None) -> Generator[list[Passed]]:
        """Interfere in this way until the block ends; yields the requests that come by meanwhile."""
        self.passed, self._way = [], way
        try:
            yield self.passed
        finally:
            self._way = None

    async def around(self, request: WireRequest, onward: Onward) -> Received:
        """Answer `request`, as `sandbox.upstream.Around` says."""
        passed = Passed(
            request=request,
            at=time.monotonic(),
            is_safe=self.spec.is_safe(request, previewing=True),
            is_read=self.spec.is_safe(request),
        )
        self.passed.append(passed)
        beneath = self.beneath
        carry: Onward = onward if beneath is None else lambda: beneath(request, onward)
        return await (carry() if self._way is None else self._way(passed, carry))


async def lose_the_answer(passed: Passed, onward: Onward) -> Received:
    """Let the system carry a write out, and its answer be lost on the way back."""
    received = await onward()
    if passed.is_read:
        return received
    passed.is_touched = True
    raise AnswerLost("The answer was lost, by the contract kit.")


def throttle() -> Way:
    """Return the way that turns every read away, as a busy system does (RFC 6585), and asks once to wait."""
    seen: list[Passed] = []

    async def way(passed: Passed, onward: Onward) -> Received:
        if not passed.is_safe:
            return await onward()
        headers = {} if seen else {"retry-after": str(WAIT_SECONDS)}
        seen.append(passed)
        passed.is_touched = True
        return _made_up(429, '{"detail": "too many requests"}', headers)

    return way


async def add_fields(passed: Passed, onward: Onward) -> Received:
    """Add a field that nobody has heard of to every record in a JSON answer."""
    received = await onward()
    try:
        body = json.loads(received.response.body)
    except (ValueError, RecursionError):
        return received
    passed.is_touched = True
    text = json.dumps(_with_strange_fields(body, 0))
    return Received(received.response.model_copy(update={"body": text}), len(text))


def answer_with(answer: SystemAnswer) -> Way:
    """Return the way that puts `answer` in the place of the system's; nothing of what it stands for is sent."""

    async def way(passed: Passed, onward: Onward) -> Received:
        is_meant = not passed.is_read if answer.is_to_a_write else passed.is_safe
        if not is_meant:
            return await onward()
        passed.is_touched = True
        return _made_up(answer.status, answer.body, answer.headers)

    return way


def _made_up(status: int, body: str, headers: Mapping[str, str]) -> Received:
    said = {"content-type": "application/json", **headers}
    return Received(WireResponse(status=status, headers=said, body=body), len(body))


def _with_strange_fields(value: Json, depth: int) -> Json:
    if depth > _DEEPEST:
        return value
    if isinstance(value, list):
        return [_with_strange_fields(one, depth + 1) for one in cast("list[Json]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Json]", value)
    grown = {name: _with_strange_fields(member, depth + 1) for name, member in members.items()}
    return {**grown, STRANGE_FIELD: _STRANGE_VALUE} if _is_a_record(members) else grown


def _is_a_record(members: Mapping[str, Json]) -> bool:
    """Return whether it looks like a record: a map from keys to values may hold nothing strange, nor a typed value."""
    return bool(members) and all(_FIELD_NAME.fullmatch(name) and name != "__class__" for name in members)
