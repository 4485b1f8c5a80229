"""Deciding on a promotion: what puts a release in use, or takes it back, in the one transaction that checks it all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update

from hub.audit import EventKind
from hub.core.errors import ChangedSinceSeen, Conflict, Forbidden, FreshLoginNeeded
from hub.identity.authority import Authority
from hub.identity.directory import get, members
from hub.identity.permissions import Permission, may
from hub.identity.principals import Principal, PrincipalKind
from hub.policy import admits, groups_of
from hub.promotions.composite_gates import brought, is_of_composites, owners_of
from hub.promotions.gates import findings, missing
from hub.promotions.keeping import checked_reason, end, held, may_ask, promotion_of, waiting
from hub.promotions.tables import PromotionRow
from hub.promotions.values import Finding, Gate, Promotion, Rules, Stand, State, Terms
from hub.registry import Environment, get_release, release_in_use
from hub.registry.carrying import register_restored
from hub.registry.reading import connector_owner
from hub.registry.stewardship import Stewards, outdate_catalog, require_steward
from hub.registry.using import put_in_use, take_out_of_use
from hub.storage import Tx, now

FRESH: Final = timedelta(minutes=10)
"""How old the login of the second person may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decided, on which state of the promotion (`digest`), and when that person last logged in."""

    digest: str
    reason: str
    authenticated_at: datetime | None = None


async def put_in_force(tx: Tx, promotion_id: str, decision: Decision, rules: Rules, authority: Authority) -> Promotion:
    """Use the release from now on, if every gate holds at this very moment; return the promotion.

    Raises:
        ChangedSinceSeen: something of it has changed since the decider looked.
        Conflict: it does not wait any more, a gate does not hold now, or another release is in use by now.
        Forbidden: this person may not decide.
        FreshLoginNeeded: its login is older than `FRESH`.
        NotFound: there is no such promotion.
    """
    await outdate_catalog(tx, authority)  # first: it makes changes of what is in use wait for each other
    row = await waiting(tx, promotion_id)
    terms = rules.to(Environment(row.environment))
    await _require_decider(tx, row, terms, authority, decision.authenticated_at)
    if decision.digest != (await promotion_of(tx, row)).digest:
        raise ChangedSinceSeen("The promotion has changed since you looked at it. Look again, then decide.")
    found = await findings(tx, row, terms)
    if lacking := missing(found, by_person=Gate.PERSON in terms.gates):
        told = " ".join(f"{one.gate.value}: {one.reason}" for one in lacking)
        raise Conflict(f"Not every gate holds now. {told}")
    release, environment = await get_release(tx, row.release_id), Environment(row.environment)
    current = await release_in_use(tx, row.connector, environment)
    if (None if current is None else current.id) != row.former_release_id:
        raise Conflict("Another release has been put in use there since this was asked for. Ask again.")
    await _replace_former(tx, row, authority)
    await put_in_use(tx, release, environment)
    row.state, row.decided_by, row.decided_at = State.IN_FORCE.value, authority.by, await now(tx)
    row.decided_why = decision.reason.strip()
    found = await _with_word(tx, found, Stand.HOLDS, "has looked at all of it and agrees.", authority)
    row.findings = [one.as_json() for one in found]
    await tx.flush()
    facts = {"connector": row.connector, "environment": row.environment, "release": release.digest}
    gates = [f"{one.gate.value}: {one.stand.value}" for one in found]
    await authority.record(tx, EventKind.PROMOTION_IN_FORCE, row.id, former=row.former_release_id, gates=gates, **facts)
    return await promotion_of(tx, row)


async def reject(tx: Tx, promotion_id: str, decision: Decision, rules: Rules, authority: Authority) -> Promotion:
    """Refuse a promotion, by somebody who could have agreed; return it.

    Raises:
        Conflict: it does not wait any more.
        Forbidden: this person may not decide.
        FreshLoginNeeded: its login is older than `FRESH`.
        InputError: there is no reason.
        NotFound: there is no such promotion.
    """
    row = await waiting(tx, promotion_id)
    await _require_decider(tx, row, rules.to(Environment(row.environment)), authority, decision.authenticated_at)
    why_not = checked_reason(decision.reason, what="why not")
    found = (await promotion_of(tx, row)).findings
    row.findings = [one.as_json() for one in await _with_word(tx, found, Stand.FAILS, "does not agree.", authority)]
    return await end(tx, row, State.REJECTED, why_not, authority)


async def revert(tx: Tx, promotion_id: str, why: str, authority: Authority) -> Promotion:
    """Use the former release again, at once; the one that was promoted needs another promotion.

    Raises:
        Conflict: the promotion is not in force, or not any more.
        Forbidden: it is neither the connector's owner, nor an administrator, nor an operator.
        InputError: there is no reason.
        NotFound: there is no such promotion.
    """
    await outdate_catalog(tx, authority)
    row = await held(tx, promotion_id)
    owner = await connector_owner(tx, row.connector)
    what = f"which {row.connector!r} is used where"
    await require_steward(tx, authority, Stewards(owner_id=owner, what=what, operators_may=True))
    reason = checked_reason(why, what="why")
    moved = await tx.scalar(
        update(PromotionRow)
        .where(PromotionRow.id == promotion_id, PromotionRow.state == State.IN_FORCE.value)
        .values(state=State.REVERTED.value, ended_at=await now(tx), ended_why=reason)
        .returning(PromotionRow.id)
    )
    if moved is None:
        raise Conflict("This promotion is not in force, or not any more.")
    release, environment = await get_release(tx, row.release_id), Environment(row.environment)
    former = None if row.former_release_id is None else await get_release(tx, row.former_release_id)
    if is_of_composites(release):  # others may have been promoted since: those stay
        former = await register_restored(tx, release, former, authority)
    if former is None:
        await take_out_of_use(tx, row.connector, environment)
    else:
        await put_in_use(tx, former, environment)
    back_to = None if former is None else former.id
    facts = {"connector": row.connector, "environment": row.environment, "back_to": back_to}
    await authority.record(tx, EventKind.PROMOTION_REVERTED, row.id, release=release.digest, because=reason, **facts)
    await tx.refresh(row)
    return await promotion_of(tx, row)


async def _require_decider(
    tx: Tx, row: PromotionRow, terms: Terms, authority: Authority, authenticated_at: datetime | None
) -> None:
    """Let somebody pass who may decide; without a gate for a second person that is whoever may ask."""
    if Gate.PERSON not in terms.gates:
        owner = await connector_owner(tx, row.connector)
        await require_steward(tx, authority, Stewards(owner_id=owner, what=f"which {row.connector!r} is used where"))
        return
    if authority.by is None:
        raise Forbidden("A second person decides on this, on its page or by the API; the console is nobody.")
    person = await get(tx, authority.by)
    if not _is_asked(person, terms.deciders):
        raise Forbidden(f"Only people of {terms.deciders} decide on what is used in {row.environment}.")
    if person.id in await _barred(tx, row):
        raise Forbidden("You asked for it, explained it, published it, or own the connector; somebody else decides.")
    if authenticated_at is None or await now(tx) - authenticated_at > FRESH:
        raise FreshLoginNeeded("Deciding on a promotion needs a fresh login. Enter your password again, then decide.")


async def _with_word(tx: Tx, found: Sequence[Finding], stand: Stand, says: str, authority: Authority) -> list[Finding]:
    """Return the gates with what the second person has said, where one is asked."""
    who = "The hub's console" if authority.by is None else (await get(tx, authority.by)).display_name
    return [replace(one, stand=stand, reason=f"{who} {says}") if one.gate is Gate.PERSON else one for one in found]


async def _replace_former(tx: Tx, row: PromotionRow, authority: Authority) -> None:
    place = (PromotionRow.connector == row.connector, PromotionRow.environment == row.environment)
    query = select(PromotionRow).where(*place, PromotionRow.state == State.IN_FORCE.value)
    composites = is_of_composites(await get_release(tx, row.release_id))
    for former in (await tx.scalars(query.with_for_update())).all():
        if composites and not {*await brought(tx, row)} & {*await brought(tx, former)}:
            continue  # it is about other tools, and goes on being watched
        await end(tx, former, State.REPLACED, f"{row.id} is in force.", authority)


async def may_look(tx: Tx, promotion: Promotion, rules: Rules, person_id: str) -> bool:
    """Return whether somebody may see what recorded calls came to: who asks, decides, or can take it back."""
    person = await get(tx, person_id)
    decides = admits(rules.to(promotion.environment).deciders, person.groups) and not person.is_suspended
    return decides or may(person, Permission.STOP_THINGS) or await may_ask(tx, promotion.connector, person_id)


async def deciders(tx: Tx, promotion_id: str, digest: str, asked: str) -> list[Principal]:
    """Return who of `asked` may decide on a promotion; nobody if it waits no more, or is not what `digest` was of."""
    row = await tx.get(PromotionRow, promotion_id, populate_existing=True)
    if row is None or row.state != State.ASKED.value or (await promotion_of(tx, row)).digest != digest:
        return []
    found = {one.id: one for group in sorted(groups_of(asked)) for one in await members(tx, group)}
    barred = await _barred(tx, row)
    return [one for _, one in sorted(found.items()) if one.id not in barred and _is_asked(one, asked)]


async def waiting_for(tx: Tx, rules: Rules, person_id: str) -> list[Promotion]:
    """Return the promotions that wait for somebody who may decide on them, the oldest first."""
    query = select(PromotionRow).where(PromotionRow.state == State.ASKED.value).order_by(PromotionRow.id)
    rows = [row for row in (await tx.scalars(query)).all() if await _may_decide(tx, row, rules, person_id)]
    return [await promotion_of(tx, row) for row in rows]


async def may_decide(tx: Tx, promotion: Promotion, rules: Rules, person_id: str) -> bool:
    """Return whether somebody may decide on a promotion, apart from how fresh the login is."""
    return await _may_decide(tx, await tx.get_one(PromotionRow, promotion.id), rules, person_id)


async def _may_decide(tx: Tx, row: PromotionRow, rules: Rules, person_id: str) -> bool:
    terms = rules.to(Environment(row.environment))
    if Gate.PERSON not in terms.gates or not _is_asked(await get(tx, person_id), terms.deciders):
        return False
    return person_id not in await _barred(tx, row)


def _is_asked(person: Principal, asked: str) -> bool:
    return person.kind is PrincipalKind.USER and not person.is_suspended and admits(asked, person.groups)


async def _barred(tx: Tx, row: PromotionRow) -> frozenset[str | None]:
    """Return who has a hand in a promotion, and so no say: who asked, explained or wrote it, or owns the connector."""
    author = (await get_release(tx, row.release_id)).registered_by
    hands = {row.asked_by, row.explained_by, author, await connector_owner(tx, row.connector)}
    return frozenset(hands | await owners_of(tx, row))
