"""Budgets of attempts to log in: each allows so many at once, and then as many as come back with time."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

from sqlalchemy import bindparam, delete, select, text

from hub.identity.tables import LoginBudgetRow
from hub.storage import Moment, Tx, now


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A kind of budget: `at_once` attempts while it is full; one more is there again after each `comes_back`."""

    kind: str
    at_once: int
    comes_back: timedelta


OF_A_KNOWN_BROWSER: Final = Budget(kind="browser", at_once=10, comes_back=timedelta(minutes=1))
"""For one person in a browser in which they have logged in before: nobody else can use it up."""
OF_A_NAME_FROM_A_SOURCE: Final = Budget(kind="name and source", at_once=10, comes_back=timedelta(minutes=4))
OF_A_SOURCE: Final = Budget(kind="source", at_once=30, comes_back=timedelta(minutes=1))
OF_A_NAME: Final = Budget(kind="name", at_once=100, comes_back=timedelta(seconds=20))
"""For one name, from all browsers it is not known in: what many sources together may guess. It comes back twelve times
as fast as one source can spend it, so that keeping it empty takes more than a dozen of them, all the time."""

OF_DOCUMENTS: Final = Budget(kind="documents", at_once=20, comes_back=timedelta(minutes=1))
"""For one person, who makes the hub read what applications say of themselves."""
OF_KNOWN_DOCUMENTS: Final = Budget(kind="known documents", at_once=20, comes_back=timedelta(minutes=1))
"""For one address, from which clients say that they are known here by a document that has to be read again."""
OF_REGISTRATIONS: Final = Budget(kind="registrations", at_once=10, comes_back=timedelta(minutes=6))
OF_ALL_REGISTRATIONS: Final = Budget(kind="all registrations", at_once=100, comes_back=timedelta(minutes=1))

_SEEN: Final = text(
    "INSERT INTO login_budgets (key, full_at) VALUES (:key, :at) ON CONFLICT (key) DO NOTHING"
).bindparams(bindparam("at", type_=Moment()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One attempt on one budget, which is known by a hash: what somebody typed as a name may have been a password."""

    budget: Budget
    key: str


def charges(name: str, *, source: str | None, browser: str | None) -> list[Charge]:
    """Return what an attempt costs. A browser that is known for this name pays from its own budget alone."""
    whose = name.lower()
    if browser is not None:
        return [_charge(OF_A_KNOWN_BROWSER, browser, whose)]
    place = _place(source)
    found = [_charge(OF_A_NAME_FROM_A_SOURCE, place, whose), _charge(OF_A_NAME, whose)]
    return [*found, _charge(OF_A_SOURCE, place)] if source is not None else found


def charges_for_documents(person_id: str) -> list[Charge]:
    """Return what it costs that the hub reads an application's document for somebody."""
    return [_charge(OF_DOCUMENTS, person_id)]


def charges_for_known_documents(source: str | None) -> list[Charge]:
    """Return what it costs that a request from an address makes the hub read a known client's document again.

    Whoever sends one need not be the client, so that a budget of the client's own could be used up by strangers.
    """
    return [_charge(OF_KNOWN_DOCUMENTS, _place(source))]


def charges_for_registration(source: str | None) -> list[Charge]:
    """Return what it costs to register from an address; all addresses together have a budget, too."""
    return [_charge(OF_REGISTRATIONS, _place(source)), _charge(OF_ALL_REGISTRATIONS)]


async def spend(tx: Tx, wanted: Sequence[Charge]) -> int | None:
    """Take one attempt from each budget and return None; or take nothing, and return in how many seconds there is one.

    Whoever tries while there is none neither prolongs the wait nor begins it anew. Rows are locked in the order of
    `wanted`, at most one of each kind: two attempts cannot wait for each other.
    """
    at = await now(tx)
    rows = [(await _row(tx, charge.key, at), charge.budget) for charge in wanted]
    waits = [_full_after_one_more(row, budget, at) - at - budget.comes_back * budget.at_once for row, budget in rows]
    longest = max(waits)
    if longest > timedelta():
        return max(1, round(longest.total_seconds()))
    for row, budget in rows:
        row.full_at = _full_after_one_more(row, budget, at)
    await tx.flush()
    return None


async def refund(tx: Tx, spent: Sequence[Charge]) -> None:
    """Give back what turned out to be no guess: a whole budget of their own, but in shared ones this attempt alone.

    A right password now and then must not buy more guesses at other people's.
    """
    at = await now(tx)
    for charge in spent:
        if charge.budget in {OF_A_KNOWN_BROWSER, OF_A_NAME_FROM_A_SOURCE}:
            await tx.execute(delete(LoginBudgetRow).where(LoginBudgetRow.key == charge.key))
        else:
            row = await _row(tx, charge.key, at)
            row.full_at -= charge.budget.comes_back
    await tx.flush()


def _full_after_one_more(row: LoginBudgetRow, budget: Budget, at: datetime) -> datetime:
    return max(row.full_at, at) + budget.comes_back


async def _row(tx: Tx, key: str, at: datetime) -> LoginBudgetRow:
    await tx.execute(_SEEN, {"key": key, "at": at})
    query = select(LoginBudgetRow).where(LoginBudgetRow.key == key).with_for_update()
    return (await tx.scalars(query)).one()


def _place(source: str | None) -> str:
    """Return the part of an address that one person has: with IPv6 whole networks of /64 are one person's."""
    try:
        address = ip_address(source or "")
    except ValueError:
        return source or ""
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or address.packed[:8].hex())
    return str(address)


def _charge(budget: Budget, *of: str) -> Charge:
    parts = "".join(f"{len(part)}:{part}" for part in (budget.kind, *of))
    return Charge(budget=budget, key=hashlib.sha256(parts.encode(errors="surrogatepass")).hexdigest())
