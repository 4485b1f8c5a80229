"""Promotions on record: asked for, checked, explained, rejected, withdrawn; each move with one event."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from hub import outbox
from hub.audit import EventKind
from hub.core.errors import Conflict, InputError, NotFound
from hub.core.ids import is_id, new_id
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.permissions import Permission, may
from hub.promotions.gates import findings, missing
from hub.promotions.tables import PromotionRow
from hub.promotions.values import BEFORE, Finding, Gate, Promotion, Rehearsal, Rules, Stand, State, Terms
from hub.registry import Environment, Release, get_release, release_in_use
from hub.registry.reading import connector_owner
from hub.registry.stewardship import Stewards, require_steward
from hub.storage import Tx, now

PROMOTION_WAITS: Final = "promotion.waiting"
"""The outbox topic of "every other gate holds, and a second person must decide"; once for each state of a promotion."""
LONGEST_REASON: Final = 2000
_MOST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """That `release_id`, or whatever is in use in the environment before, be used in `environment`."""

    connector: str
    environment: Environment
    reason: str
    release_id: str | None = None


async def ask(tx: Tx, wish: Wish, rules: Rules, authority: Authority) -> Promotion:
    """Put the wish on record with how its gates stand, and return it.

    Raises:
        Conflict: that release is in use there already.
        Forbidden: it is neither the connector's owner nor an administrator.
        InputError: dev takes every release by itself, or there is no reason.
        NotFound: there is no such connector or release, or none is in use in the environment before.
    """
    await require_asker(tx, wish.connector, authority)
    before = BEFORE.get(wish.environment)
    if before is None:
        raise InputError("dev uses every release as it is published; promote to staging or prod.")
    reason = checked_reason(wish.reason, what="why it should be used there")
    release = await _wished(tx, wish, before)
    former = await release_in_use(tx, wish.connector, wish.environment)
    if former is not None and former.id == release.id:
        where = wish.environment.value
        raise Conflict(f"{release.connector} {release.version} is in use in {where} already.")
    row = PromotionRow(
        id=new_id("pro"),
        connector=wish.connector,
        environment=wish.environment.value,
        release_id=release.id,
        former_release_id=None if former is None else former.id,
        state=State.ASKED.value,
        reason=reason,
        asked_by=authority.by,
        asked_at=await now(tx),
        findings=[],
    )
    tx.add(row)
    await tx.flush()
    row.findings = [one.as_json() for one in await findings(tx, row, rules.to(wish.environment))]
    await tx.flush()
    facts = {"environment": wish.environment.value, "release": release.digest, "version": release.version}
    await authority.record(
        tx, EventKind.PROMOTION_ASKED, row.id, connector=wish.connector, former=row.former_release_id, **facts
    )
    return await promotion_of(tx, row)


async def check(
    tx: Tx, promotion_id: str, rules: Rules, authority: Authority, rehearsal: Rehearsal | None
) -> Promotion:
    """Put on record how the gates stand now, with what playing recorded calls came to, and return the promotion.

    Raises:
        Conflict: it does not wait any more.
        Forbidden: it is neither the connector's owner nor an administrator.
        NotFound: there is no such promotion.
    """
    row = await waiting(tx, promotion_id)
    await require_asker(tx, row.connector, authority)
    if rehearsal is not None:
        row.rehearsal = rehearsal.as_json()
        row.explanation = row.explained_by = None  # it was about something else
    await tx.flush()
    found = await _refreshed(tx, row, rules)
    await authority.record(tx, EventKind.PROMOTION_CHECKED, row.id, gates=_told(found), connector=row.connector)
    return await promotion_of(tx, row)


async def explain(tx: Tx, promotion_id: str, explanation: str, rules: Rules, authority: Authority) -> Promotion:
    """Put on record why recorded calls come out otherwise, in words of one who then does not decide; return it.

    Raises:
        Conflict: it does not wait any more, nothing has been played yet, or nothing is played for its environment.
        Forbidden: it is neither the connector's owner nor an administrator.
        InputError: there are no words, or too many.
        NotFound: there is no such promotion.
    """
    row = await waiting(tx, promotion_id)
    await require_asker(tx, row.connector, authority)
    if Gate.REPLAY not in rules.to(Environment(row.environment)).gates:
        raise Conflict(f"No recorded calls are compared for {row.environment}, so there is nothing to explain.")
    if row.rehearsal is None:
        raise Conflict("There is nothing to explain yet: check the gates first.")
    row.explanation = checked_reason(explanation, what="why the calls come out otherwise")
    row.explained_by = authority.by
    await tx.flush()
    found = await _refreshed(tx, row, rules)
    told = {"connector": row.connector, "reason": row.explanation}
    await authority.record(tx, EventKind.PROMOTION_EXPLAINED, row.id, gates=_told(found), **told)
    return await promotion_of(tx, row)


async def withdraw(tx: Tx, promotion_id: str, reason: str, authority: Authority) -> Promotion:
    """Take back a wish that has not been decided on.

    Raises:
        Conflict: it does not wait any more.
        Forbidden: it is neither the connector's owner nor an administrator.
        NotFound: there is no such promotion.
    """
    row = await waiting(tx, promotion_id)
    await require_asker(tx, row.connector, authority)
    return await end(tx, row, State.WITHDRAWN, checked_reason(reason, what="why"), authority)


async def end(tx: Tx, row: PromotionRow, state: State, why: str, authority: Authority) -> Promotion:
    """Move a promotion to where there is no way on, with its event."""
    row.state, row.ended_at, row.ended_why = state.value, await now(tx), why
    await tx.flush()
    facts = {"connector": row.connector, "environment": row.environment}
    await authority.record(tx, _ENDS[state], row.id, reason=why, **facts)
    return await promotion_of(tx, row)


_ENDS: Final = {
    State.REJECTED: EventKind.PROMOTION_REJECTED,
    State.WITHDRAWN: EventKind.PROMOTION_WITHDRAWN,
    State.REPLACED: EventKind.PROMOTION_REPLACED,
}


async def waiting(tx: Tx, promotion_id: str) -> PromotionRow:
    """Return the row of a promotion that waits, held until `tx` ends.

    Raises:
        Conflict: it does not wait any more.
        NotFound: there is no such promotion.
    """
    row = await held(tx, promotion_id)
    if row.state != State.ASKED.value:
        raise Conflict(f"This promotion does not wait any more: it is {State(row.state).name.lower()}.")
    return row


async def held(tx: Tx, promotion_id: str) -> PromotionRow:
    """Return the row of a promotion as the database has it now, held until `tx` ends.

    Raises:
        NotFound: there is no such promotion.
    """
    query = select(PromotionRow).where(PromotionRow.id == promotion_id).with_for_update()
    row = await tx.scalar(query.execution_options(populate_existing=True)) if is_id(promotion_id, "pro") else None
    if row is None:
        raise NotFound("There is no such promotion.")
    return row


async def get_promotion(tx: Tx, promotion_id: str) -> Promotion:
    """Return one promotion.

    Raises:
        NotFound: there is none.
    """
    row = await tx.get(PromotionRow, promotion_id, populate_existing=True) if is_id(promotion_id, "pro") else None
    if row is None:
        raise NotFound("There is no such promotion.")
    return await promotion_of(tx, row)


async def promotions(
    tx: Tx, *, connector: str | None = None, before: str | None = None, limit: int = _MOST
) -> list[Promotion]:
    """Return promotions, the newest first; `before` is the id of one, after which the page begins."""
    query = select(PromotionRow).order_by(PromotionRow.id.desc()).limit(limit)
    if connector is not None:
        query = query.where(PromotionRow.connector == connector)
    if before is not None:
        query = query.where(PromotionRow.id < before)
    return [await promotion_of(tx, row) for row in (await tx.scalars(query)).all()]


async def in_force(tx: Tx) -> list[Promotion]:
    """Return the promotions that are in force, the oldest first."""
    query = select(PromotionRow).where(PromotionRow.state == State.IN_FORCE.value).order_by(PromotionRow.id)
    return [await promotion_of(tx, row) for row in (await tx.scalars(query)).all()]


async def promotion_of(tx: Tx, row: PromotionRow) -> Promotion:
    """Return the promotion in `row`."""
    release = await get_release(tx, row.release_id)
    former = None if row.former_release_id is None else await get_release(tx, row.former_release_id)
    return Promotion(
        id=row.id,
        connector=row.connector,
        environment=Environment(row.environment),
        release_id=row.release_id,
        release_digest=release.digest,
        version=release.version,
        former_release_id=row.former_release_id,
        former_version=None if former is None else former.version,
        former_digest=None if former is None else former.digest,
        state=State(row.state),
        reason=row.reason,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        findings=tuple(
            Finding(gate=Gate(one["gate"]), stand=Stand(one["stand"]), reason=one["reason"]) for one in row.findings
        ),
        rehearsal=None if row.rehearsal is None else Rehearsal.from_json(row.rehearsal),
        explanation=row.explanation,
        explained_by=row.explained_by,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        decided_why=row.decided_why,
        ended_at=row.ended_at,
        ended_why=row.ended_why,
    )


def checked_reason(reason: str, *, what: str) -> str:
    """Return `reason` without the blanks around it.

    Raises:
        InputError: there is none, or it is too long.
    """
    text = reason.strip()
    if not text or len(text) > LONGEST_REASON:
        raise InputError(f"Say {what}, in at most {LONGEST_REASON} characters.")
    return text


async def may_ask(tx: Tx, connector: str, person_id: str) -> bool:
    """Return whether somebody may ask for promotions of `connector`."""
    person = await get(tx, person_id)
    owner = await connector_owner(tx, connector)
    return may(person, Permission.MANAGE_REGISTRY) or (person.id == owner and not person.is_suspended)


async def require_asker(tx: Tx, connector: str, authority: Authority) -> None:
    """Let the connector's owner pass, administrators, and the hub's own console.

    Raises:
        Forbidden: it is somebody else.
        NotFound: there is no such connector.
    """
    owner = await connector_owner(tx, connector)
    await require_steward(tx, authority, Stewards(owner_id=owner, what=f"which {connector!r} is used where"))


async def _wished(tx: Tx, wish: Wish, before: Environment) -> Release:
    if wish.release_id is None:
        release = await release_in_use(tx, wish.connector, before)
        if release is None:
            raise NotFound(f"No release of {wish.connector!r} is in use in {before.value}; promote one there first.")
        return release
    release = await get_release(tx, wish.release_id)
    if release.connector != wish.connector:
        raise NotFound(f"There is no release {wish.release_id!r} of {wish.connector!r}.")
    return release


async def _refreshed(tx: Tx, row: PromotionRow, rules: Rules) -> Sequence[Finding]:
    terms = rules.to(Environment(row.environment))
    found = await findings(tx, row, terms)
    row.findings = [one.as_json() for one in found]
    await tx.flush()
    if Gate.PERSON in terms.gates and not missing(found, by_person=True):
        await _call_deciders(tx, await promotion_of(tx, row), terms)
    return found


async def _call_deciders(tx: Tx, promotion: Promotion, terms: Terms) -> None:
    payload = {
        "promotion_id": promotion.id,
        "promotion_digest": promotion.digest,
        "connector": promotion.connector,
        "environment": promotion.environment.value,
        "release_digest": promotion.release_digest,
        "deciders": terms.deciders,
    }
    await outbox.put(tx, topic=PROMOTION_WAITS, payload=payload, key=f"{promotion.id}:{promotion.digest}")


def _told(found: Sequence[Finding]) -> list[str]:
    return [f"{one.gate.value}: {one.stand.value}" for one in found]
