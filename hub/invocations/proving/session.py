"""Checking a connector from end to end: on a system, on a system with a recording made of it, or on a recording."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final
from uuid import uuid4

from connectors.sdk.harness import Harness
from connectors.sdk.spec import ConnectorSpec
from hub.core.errors import InputError, Unavailable
from hub.execution import Unreachable
from hub.invocations.proving.kit import check
from hub.invocations.proving.laboratory import Equipment, Laboratory, open_laboratory
from hub.invocations.proving.pseudonyms import Pseudonyms
from hub.invocations.proving.recording import Recorder, Recording
from hub.invocations.proving.replaying import Replay, without_sign_in
from hub.registry import Badge, BadgeLine, Grade, Origin, proof_digest

_PATIENCE_SECONDS: Final = 60.0
"""Systems for tests are often still starting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A badge, and the recording of how it came about."""

    badge: Badge
    recording: Recording


async def check_live(spec: ConnectorSpec, harness: Harness, equipment: Equipment | None = None) -> Badge:
    """Return what the kit finds of `spec` on the system of `harness`. It writes for real.

    Raises:
        InputError: the connector could not be registered with a hub, or the harness tries what it does not have.
        Unavailable: the system does not answer, or lets nobody in with the harness's secret.
    """
    _refuse_unknown(spec, harness)
    async with open_laboratory(spec, harness, equipment) as laboratory:
        await _refuse_unreachable(laboratory)
        return _badge(spec, harness, await check(laboratory))


async def check_and_record(spec: ConnectorSpec, harness: Harness, equipment: Equipment | None = None) -> Recorded:
    """Do the same, and return beside the badge a recording without classified values.

    Raises:
        InputError: as `check_live`, or an operation does not say which of its fields are classified, or no requests
            pass that could be recorded.
        Unavailable: as `check_live`.
    """
    _refuse_unknown(spec, harness)
    if spec.speaks == "sql":
        raise InputError(f"{spec.name} speaks SQL: what passes in a transaction cannot be recorded. Check it live.")
    Pseudonyms(spec, ())  # refuses now what could not be recorded afterwards
    recorder, seed = Recorder(harness, spec), uuid4().hex
    equipped = replace(equipment or Equipment(), beneath=recorder.around, on_step=recorder.course.begin, seed=seed)
    async with open_laboratory(spec, recorder, equipped) as laboratory:
        await _refuse_unreachable(laboratory)
        badge = _badge(spec, harness, await check(laboratory))
        recording = recorder.recording(said=laboratory.said, seed=seed, at=badge.checked_at)
    return Recorded(badge=badge, recording=recording)


async def check_recorded(spec: ConnectorSpec, recording: Recording, equipment: Equipment | None = None) -> Badge:
    """Return what the kit finds of `spec` on what was recorded; nothing is sent anywhere.

    Raises:
        InputError: it is the recording of another connector.
    """
    if recording.connector != spec.name:
        raise InputError(f"This is a recording of {recording.connector!r}, not of {spec.name!r}.")
    replayed = Replay(recording, spec)
    _refuse_unknown(spec, replayed)
    equipped = replace(
        equipment or Equipment(),
        beneath=replayed.around,
        on_step=replayed.course.begin,
        gaps=replayed.gaps,
        seed=recording.seed,
        grade=Grade.RECORDED,
    )
    async with open_laboratory(without_sign_in(spec), replayed, equipped) as laboratory:
        return _badge(spec, replayed, await check(laboratory))


def _refuse_unknown(spec: ConnectorSpec, harness: Harness) -> None:
    known = {operation.name for operation in spec.operations}
    if unknown := sorted({case.operation for case in harness.cases} - known):
        raise InputError(f"The harness tries {', '.join(unknown)}, which {spec.name} does not have.")


async def _refuse_unreachable(laboratory: Laboratory) -> None:
    """Let a system be tried that can be: of one that cannot, every line would say so, and none what to do."""
    executor, spec = laboratory.runtime.executor, laboratory.spec
    health = await executor.check_connection(spec, laboratory.connection, seconds=_PATIENCE_SECONDS)
    if isinstance(health, Unreachable) and not health.is_there:
        raise Unavailable(
            f"{laboratory.harness.system} cannot be used, and nothing was tried. {health.message} Start it, or correct "
            "its address or the secret to sign in with, and check again."
        )


def _badge(spec: ConnectorSpec, harness: Harness, lines: Sequence[BadgeLine]) -> Badge:
    return Badge(
        connector=spec.name,
        version=spec.version,
        artefact_digest=spec.artefact_digest,
        system=harness.system[:200],
        checked_at=datetime.now(UTC),
        covers={name: proof_digest(spec, spec.operation(name)) for name in {line.operation for line in lines}},
        lines=tuple(lines),
        origin=Origin(kit=version("toolhub")),
    )
