"""Cost centres on their pages: opened and changed by administrators, filled by those who answer for them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from hub import metrics
from hub.core.errors import Conflict, Forbidden, InputError, NotFound
from hub.identity.directory import get_many
from hub.identity.permissions import Permission, may
from hub.metrics import Bearer, Centre, Change, NewCentre, Stretch, Wish
from hub.storage import Tx, now
from hub.web.inert import inert
from hub.web.moments import at
from hub.web.views.catalog import Choice
from hub.web.views.metrics import CentreLine, CentrePage, CentresPage, StretchLine
from hub.web.visits import Shown, Visit, redirect_telling, show

_KINDS: Final = {Bearer.AGENT: "an agent, by its id", Bearer.USER: "a user, by the id", Bearer.SERVER: "a server"}
_REFUSED: Final = (Conflict, Forbidden, InputError, NotFound)


async def show_centres(visit: Visit) -> Response:
    """Show the cost centres that this person may see."""
    return await _list(visit)


async def open_centre(visit: Visit) -> Response:
    """Open a cost centre."""
    form = visit.form
    new = NewCentre(code=form.one("code").strip(), title=form.one("title"), owner=form.one("owner").strip())
    try:
        async with visit.runtime.database.transaction() as tx:
            opened = await metrics.open_centre(tx, new, visit.person, visit.own_authority)
    except _REFUSED as error:
        return await _list(visit, problem=error.message)
    return redirect_telling(visit, f"/cost-centres/{opened.id}", "It is open. Assign what it is to bear.")


async def show_centre(visit: Visit) -> Response:
    """Show one cost centre and what was ever assigned to it."""
    return await _one(visit)


async def change_centre(visit: Visit) -> Response:
    """Give a cost centre another title or owner."""
    form = visit.form
    change = Change(title=form.one("title").strip(), owner=form.one("owner").strip())

    async def act(tx: Tx, centre_id: str) -> None:
        await metrics.change_centre(tx, centre_id, change, visit.person, visit.own_authority)

    return await _act(visit, act, "It is changed. Its past stays where it was.")


async def close_centre(visit: Visit) -> Response:
    """Close a cost centre."""

    async def act(tx: Tx, centre_id: str) -> None:
        await metrics.close_centre(tx, centre_id, visit.person, visit.own_authority)

    return await _act(visit, act, "It is closed. What went there stays there.")


async def assign(visit: Visit) -> Response:
    """Let costs go to this centre, or to none any more, from a moment on."""
    form = visit.form

    async def act(tx: Tx, centre_id: str) -> None:
        wish = Wish(
            kind=_kind(form.one("kind")),
            subject=form.one("subject").strip(),
            centre_id=None if form.one("release") else centre_id,
            valid_from=_moment(form.one("valid_from").strip()),
        )
        await metrics.assign(tx, wish, visit.person, visit.own_authority)

    return await _act(visit, act, "It is assigned. Earlier costs stay where they were.")


def _kind(text: str) -> Bearer:
    try:
        return Bearer(text)
    except ValueError as error:
        raise InputError("Choose an agent, a user or a server.") from error


def _moment(text: str) -> datetime | None:
    """Return the beginning of a day in UTC; None: from now on."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
    except ValueError as error:
        raise InputError("Write the day as 2026-11-21, or leave it empty.") from error


async def _act(visit: Visit, act: Callable[[Tx, str], Awaitable[None]], told: str) -> Response:
    centre_id = visit.request.path_params["centre_id"]
    try:
        async with visit.runtime.database.transaction() as tx:
            await act(tx, centre_id)
    except _REFUSED as error:
        return await _one(visit, problem=error.message)
    return redirect_telling(visit, f"/cost-centres/{centre_id}", told)


async def _list(visit: Visit, *, problem: str = "") -> Response:
    async with visit.runtime.database.reading() as tx:
        found, moment = await metrics.centres(tx, visit.person), await now(tx)
        owners = await _names(tx, [one.owner_id for one in found])
    page = CentresPage(
        centres=tuple(
            CentreLine(
                url=f"/cost-centres/{one.id}",
                code=one.code,
                title=inert(one.title),
                owner=owners.get(one.owner_id, one.owner_id),
                closed=None if one.closed_at is None else at(one.closed_at, now=moment),
            )
            for one in found
        ),
        may_manage=may(visit.person, Permission.MANAGE_COSTS),
        problem=problem,
    )
    return _shown(visit, "cost_centres.html", page, problem)


async def _one(visit: Visit, *, problem: str = "") -> Response:
    async with visit.runtime.database.reading() as tx:
        found, moment = await metrics.centre(tx, visit.request.path_params["centre_id"], visit.person), await now(tx)
        stretches = await metrics.assignments_to(tx, found.id)
        people = [found.owner_id, *(name for one in stretches for name in _named(one))]
        names = await _names(tx, people)
    manages = may(visit.person, Permission.MANAGE_COSTS)
    page = CentrePage(
        id=found.id,
        code=found.code,
        title=inert(found.title),
        owner=names.get(found.owner_id, found.owner_id),
        closed=None if found.closed_at is None else at(found.closed_at, now=moment),
        stretches=tuple(_stretch(one, names, moment) for one in stretches),
        kinds=tuple(Choice(value=kind.value, label=label) for kind, label in _KINDS.items()),
        may_manage=manages and found.closed_at is None,
        may_assign=found.closed_at is None and (manages or found.owner_id == visit.person.id),
        numbers_url=_numbers(visit, found),
        problem=problem,
    )
    return _shown(visit, "cost_centre.html", page, problem)


def _numbers(visit: Visit, found: Centre) -> str:
    return f"/metrics?centre={found.code}" if may(visit.person, Permission.SEE_METRICS) else ""


def _named(one: Stretch) -> list[str]:
    return [name for name in (one.assignment.subject, one.assignment.assigned_by) if name is not None]


async def _names(tx: Tx, ids: list[str]) -> dict[str, str]:
    return {one.id: one.name for one in (await get_many(tx, ids)).values()}


def _stretch(one: Stretch, names: dict[str, str], moment: datetime) -> StretchLine:
    by = one.assignment.assigned_by
    return StretchLine(
        kind=one.assignment.kind.value,
        subject=names.get(one.assignment.subject, one.assignment.subject),
        begins=at(one.assignment.valid_from, now=moment),
        ends=None if one.valid_until is None else at(one.valid_until, now=moment),
        by="the console" if by is None else names.get(by, by),
    )


def _shown(visit: Visit, template: str, page: object, problem: str) -> Response:
    status = 400 if problem else 200
    return show(visit, Shown(template=template, title="Cost centres", page=page, here="metrics", status=status))
