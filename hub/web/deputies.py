"""My deputies: who votes in one's place while one is away, and for whom one does."""

from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.responses import Response

from hub.approvals import Absence, Deputyship, deputyships, end_deputyship, name_deputy
from hub.core.errors import Conflict, InputError
from hub.identity.directory import get_many
from hub.storage import now
from hub.web.moments import At, at
from hub.web.visits import Shown, Visit, redirect_telling, show


@dataclass(frozen=True, slots=True, kw_only=True)
class DeputyLine:
    """One deputyship, as the absent person or the deputy sees it."""

    who: str
    is_mine: bool
    starts: At
    ends: At
    end_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeputiesPage:
    """Every deputyship of the viewer that is not over, and what was typed if it would not do."""

    lines: tuple[DeputyLine, ...]
    deputy: str = ""
    starts: str = ""
    ends: str = ""
    problem: str = ""


async def show_deputies(visit: Visit) -> Response:
    """Show who stands in for the visitor and for whom the visitor does."""
    return await _shown(visit)


async def add_deputy(visit: Visit) -> Response:
    """Let somebody vote in the visitor's place."""
    try:
        absence = Absence(
            absent=visit.person,
            deputy=visit.form.one("deputy"),
            starts_at=_moment(visit.form.one("starts")),
            ends_at=_moment(visit.form.one("ends")),
        )
        async with visit.runtime.database.transaction() as tx:
            await name_deputy(tx, absence, visit.own_authority)
    except (InputError, Conflict) as error:
        return await _shown(visit, problem=error.message)
    return redirect_telling(visit, "/deputies", "Your deputy is named.")


async def end_deputy(visit: Visit) -> Response:
    """Let a deputy of the visitor vote no longer."""
    async with visit.runtime.database.transaction() as tx:
        await end_deputyship(tx, visit.request.path_params["deputyship_id"], visit.person, visit.own_authority)
    return redirect_telling(visit, "/deputies", "Your deputy votes for you no longer.")


async def _shown(visit: Visit, *, problem: str = "") -> Response:
    async with visit.runtime.database.reading() as tx:
        found, moment = await deputyships(tx, visit.person), await now(tx)
        people = await get_many(tx, [one for each in found for one in (each.absent_id, each.deputy_id)])
    names = {one: principal.display_name for one, principal in people.items()}
    page = DeputiesPage(
        lines=tuple(_line(one, visit.person.id, names, moment) for one in found),
        deputy=visit.form.one("deputy"),
        starts=visit.form.one("starts"),
        ends=visit.form.one("ends"),
        problem=problem,
    )
    shown = Shown(template="deputies.html", title="My deputies", page=page, here="approvals")
    return show(visit, shown if not problem else _refused(shown))


def _refused(shown: Shown) -> Shown:
    return Shown(template=shown.template, title=shown.title, page=shown.page, here=shown.here, status=400)


def _line(one: Deputyship, viewer: str, names: dict[str, str], moment: datetime) -> DeputyLine:
    is_mine = one.absent_id == viewer
    other = one.deputy_id if is_mine else one.absent_id
    return DeputyLine(
        who=names.get(other, other),
        is_mine=is_mine,
        starts=at(one.starts_at, now=moment),
        ends=at(one.ends_at, now=moment),
        end_url=f"/deputies/{one.id}/end" if is_mine else "",
    )


def _moment(text: str) -> datetime:
    """Return the time that somebody typed, which is in UTC."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError("Say the times like 2026-12-01T09:00.") from error
