"""Playing a recorded write again: a preview whose every answer comes from the record, compared with the one back then.

Nothing goes out. What was never asked has no answer now, and then it cannot be told how the call comes out.
"""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from connectors.sdk.vocabulary import Fidelity
from connectors.sdk.wire import WireRequest
from hub import dryrun
from hub.core.canonical import canonical_json
from hub.core.errors import ArgumentsInvalid, Malformed
from hub.dryrun import PreviewRecord, preview_digest
from hub.execution import (
    NOT_RUN,
    Failed,
    Heard,
    NoAnswer,
    Onward,
    Previewed,
    PreviewOutcome,
    Ran,
    Received,
    Target,
    Violation,
)
from hub.invocations.asking import UNPREVIEWED
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.invocations.veil import veil_of
from hub.keys import Keyring
from hub.promotions import Likeness, Played
from hub.registry import PublishedTool, Release, arguments_of_any_size
from schemas import CompiledSchema

Json = Any
"""Any JSON value."""

_OF_SESSIONS: Final = "mcp-"
_MOST_REASONS: Final = 20
_LONGEST_REASON: Final = 300


def sealed_exchanges(standing: Invocation, heard: Sequence[Heard] | None, keys: Keyring) -> bytes | None:
    """Return what passed during a preview, encrypted for its invocation; None where that is not kept.

    A call with a secret among its arguments is not kept: once it has ended, nobody can make it again.
    """
    if standing.sealed_arguments is not None or heard is None:
        return None
    plain = json.dumps([one.as_json() for one in heard]).encode()
    return keys.encrypt(plain, context=_context(standing.id))


async def play(standing: Invocation, tool: PublishedTool, runtime: Runtime) -> Played:
    """Return how the recorded write `standing` comes out with `tool`, which may be another version than back then."""
    likeness, reasons = await _play(standing, tool, runtime)
    shown = tuple(one[:_LONGEST_REASON] for one in reasons[:_MOST_REASONS])
    return Played(invocation_id=standing.id, tool=tool.tool.name, likeness=likeness, reasons=shown)


def as_released(tool: PublishedTool, release: Release) -> PublishedTool | None:
    """Return `tool` as `release` brings it, None if it does not."""
    operation = next((one for one in release.spec.operations if one.name == tool.operation.name), None)
    if operation is None:
        return None
    version = replace(tool.version, spec=operation)
    return replace(tool, connector=release.spec, version=version, input=CompiledSchema(operation.input_schema))


async def _play(standing: Invocation, tool: PublishedTool, runtime: Runtime) -> tuple[Likeness, Sequence[str]]:
    then = standing.preview
    if then is None:
        return Likeness.UNSURE, ["It has no preview on record."]
    try:
        arguments = await arguments_of_any_size(tool, dict(standing.arguments))
    except ArgumentsInvalid as refusal:
        return Likeness.DIFFERENT, [f"It refuses the arguments: {refusal.message}"]
    if tool.operation.fidelity is Fidelity.NONE:
        if arguments != standing.arguments:
            return Likeness.DIFFERENT, ["It would be given other arguments."]
        return _compared(then, Previewed(preview=UNPREVIEWED))
    record = await _record_of(standing, then, runtime)
    if record is None:
        return Likeness.UNSURE, ["What the system answered is not on record, or not any more."]
    ran = veil_of(standing, runtime.keys).ran(await _run(tool, arguments, record, runtime))
    return _unsure(record, ran) or _compared(then, ran.outcome)


async def _record_of(standing: Invocation, then: PreviewRecord, runtime: Runtime) -> "_Record | None":
    async with runtime.database.reading() as tx:
        sealed = await dryrun.exchanges_of(tx, standing.id, then.revision)
    return None if sealed is None else _Record(json.loads(runtime.keys.decrypt(sealed, context=_context(standing.id))))


def _unsure(record: "_Record", ran: Ran[PreviewOutcome]) -> tuple[Likeness, Sequence[str]] | None:
    """Return why it cannot be told how the call comes out, None if it can."""
    if record.gaps:
        return Likeness.UNSURE, [f"It asks what was never asked: {gap}" for gap in dict.fromkeys(record.gaps)]
    if ran.passage.sandbox_level == NOT_RUN and isinstance(ran.outcome, Failed):
        return Likeness.UNSURE, [f"It could not be run here: {ran.outcome.message}"]
    return None


async def _run(
    tool: PublishedTool, arguments: Mapping[str, Json], record: "_Record", runtime: Runtime
) -> Ran[PreviewOutcome]:
    target = Target(connector=tool.connector, operation=tool.operation, connection=tool.connection)
    seconds = tool.operation.timeout_seconds
    return await runtime.executor.preview(target, arguments, deadline_seconds=seconds, answers=record.answer)


def _compared(then: PreviewRecord, outcome: PreviewOutcome) -> tuple[Likeness, Sequence[str]]:
    match outcome:
        case Previewed(preview=fresh):
            try:
                is_same = preview_digest(fresh) == then.digest
            except Malformed as error:
                return Likeness.DIFFERENT, [f"Its preview has no digest: {error.message}"]
            return (Likeness.SAME, ()) if is_same else (Likeness.DIFFERENT, dryrun.drift(then.preview, fresh))
        case Violation():
            return Likeness.DIFFERENT, [f"It tried to write: {outcome.message}"]
        case Failed():
            return Likeness.DIFFERENT, [f"It has no preview: {outcome.message}"]


class _Record:
    """What a system answered then: each question gets the answers it got, in their order, the last one again."""

    def __init__(self, stored: Sequence[dict[str, Json]]) -> None:
        self.gaps = list[str]()
        self._answers = dict[bytes, deque[Heard]]()
        for one in map(Heard.from_json, stored):
            self._answers.setdefault(_question(one.request), deque()).append(one)

    async def answer(self, request: WireRequest, _onward: Onward) -> Received:
        """Answer as the system did then; never go onward."""
        known = self._answers.get(_question(request))
        if not known:
            self.gaps.append(request.operation or f"{request.method} {request.path or '/'}")
            raise NoAnswer(f"There is no answer on record to {self.gaps[-1]}.")
        heard = known.popleft() if len(known) > 1 else known[0]
        if heard.response is None:
            raise NoAnswer(heard.problem or "No answer came.")
        return Received(heard.response, len(heard.response.body))


def _question(request: WireRequest) -> bytes:
    """Return what tells requests apart: all but the headers of sessions, with JSON written in one way."""
    headers = sorted((name, value) for name, value in request.headers.items() if not name.startswith(_OF_SESSIONS))
    body = request.body if request.body_base64 is None else request.body_base64
    asked = [list(pair) for pair in request.asked]
    told = [request.method, request.path, asked, [list(one) for one in headers], _one_way(body), request.on_twin]
    return canonical_json(told)


def _one_way(body: str | None) -> str | None:
    try:
        return body if body is None else json.dumps(json.loads(body), sort_keys=True)
    except ValueError:
        return body


def _context(invocation_id: str) -> str:
    return f"invocation:{invocation_id}:exchanges"
