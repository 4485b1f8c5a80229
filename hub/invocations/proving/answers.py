"""The lines about what a system may answer: secrets, throttling, fields of a later release, and every error."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from connectors.sdk.errors import Conflict, NotFound, Refused, Unavailable, Unreadable
from connectors.sdk.harness import SystemAnswer
from connectors.sdk.vocabulary import Effect, Fidelity
from hub.execution import Conflicted, Failed, Previewed, Succeeded, Unknown
from hub.invocations.proving.interference import WAIT_SECONDS, Passed, Way, add_fields, answer_with, throttle
from hub.invocations.proving.laboratory import Order
from hub.invocations.proving.trial import Broken, NotApplicable, NotProvable, Outcome, Trial, told
from hub.registry import Grade

_SHORTEST_SECRET: Final = 4
_PAGE: Final = "<!doctype html><title>Please log in</title>"
_HTML: Final = {"content-type": "text/html"}
_UNKNOWN: Final = "upstream_unknown"
_TRIES: Final = 3
"""How often the broker itself asks a busy system; a connector that asks on top of that makes it busier."""

USUAL_ANSWERS: Final = (
    SystemAnswer(name="403", status=403, code=Refused.code, body='{"detail": "no"}'),
    SystemAnswer(name="404", status=404, code=NotFound.code, body='{"detail": "no"}'),
    SystemAnswer(name="409", status=409, code=Conflict.code, body='{"detail": "no"}'),
    SystemAnswer(name="422", status=422, code=Refused.code, body='{"detail": "no"}'),
    SystemAnswer(name="429", status=429, code=Unavailable.code, body='{"detail": "no"}'),
    SystemAnswer(name="500", status=500, code=Unavailable.code),
    SystemAnswer(name="a login page", status=200, code=Unreadable.code, body=_PAGE, headers=_HTML),
    SystemAnswer(name="a redirect", status=302, code=Unreadable.code),
)
"""What every HTTP system may answer. Where a record is missing (404), a read may also find nothing and say so."""
_UNCLEAR_TO_A_WRITE: Final = frozenset({"500", "a login page", "a redirect"})
_MAPPED: Final = frozenset({Refused.code, NotFound.code, Conflict.code, Unavailable.code, Unreadable.code})


async def secrets(trial: Trial) -> str:
    """No text that came out of the trial holds a secret."""
    if trial.lab.grade is Grade.RECORDED:
        raise NotProvable("A recording is made without a credential: no secret is there to be found.")
    wanted = [*_forms(trial.lab.harness.secret)]
    if not wanted:
        raise NotApplicable("The connection has no secret.")
    if any(secret in text for text in trial.lab.heard for secret in wanted):
        raise Broken("A secret of the connection came out of the connector: leave that field of the answer out.")
    return f"Looked for in {len(trial.lab.heard)} texts that came out of the connector."


async def throttling(trial: Trial) -> str:
    """A connector that is turned away waits as long as it is asked to, and then stops and says so."""
    _require_requests(trial)
    reads = await _with_reads(trial, throttle())
    if reads is None or not reads[1]:
        raise NotApplicable("It asks the system nothing before it writes.")
    outcome, passed = reads
    if any(one.at - passed[0].at < WAIT_SECONDS * 0.95 for one in passed[1:]):
        raise Broken(f"Asked to wait {WAIT_SECONDS} s, it asked again at once: honour Retry-After.")
    if not isinstance(outcome, Failed):
        raise Broken("Turned away (429), it answered as if nothing were the matter: let Unavailable through.")
    if outcome.code != Unavailable.code:
        raise Broken(f"Turned away (429), it says: {told(outcome)} Raise Unavailable.")
    if len(passed) > _TRIES:
        raise Broken(f"Turned away again and again, it asked {len(passed)} times: let Unavailable through.")
    return f"Turned away, it waited {WAIT_SECONDS} s as it was asked to, and then stopped and said so."


async def unknown_fields(trial: Trial) -> str:
    """Answers with fields of a later release are read as before."""
    _require_requests(trial)
    reads = await _with_reads(trial, add_fields)
    if reads is None or not any(one.is_touched for one in reads[1]):
        raise NotApplicable("No answer in JSON came that a field could be added to.")
    if isinstance(reads[0], Succeeded | Previewed):
        return "With a strange field in every record it went on as before."
    raise Broken(f"A field that it does not know breaks it: {told(reads[0])} Do not forbid extra fields.")


async def errors(trial: Trial) -> str:
    """Each answer by which the system says no becomes the error that says what the hub may conclude."""
    _require_requests(trial)
    problems, tried = list[str](), 0
    for answer in (*USUAL_ANSWERS, *trial.case.answers):
        if not answer.is_to_a_write and (problem := await _to_a_read(trial, answer)) is not None:
            tried += 1
            problems += problem
        is_for_writes = answer.is_to_a_write or answer in USUAL_ANSWERS
        if is_for_writes and trial.spec.effect is not Effect.READ:
            tried += 1
            problems += await _to_a_write(trial, answer)
    if problems:
        raise Broken(f"{'; '.join(problems)}. Raise the error of the SDK that says what happened.")
    if not tried:
        raise NotApplicable("It asks the system nothing that could be refused.")
    return f"{tried} answers tried, {len(trial.case.answers)} of them documented for this system."


def _require_requests(trial: Trial) -> None:
    if trial.lab.spec.speaks == "sql":  # nothing stands around its statements, and a write would really be done
        raise NotApplicable("It speaks SQL: the broker itself reads the database's answers and errors.")


def _forms(secret: Mapping[str, str]) -> Iterator[str]:
    values = [value for value in secret.values() if len(value) >= _SHORTEST_SECRET]
    yield from values
    yield from (base64.b64encode(value.encode()).decode().rstrip("=") for value in values)
    yield from (
        base64.b64encode(f"{left}:{right}".encode()).decode() for left, right in pairwise(secret.values()) if right
    )


async def _with_reads(trial: Trial, way: Way) -> tuple[Outcome, Sequence[Passed]] | None:
    """Run what only reads (the read, or the preview) under `way`; None if there is nothing to run."""
    is_read = trial.spec.effect is Effect.READ
    if not is_read and trial.spec.fidelity is Fidelity.NONE:
        return None
    with trial.lab.interference.by(way) as passed:
        run = trial.lab.read if is_read else trial.lab.preview
        outcome = await run(trial.case.operation, trial.arguments)
        return outcome, [*passed]


async def _to_a_read(trial: Trial, answer: SystemAnswer) -> list[str] | None:
    reads = await _with_reads(trial, answer_with(answer))
    if reads is None or not any(one.is_touched for one in reads[1]):
        return None
    outcome = reads[0]
    if answer in USUAL_ANSWERS:
        is_mapped = isinstance(outcome, Failed) and outcome.code in _MAPPED
        is_nothing = answer.status == 404 and isinstance(outcome, Succeeded | Previewed)  # noqa: PLR2004  # RFC 9110
        return [] if is_mapped or is_nothing else [f"{answer.name} to a read: {told(outcome)}"]
    is_right = isinstance(outcome, Failed) and outcome.code == answer.code
    return [] if is_right else [f"{answer.name} should be {answer.code}: {told(outcome)}"]


async def _to_a_write(trial: Trial, answer: SystemAnswer) -> list[str]:
    """Return what is wrong with the conclusion drawn from `answer` to a commit, which is never sent."""
    expected = _UNKNOWN if answer.name in _UNCLEAR_TO_A_WRITE and answer in USUAL_ANSWERS else answer.code
    with trial.lab.interference.by(answer_with(_as_to_a_write(answer))) as passed:
        outcome = await trial.carry_out(Order.of(trial.preview, key=trial.lab.new_key()))
    if not any(one.is_touched for one in passed):
        return [] if answer in USUAL_ANSWERS else [f"{answer.name}: the commit sends no request that writes"]
    found = _concluded(outcome)
    is_definite = expected in _MAPPED and found in _MAPPED and answer in USUAL_ANSWERS
    return [] if found == expected or is_definite else [f"{answer.name} to the write: {told(outcome)}"]


def _as_to_a_write(answer: SystemAnswer) -> SystemAnswer:
    return SystemAnswer(
        name=answer.name,
        status=answer.status,
        code=answer.code,
        body=answer.body,
        headers=answer.headers,
        is_to_a_write=True,
    )


def _concluded(outcome: Outcome) -> str:
    match outcome:
        case Failed(code=code):
            return code
        case Conflicted():
            return Conflict.code
        case Unknown():
            return _UNKNOWN
        case _:
            return "done"
