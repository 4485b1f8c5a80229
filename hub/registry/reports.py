"""Reports: what the contract kit found of a connector somewhere else, and how much of that this hub believes.

A report speaks of one release, by its version, the digest of its code and the digest of each declaration. Signed by a
runner that an administrator has registered, it counts like a run here. Else its sender says so, and nobody here saw it:
it is shown apart as reported by the owner, and no gate and no policy ever asks for it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import select

from connectors.sdk.spec import ConnectorSpec
from hub.audit import EventKind
from hub.core.canonical import canonical_json
from hub.core.errors import Conflict, Forbidden, InputError, NotFound
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.registry.badge_values import Badge, BadgeLine, BadgeVerdict, Grade, Origin, Promise, Source
from hub.registry.badges import failures, put_badge
from hub.registry.digests import proof_digest
from hub.registry.runners import Runner, signer
from hub.registry.stewardship import Stewards, outdate_catalog, require_steward
from hub.registry.stored import release_spec
from hub.registry.tables import BadgeRow, ConnectorRow, ReleaseRow
from hub.storage import Tx, now

OLDEST: Final = timedelta(days=1)
"""How long after a run its report is taken; then the kit had better run again."""
_AHEAD: Final = timedelta(minutes=5)
_MOST_LINES: Final = 20_000
_PURPOSE: Final = b"toolhub badge report 1\n"
"""Begins what is signed, so that a signature over anything else is never one of these."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Reported(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReportedLine(_Reported):
    """One line, as the kit prints it."""

    operation: str = Field(max_length=48)
    promise: Promise
    verdict: BadgeVerdict
    grade: Grade
    reason: str = Field(max_length=2000)


class Report(_Reported):
    """What the kit found, where, and of what: the operations in `covers`, by the digests of their declarations."""

    format: Literal[1] = 1
    connector: str = Field(max_length=32)
    version: str = Field(max_length=32)
    artefact_digest: Digest
    system: str = Field(min_length=1, max_length=200)
    place: str = Field(default="", max_length=200, description="Where the kit ran, in the words of who ran it.")
    kit: str = Field(min_length=1, max_length=32, description="The release of the hub that the kit came with.")
    checked_at: AwareDatetime
    covers: Mapping[str, Digest]
    lines: tuple[ReportedLine, ...] = Field(min_length=1, max_length=_MOST_LINES)

    @model_validator(mode="after")
    def _covers_its_lines(self) -> Self:
        if {line.operation for line in self.lines} != {*self.covers}:
            raise ValueError("a report covers exactly the operations that its lines are about")
        return self

    def signed_bytes(self) -> bytes:
        """Return what a runner signs."""
        return _PURPOSE + canonical_json(self.model_dump(mode="json"))


class Signature(_Reported):
    """Which runner signed a report (`runner` is its name), and its Ed25519 signature in base64."""

    runner: str = Field(max_length=48)
    value: str = Field(max_length=100)


def report_of(badge: Badge, *, place: str, kit: str) -> Report:
    """Return `badge` as it is sent to another hub."""
    return Report(
        connector=badge.connector,
        version=badge.version,
        artefact_digest=badge.artefact_digest,
        system=badge.system,
        place=place,
        kit=kit,
        checked_at=badge.checked_at,
        covers=badge.covers,
        lines=tuple(
            ReportedLine(
                operation=line.operation,
                promise=line.promise,
                verdict=line.verdict,
                grade=line.grade,
                reason=line.reason[:2000],
            )
            for line in badge.lines
        ),
    )


