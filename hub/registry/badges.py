"""Keeping badges: one per connector and code, the latest; what a badge says of one code says nothing of another."""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import select

from connectors.sdk.spec import ConnectorSpec
from hub.audit import EventKind
from hub.core.errors import Forbidden, NotFound
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.principals import PrincipalKind
from hub.registry.badge_values import Badge, BadgeLine, BadgeVerdict, Grade, Origin, Promise, Source
from hub.registry.digests import proof_digest
from hub.registry.stewardship import Stewards, Touched, outdate_catalog, require_steward
from hub.registry.stored import release_spec
from hub.registry.tables import BadgeRow, ConnectorRow, ReleaseRow
from hub.storage import Tx

BadgeKey = tuple[str, str]
"""A connector's name and the digest of its code."""


async def keep_badge(tx: Tx, badge: Badge, authority: Authority) -> None:
    """Keep `badge` in place of the one before for the same code.

    Raises:
        NotFound: no such connector, or not with that code, is registered.
        Forbidden: it is neither the connector's owner nor an administrator, or it is no person.
    """
    connector = await tx.get(ConnectorRow, badge.connector)
    releases = (await tx.scalars(select(ReleaseRow.id).where(ReleaseRow.connector == badge.connector))).all()
    known = {(await release_spec(tx, release_id)).artefact_digest for release_id in releases}
    if connector is None or badge.artefact_digest not in known:
        raise NotFound(f"{badge.connector} is not registered with this code; publish it first, then check it again.")
    await require_steward(
        tx, authority, Stewards(owner_id=connector.owner_id, what=f"the badge of {badge.connector!r}")
    )
    await _require_person(tx, authority)
    await outdate_catalog(tx, authority, Touched(connectors=frozenset({badge.connector})))
    await put_badge(tx, replace(badge, origin=replace(badge.origin, source=Source.HERE)))
    facts = {"artefact": badge.artefact_digest, "version": badge.version, "system": badge.system}
    await authority.record(tx, EventKind.CONNECTOR_CHECKED, badge.connector, failed=failures(badge), **facts)


async def put_badge(tx: Tx, badge: Badge) -> None:
    """Put `badge` in the place of the one before of its kind; what an owner reports takes the place of no proof."""
    origin = badge.origin
    await tx.merge(
        BadgeRow(
            connector=badge.connector,
            artefact_digest=badge.artefact_digest,
            is_claim=origin.source is Source.OWNER,
            version=badge.version,
            system=badge.system,
            checked_at=badge.checked_at,
            lines=[_line_json(line, badge.covers[line.operation]) for line in badge.lines],
            source=origin.source.value,
            run_by=origin.by,
            place=origin.place,
            kit=origin.kit,
        )
    )


def failures(badge: Badge) -> list[str]:
    """Return the lines that failed, as they go on record."""
    return [f"{line.operation}: {line.promise}" for line in badge.lines if line.verdict is BadgeVerdict.FAILED]


async def badge_for(tx: Tx, connector: ConnectorSpec) -> Badge | None:
    """Return the badge of exactly this connector, with the lines about operations that are as they were checked.

    It was earned here or at a registered runner; what is only reported is no badge (`claim_for`).
    """
    return await _kept(tx, connector, is_claim=False)


async def claim_for(tx: Tx, connector: ConnectorSpec) -> Badge | None:
    """Return what its owner last reported of exactly this connector. It is for people to read, and proves nothing."""
    return await _kept(tx, connector, is_claim=True)


async def _kept(tx: Tx, connector: ConnectorSpec, *, is_claim: bool) -> Badge | None:
    row = await tx.get(BadgeRow, (connector.name, connector.artefact_digest, is_claim), populate_existing=True)
    if row is None:
        return None
    badge = badge_of(row)
    current = {one.name for one in connector.operations if badge.covers.get(one.name) == proof_digest(connector, one)}
    lines = tuple(line for line in badge.lines if line.operation in current)
    return replace(badge, lines=lines) if lines else None


async def all_badges(tx: Tx) -> Mapping[BadgeKey, Badge]:
    """Return every badge by connector and code."""
    earned = select(BadgeRow).where(BadgeRow.is_claim.is_(False))
    return {(row.connector, row.artefact_digest): badge_of(row) for row in await tx.scalars(earned)}


def badge_of(row: BadgeRow) -> Badge:
    """Return the badge in `row`; lines of promises that this release does not know are left out."""
    return Badge(
        connector=row.connector,
        version=row.version,
        artefact_digest=row.artefact_digest,
        system=row.system,
        checked_at=row.checked_at,
        covers={line["operation"]: line["covers"] for line in row.lines},
        lines=tuple(_line(line) for line in row.lines if line["promise"] in {*Promise}),
        origin=Origin(source=Source(row.source), by=row.run_by, place=row.place, kit=row.kit),
    )


async def _require_person(tx: Tx, authority: Authority) -> None:
    """Let no program speak for its own tools, not even one that somebody has made their owner.

    Raises:
        Forbidden: it is no person.
    """
    if authority.by is not None and (await get(tx, authority.by)).kind is not PrincipalKind.USER:
        raise Forbidden("Only a person may give a badge: an owner or an administrator.")


def _line_json(line: BadgeLine, covers: str) -> dict[str, str]:
    return {
        "operation": line.operation,
        "promise": line.promise.value,
        "verdict": line.verdict.value,
        "grade": line.grade.value,
        "reason": line.reason,
        "covers": covers,
    }


def _line(stored: Mapping[str, str]) -> BadgeLine:
    return BadgeLine(
        operation=stored["operation"],
        promise=Promise(stored["promise"]),
        verdict=BadgeVerdict(stored["verdict"]),
        grade=Grade(stored["grade"]),
        reason=stored["reason"],
    )
