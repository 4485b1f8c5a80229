"""Runners on their page: machines elsewhere whose signed reports about a connector count like a run of the kit here."""

from collections.abc import Mapping
from datetime import datetime

from starlette.responses import Response

from hub import registry
from hub.core.errors import Conflict, InputError, NotFound
from hub.identity.directory import find, get_many
from hub.identity.permissions import Permission, demand, may
from hub.registry.runners import (
    NewRunner,
    Runner,
    connectors_owned_by,
    every_runner,
    public_key_in,
    register_runner,
    revoke_runner,
)
from hub.storage import Tx, now
from hub.web.moments import at
from hub.web.views.catalog import Choice
from hub.web.views.runners import RunnerLine, RunnersPage
from hub.web.visits import Shown, Visit, redirect_telling, show

_PATH = "/runners"


async def show_runners(visit: Visit) -> Response:
    """Show whose signed reports count, and whose did."""
    demand(visit.person, Permission.SEE_CATALOG)
    return await _shown(visit)


async def add_runner(visit: Visit) -> Response:
    """Let what a machine signs about a connector count."""
    demand(visit.person, Permission.MANAGE_REGISTRY)
    form = visit.form
    connector, name = form.one("connector"), form.one("name").strip()
    try:
        key = public_key_in(form.one("public_key"))
        async with visit.runtime.database.transaction() as tx:
            new = NewRunner(name=name, public_key=key, agent_id=await _agent(tx, form.one("agent").strip()))
            await register_runner(tx, connector, new, visit.own_authority)
    except (Conflict, InputError, NotFound) as error:
        return await _shown(visit, problem=error.message)
    return redirect_telling(visit, _PATH, f"What {name} signs about {connector} counts from now on.")


async def revoke(visit: Visit) -> Response:
    """Let nothing more that a runner signs count."""
    asked = visit.request.path_params
    async with visit.runtime.database.transaction() as tx:
        await revoke_runner(tx, asked["connector"], asked["runner_id"], visit.own_authority)
    return redirect_telling(visit, _PATH, "It is revoked. What it proved stays until the connector is checked again.")


async def _agent(tx: Tx, name: str) -> str | None:
    if not name:
        return None
    found = await find(tx, name)
    if found is None:
        raise NotFound(f"There is no agent or service {name!r}.")
    return found.id


async def _shown(visit: Visit, *, problem: str = "") -> Response:
    may_register, form = may(visit.person, Permission.MANAGE_REGISTRY), visit.form
    async with visit.runtime.database.reading() as tx:
        found, moment = await every_runner(tx), await now(tx)
        owned = await connectors_owned_by(tx, visit.person.id)
        known = sorted(one.name for one in await registry.connectors(tx)) if may_register else []
        people = await get_many(tx, [one.agent_id for one in found if one.agent_id is not None])
    names = {one: principal.name for one, principal in people.items()}
    typed = form.one("public_key")
    page = RunnersPage(
        lines=tuple(_line(one, names, moment, may_revoke=may_register or one.connector in owned) for one in found),
        may_register=may_register,
        connectors=tuple(Choice(value=name, label=name, is_chosen=name == form.one("connector")) for name in known),
        name=form.one("name"),
        public_key="" if "PRIVATE KEY" in typed else typed,  # what was pasted by mistake is not shown again
        agent=form.one("agent"),
        problem=problem,
    )
    status = 400 if problem else 200
    return show(visit, Shown(template="runners.html", title="Runners", page=page, here="servers", status=status))


def _line(one: Runner, names: Mapping[str, str], moment: datetime, *, may_revoke: bool) -> RunnerLine:
    is_revoked = one.revoked_at is not None
    return RunnerLine(
        connector=one.connector,
        name=one.name,
        public_key=one.public_key,
        agent=names.get(one.agent_id, one.agent_id) if one.agent_id else "",
        registered=at(one.registered_at, now=moment),
        revoked=at(one.revoked_at, now=moment) if one.revoked_at else None,
        revoke_url=f"{_PATH}/{one.connector}/{one.id}/revoke" if may_revoke and not is_revoked else "",
    )
