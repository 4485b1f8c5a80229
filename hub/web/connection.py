"""One connection: look at it, try it, and correct its address or its credential."""

from datetime import datetime

from starlette.responses import Response

from connectors.sdk.spec import ConnectorSpec
from hub import registry
from hub.budgets import Outage, outages_now
from hub.core.errors import InputError, NotFound
from hub.identity.directory import get_many
from hub.identity.permissions import Permission, may
from hub.identity.principals import Principal
from hub.invocations.trying import Tried, try_connection
from hub.pins import waiting_now
from hub.registry import Connection, ConnectionChange, is_same_system
from hub.storage import now
from hub.web.inert import inert
from hub.web.moments import at
from hub.web.servers import connection_line, may_see
from hub.web.views.catalog import ConnectionPage, OutageBox
from hub.web.visits import Shown, Visit, redirect_telling, show


async def show_connection(visit: Visit) -> Response:
    """Show one connection to its owner and to whoever runs the hub."""
    return await connection_page(visit)


async def try_this_connection(visit: Visit) -> Response:
    """Sign in to the system, and say what came of it."""
    connection, _ = await connection_found(visit)
    tried = await try_connection(visit.runtime, connection.id, visit.own_authority)
    return _told(visit, connection, "", tried)


async def correct_connection(visit: Visit) -> Response:
    """Change the address, the credential or both, then try them."""
    connection, spec = await connection_found(visit)
    base_url = visit.form.one("base_url").strip()
    typed = {field: visit.form.one(f"secret_{field}") for field in spec.auth.secret_fields}
    secret = typed if any(typed.values()) else {}
    try:
        _check(connection, spec, base_url, secret)
        async with visit.runtime.database.transaction() as tx:
            change = ConnectionChange(base_url=base_url)
            await registry.change_connection(tx, connection.id, change, visit.own_authority)
            if secret:
                await visit.runtime.vault.put(tx, connection.id, secret, visit.own_authority)
    except InputError as error:
        return await connection_page(visit, typed=base_url, problem=error.message)
    tried = await try_connection(visit.runtime, connection.id, visit.own_authority)
    return _told(visit, connection, "Saved. ", tried)


async def disable(visit: Visit) -> Response:
    """Stop every call of the connection's tools."""
    connection, _ = await connection_found(visit)
    reason = visit.form.one("reason").strip()
    if not reason:
        return await connection_page(visit, problem="Say why; it is kept on record.")
    async with visit.runtime.database.transaction() as tx:
        await registry.disable_connection(tx, connection.id, visit.own_authority, reason=reason[:500])
    return redirect_telling(visit, f"/connections/{connection.id}", "No call may use it any more.", tone="warn")


async def enable(visit: Visit) -> Response:
    """Let the connection be used again."""
    connection, _ = await connection_found(visit)
    async with visit.runtime.database.transaction() as tx:
        await registry.enable_connection(tx, connection.id, visit.own_authority)
    return redirect_telling(visit, f"/connections/{connection.id}", "Calls may use it again.")


def _check(connection: Connection, spec: ConnectorSpec, base_url: str, secret: dict[str, str]) -> None:
    if not all(secret.values()):
        raise InputError("Enter every field of the credential, or none to keep the one there is.")
    if spec.auth.secret_fields and not secret and not is_same_system(base_url, connection.base_url):
        raise InputError("This is the address of another system: enter the credential for it too.")


def _told(visit: Visit, connection: Connection, before: str, tried: Tried) -> Response:
    told = f"{before}{'It works' if tried.is_usable else 'It cannot be used as it is'}: {tried.message[:500]}"
    return redirect_telling(visit, f"/connections/{connection.id}", told, tone="good" if tried.is_usable else "bad")


async def connection_found(visit: Visit) -> tuple[Connection, ConnectorSpec]:
    """Return the connection that the address names, and what its connector says.

    Raises:
        NotFound: there is none, or the visitor may not see it.
    """
    async with visit.runtime.database.reading() as tx:
        connection = await registry.get_connection(tx, visit.request.path_params["connection_id"])
        spec = await registry.spec_for(tx, connection)
    if not may_see(visit.person, connection):
        raise NotFound("There is no such connection.")
    return connection, spec


async def connection_page(visit: Visit, *, typed: str = "", problem: str = "") -> Response:
    """Show the connection as it stands now, and what stood against the change that was asked for."""
    connection, spec = await connection_found(visit)
    async with visit.runtime.database.reading() as tx:
        owners = await get_many(tx, [connection.owner_id] if connection.owner_id else [])
        outage = next((one for one in await outages_now(tx) if one.connection_id == connection.id), None)
        changed = await waiting_now(tx)
        moment = await now(tx)
    page = ConnectionPage(
        line=connection_line(connection, owners, outage, changed.get(connection.id)),
        base_url=typed or connection.base_url,
        secret_fields=spec.auth.secret_fields,
        may_correct=_may_correct(visit.person, connection),
        may_stop=may(visit.person, Permission.STOP_THINGS) or connection.owner_id == visit.person.id,
        is_enabled=connection.is_enabled,
        limits=_limits(connection),
        outage=_box(outage, moment) if outage is not None and connection.is_enabled else None,
        problem=problem,
    )
    status = 400 if problem else 200
    title = f"Connection {connection.name}"
    return show(visit, Shown(template="connection.html", title=title, page=page, here="servers", status=status))


def _limits(connection: Connection) -> str:
    limits = connection.limits
    calls = f"{limits.calls_at_once} calls at the same time, each at most {limits.call_seconds} seconds"
    if not connection.base_url.startswith(("http:", "https:", "stdio:")):
        return calls
    answers = f"answers of at most {limits.answer_bytes:,} bytes"
    lines = f"{limits.connections} connections, " if connection.base_url.startswith("http") else ""
    return f"{lines}{calls}, {answers}"


def _box(outage: Outage, moment: datetime) -> OutageBox:
    since = outage.unavailable_since
    return OutageBox(
        failures=outage.failures,
        since=None if since is None else at(since, now=moment),
        reason=inert(outage.reason),
        next_look=at(outage.look_at, now=moment),
    )


def _may_correct(person: Principal, connection: Connection) -> bool:
    return may(person, Permission.MANAGE_REGISTRY) or connection.owner_id == person.id