async def keep_report(tx: Tx, report: Report, signature: Signature | None, authority: Authority) -> Badge:
    """Keep what `report` says, as a badge if a registered runner has signed it and else as the owner's word.

    Raises:
        NotFound: no such connector, or not in this version with this code, is registered.
        Forbidden: the sender may not speak for it, or the signature is not a registered runner's under this report.
        InputError: it speaks of another declaration, or of no moment of the last day.
        Conflict: what is kept is as new.
    """
    connector = await tx.get(ConnectorRow, report.connector)
    if connector is None:
        raise NotFound(f"There is no connector {report.connector!r}.")
    runner = None
    if signature is not None:
        runner = await signer(tx, report.connector, signature.runner, report.signed_bytes(), signature.value)
    await _require_sender(tx, connector, runner, authority)
    await outdate_catalog(tx, authority)  # and wait for whoever else is about to report
    await _require_release(tx, report)
    badge = _badge(report, await _origin(tx, report, runner, authority))
    await _require_newer(tx, badge)
    await put_badge(tx, badge)
    facts = {
        "artefact": badge.artefact_digest,
        "version": badge.version,
        "system": badge.system,
        "run_by": badge.origin.source.value,
        "runner": None if runner is None else runner.id,
    }
    await authority.record(tx, EventKind.CONNECTOR_REPORTED, badge.connector, failed=failures(badge), **facts)
    return badge


async def _require_sender(tx: Tx, connector: ConnectorRow, runner: Runner | None, authority: Authority) -> None:
    if runner is not None and runner.agent_id is not None and runner.agent_id == authority.by:
        if (await get(tx, runner.agent_id)).is_suspended:
            raise Forbidden("This agent is suspended.")
        return
    stewards = Stewards(owner_id=connector.owner_id, what=f"what is reported of {connector.name!r}")
    await require_steward(tx, authority, stewards)


async def _require_release(tx: Tx, report: Report) -> None:
    rows = select(ReleaseRow.id).where(ReleaseRow.connector == report.connector, ReleaseRow.version == report.version)
    specs = [await release_spec(tx, release_id) for release_id in (await tx.scalars(rows)).all()]
    specs = [spec for spec in specs if spec.artefact_digest == report.artefact_digest]
    if not specs:
        raise NotFound(
            f"{report.connector} {report.version} is not registered with the code that was checked; publish it first."
        )
    if not any(_declares(spec, report.covers) for spec in specs):
        raise InputError(f"What was checked is declared otherwise in {report.connector} {report.version} here.")


def _declares(spec: ConnectorSpec, covers: Mapping[str, str]) -> bool:
    return covers.items() <= {one.name: proof_digest(spec, one) for one in spec.operations}.items()


async def _require_newer(tx: Tx, badge: Badge) -> None:
    """Refuse what is old, not yet, or told before: a report that was once true may not come back."""
    moment = await now(tx)
    if not moment - OLDEST <= badge.checked_at <= moment + _AHEAD:
        raise InputError("A report is taken within a day of its run, by this hub's clock; run the kit again.")
    kept = await tx.get(BadgeRow, (badge.connector, badge.artefact_digest, badge.origin.source is Source.OWNER))
    if kept is not None and kept.checked_at >= badge.checked_at:
        raise Conflict("What is known of this code is as new as this report, or newer; run the kit again.")


async def _origin(tx: Tx, report: Report, runner: Runner | None, authority: Authority) -> Origin:
    if runner is not None:
        return Origin(source=Source.RUNNER, by=runner.name, place=report.place, kit=report.kit)
    by = "the hub's console" if authority.by is None else (await get(tx, authority.by)).display_name[:120]
    return Origin(source=Source.OWNER, by=by, place=report.place, kit=report.kit)


def _badge(report: Report, origin: Origin) -> Badge:
    lines = tuple(
        BadgeLine(
            operation=line.operation,
            promise=line.promise,
            verdict=line.verdict,
            grade=line.grade,
            reason=line.reason,
        )
        for line in report.lines
    )
    return Badge(
        connector=report.connector,
        version=report.version,
        artefact_digest=report.artefact_digest,
        system=report.system,
        checked_at=report.checked_at,
        covers=report.covers,
        lines=lines,
        origin=origin,
    )
