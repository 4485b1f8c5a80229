"""Preview records: a preview with its digest, how and when it was made, and the track record of its tool."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select, update

from connectors.sdk.preview import Preview
from hub.core.canonical import digest
from hub.dryrun.plans import PlanPreview
from hub.dryrun.tables import PreviewRow
from hub.storage import Tx

TRACK_RECORD_LENGTH = 500
"""How many of a tool's latest judged previews make its track record."""


class Verdict(StrEnum):
    """What reading back said about a preview."""

    VERIFIED = "VERIFIED"
    DIVERGED = "DIVERGED"
    UNVERIFIABLE = "UNVERIFIABLE"


Records = Mapping[str, Mapping[str, Any] | None]
"""Records by target as they were read back; None where there is none any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """What reading back came to: the verdict, every difference, and the records themselves."""

    verdict: Verdict
    differences: tuple[str, ...] = ()
    records: Records = field(default_factory=dict[str, Mapping[str, Any] | None])


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRecord:
    """A preview as it was taken: by which revision, when, in what confinement, through which requests."""

    revision: int
    preview: Preview
    digest: str
    transcript: tuple[dict[str, Any], ...]
    sandbox_level: str
    latency_ms: int
    observed_at: datetime
    verdict: Verdict | None = None
    differences: tuple[str, ...] = ()
    committed: Records = field(default_factory=dict[str, Mapping[str, Any] | None])
    """How the records stood right after the commit, as far as they could be read back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRecord:
    """How often a tool's latest previews matched what then happened."""

    matched: int
    judged: int


def preview_digest(preview: Preview) -> str:
    """Return SHA-256 over the canonical JSON of what a voter decides on (governance, section 4).

    Raises:
        Malformed: the preview holds a number that no two readers would read alike.
    """
    decided_on = {"changes", "side_effects", "preconditions", "blast", "fidelity"}
    body = preview.model_dump(mode="json", include=decided_on)
    if isinstance(preview, PlanPreview):
        body["steps"] = [step.decided_on() for step in preview.steps]
    return digest(body)


async def keep(tx: Tx, invocation_id: str, tool_id: str, record: PreviewRecord) -> None:
    """Put `record` on record for its revision, in place of one on which nothing was decided before a crash."""
    await tx.merge(
        PreviewRow(
            invocation_id=invocation_id,
            revision=record.revision,
            tool_id=tool_id,
            digest=record.digest,
            fidelity=record.preview.fidelity.value,
            body=record.preview.model_dump(mode="json"),
            transcript=list(record.transcript),
            sandbox_level=record.sandbox_level,
            latency_ms=record.latency_ms,
            observed_at=record.observed_at,
            differences=[],
            committed={},
        )
    )


async def latest(tx: Tx, invocation_id: str) -> PreviewRecord | None:
    """Return the preview of the newest revision that has one."""
    query = select(PreviewRow).where(PreviewRow.invocation_id == invocation_id)
    row = await tx.scalar(query.order_by(PreviewRow.revision.desc()).limit(1))
    return _record(row) if row else None


async def of_revision(tx: Tx, invocation_id: str, revision: int) -> PreviewRecord | None:
    """Return the preview that was taken for `revision`."""
    row = await tx.get(PreviewRow, (invocation_id, revision))
    return _record(row) if row else None


async def put_read_back(tx: Tx, invocation_id: str, revision: int, read: ReadBack) -> None:
    """Write down what reading back said about the preview of `revision`, and how the records stood then."""
    which = (PreviewRow.invocation_id == invocation_id, PreviewRow.revision == revision)
    found = {
        "verdict": read.verdict.value,
        "differences": list(read.differences),
        "committed": {target: None if one is None else dict(one) for target, one in read.records.items()},
    }
    await tx.execute(update(PreviewRow).where(*which).values(found))


async def put_exchanges(tx: Tx, invocation_id: str, revision: int, sealed: bytes | None) -> None:
    """Keep what passed while the preview of `revision` was taken, as its caller has encrypted it."""
    which = (PreviewRow.invocation_id == invocation_id, PreviewRow.revision == revision)
    await tx.execute(update(PreviewRow).where(*which).values(sealed_exchanges=sealed))


async def exchanges_of(tx: Tx, invocation_id: str, revision: int) -> bytes | None:
    """Return what passed then, encrypted; None if it was not kept, or has been forgotten."""
    row = await tx.get(PreviewRow, (invocation_id, revision), populate_existing=True)
    return None if row is None else row.sealed_exchanges


async def track_record(tx: Tx, tool_id: str) -> TrackRecord:
    """Return how many of the tool's latest judged previews came true."""
    judged = (
        select(PreviewRow.verdict)
        .where(PreviewRow.tool_id == tool_id, PreviewRow.verdict.in_([Verdict.VERIFIED, Verdict.DIVERGED]))
        .order_by(PreviewRow.observed_at.desc())
        .limit(TRACK_RECORD_LENGTH)
    )
    verdicts = (await tx.scalars(judged)).all()
    return TrackRecord(matched=verdicts.count(Verdict.VERIFIED.value), judged=len(verdicts))


def _record(row: PreviewRow) -> PreviewRecord:
    return PreviewRecord(
        revision=row.revision,
        preview=(PlanPreview if "steps" in row.body else Preview).model_validate(row.body),
        digest=row.digest,
        transcript=tuple(row.transcript),
        sandbox_level=row.sandbox_level,
        latency_ms=row.latency_ms,
        observed_at=row.observed_at,
        verdict=Verdict(row.verdict) if row.verdict else None,
        differences=tuple(row.differences),
        committed=row.committed,
    )
