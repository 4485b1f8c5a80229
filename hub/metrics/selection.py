"""What somebody wants to see of the numbers, and what they may: everything, their own tools, their own decisions."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import select

from hub.core.errors import Forbidden, InputError, NotFound
from hub.identity.permissions import Permission, may
from hub.identity.principals import Principal
from hub.metrics.centres import NO_CENTRE, centres
from hub.metrics.values import group_decider, person_decider
from hub.registry.tables import ToolRow
from hub.storage import Tx

LONGEST: Final = 731
"""How many days one answer may cover."""
UNASSIGNED: Final = "unassigned"
"""How the costs that nobody has assigned to a centre are asked for."""
_NO_TOOL: Final = "There is no such tool."
_NO_APPROVERS: Final = "Only auditors see the numbers of each approver."


class By(StrEnum):
    """By what the numbers are told apart."""

    NOTHING = "nothing"
    DAY = "day"
    ENVIRONMENT = "environment"
    AGENT = "agent"
    TOOL = "tool"
    GROUP = "group"
    APPROVER = "approver"
    COST_CENTRE = "cost_centre"


class Of(StrEnum):
    """Whose numbers."""

    ALL = "all"
    TOOLS = "tools"
    """Of the calls of the tools that one owns."""
    DECISIONS = "decisions"
    """Of the calls that one has decided on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which calls, from the day `first` to the day `last` (whole days, UTC); what is None is not asked for."""

    first: date
    last: date
    environment: str | None = None
    agent_id: str | None = None
    tool_id: str | None = None
    group: str | None = None
    centre_id: str | None = None
    """`unassigned`: those of no centre."""
    by: By = By.NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A selection that somebody may see; of tools, those in `tool_ids` alone."""

    wanted: Selection
    of: Of
    decider: str = ""
    """The group or the person whose calls are counted; empty: all."""
    tool_ids: frozenset[str] = frozenset()
    centre_ids: frozenset[str] | None = None
    """The cost centres that may be named and chosen; None: all."""

    def names_centre(self, centre_id: str) -> bool:
        """Return whether the code and the title of a cost centre may be told."""
        return self.centre_ids is None or centre_id in self.centre_ids


def latest(today: date, days: int = 30) -> Selection:
    """Return the selection of the last so many days, today among them; no day comes before the first of all."""
    return Selection(first=max(today, date.min + timedelta(days=days - 1)) - timedelta(days=days - 1), last=today)


async def allow(tx: Tx, person: Principal, wanted: Selection, of: Of | None) -> Allowed:
    """Return what `person` may see of `wanted`; `of` None is the most that they may.

    Raises:
        Forbidden: it is more than that.
        InputError: the days are in the wrong order or too many, or two things are asked for that exclude each other.
        NotFound: there is no such tool or cost centre, or it is not theirs.
    """
    _check(wanted)
    sees_all = may(person, Permission.SEE_METRICS)
    own = await _owned(tx, person)
    match of or _most(sees_all=sees_all, owns=bool(own)):
        case Of.ALL:
            return await _of_all(tx, person, wanted, sees_all=sees_all)
        case Of.TOOLS:
            return await _with_centres(tx, person, _of_tools(wanted, own))
        case _:
            return await _with_centres(tx, person, _of_decisions(person, wanted))


def _most(*, sees_all: bool, owns: bool) -> Of:
    if sees_all:
        return Of.ALL
    return Of.TOOLS if owns else Of.DECISIONS


def _check(wanted: Selection) -> None:
    if wanted.last < wanted.first:
        raise InputError("The last day comes before the first.")
    if (wanted.last - wanted.first).days >= LONGEST:
        raise InputError(f"Choose at most {LONGEST} days.")
    if wanted.group is not None and wanted.by is By.APPROVER:
        raise InputError("Choose a group, or tell approvers apart; not both.")


async def _of_all(tx: Tx, person: Principal, wanted: Selection, *, sees_all: bool) -> Allowed:
    if not sees_all:
        raise Forbidden("Only operators and auditors see the numbers of everybody. Ask for tools or decisions.")
    if wanted.by is By.APPROVER and not may(person, Permission.SEE_AUDIT):
        raise Forbidden(_NO_APPROVERS)
    return await allow_all(tx, wanted)


async def allow_all(tx: Tx, wanted: Selection) -> Allowed:
    """Return the selection for somebody who may see everything: the hub's own console, say.

    Raises:
        InputError: the days are in the wrong order or too many, or two things are asked for that exclude each other.
        NotFound: there is no such tool.
    """
    _check(wanted)
    if wanted.tool_id is not None and await tx.get(ToolRow, wanted.tool_id) is None:
        raise NotFound(_NO_TOOL)
    return Allowed(wanted=wanted, of=Of.ALL, decider=_group(wanted))


def _of_tools(wanted: Selection, own: frozenset[str]) -> Allowed:
    if wanted.by is By.APPROVER:
        raise Forbidden(_NO_APPROVERS)
    if wanted.tool_id is not None and wanted.tool_id not in own:
        raise NotFound(_NO_TOOL)
    return Allowed(wanted=wanted, of=Of.TOOLS, decider=_group(wanted), tool_ids=own)


def _of_decisions(person: Principal, wanted: Selection) -> Allowed:
    if wanted.group is not None or wanted.by in {By.GROUP, By.APPROVER}:
        raise InputError("Your own decisions are counted whatever the group; do not choose one.")
    return Allowed(wanted=replace(wanted, group=None), of=Of.DECISIONS, decider=person_decider(person.id))


async def _with_centres(tx: Tx, person: Principal, allowed: Allowed) -> Allowed:
    """Return what is allowed, with the cost centres whose own pages this person may see."""
    seen = frozenset([one.id for one in await centres(tx, person)])
    if allowed.wanted.centre_id not in seen | {None, UNASSIGNED}:
        raise NotFound(NO_CENTRE)
    return replace(allowed, centre_ids=seen)


def _group(wanted: Selection) -> str:
    return "" if wanted.group is None else group_decider(wanted.group)


async def _owned(tx: Tx, person: Principal) -> frozenset[str]:
    return frozenset(await tx.scalars(select(ToolRow.id).where(ToolRow.owner_id == person.id)))
