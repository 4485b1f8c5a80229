"""Making a connection on pages: first the connector, then the account, its address and its credential."""

from dataclasses import dataclass
from typing import Any, cast

from starlette.responses import Response

from connectors.sdk.spec import ConnectorSpec
from hub import registry
from hub.core.canonical import parse_json
from hub.core.errors import Conflict, InputError, Malformed
from hub.identity.directory import find
from hub.identity.permissions import Permission, demand
from hub.registry import Environment, NewConnection, reading
from hub.storage import Tx
from hub.web.views.catalog import Choice
from hub.web.visits import Shown, Visit, redirect_telling, show

_DONE = "The connection is made, and its tools are offered. Try it here."


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConnectionPage:
    """The connectors to choose from or, once one is chosen, the form for its connection."""

    connectors: tuple[Choice, ...]
    connector: str = ""
    secret_fields: tuple[str, ...] = ()
    environments: tuple[Choice, ...] = ()
    name: str = ""
    base_url: str = ""
    prefix: str = ""
    owner: str = ""
    settings: str = "{}"
    problem: str = ""


async def show_new_connection(visit: Visit) -> Response:
    """Show the form for a connection of the connector in the address, or the connectors."""
    demand(visit.person, Permission.MANAGE_REGISTRY)
    return await _shown(visit, visit.request.query_params.get("connector", ""))


async def add_connection(visit: Visit) -> Response:
    """Make a connection and keep its credential."""
    demand(visit.person, Permission.MANAGE_REGISTRY)
    connector = visit.form.one("connector")
    try:
        async with visit.runtime.database.transaction() as tx:
            spec = _chosen(await reading.connectors(tx), connector)
            made = await registry.create_connection(tx, await _wanted(tx, visit), visit.own_authority)
            secret = _secret(visit, spec)
            if secret:
                await visit.runtime.vault.put(tx, made.id, secret, visit.own_authority)
    except (InputError, Conflict) as error:
        return await _shown(visit, connector, problem=error.message)
    return redirect_telling(visit, f"/connections/{made.id}", _DONE)


async def _wanted(tx: Tx, visit: Visit) -> NewConnection:
    form, name = visit.form, visit.form.one("owner").strip()
    owner = await find(tx, name) if name else None
    if name and owner is None:
        raise InputError(f"There is no account {name[:64]!r}.")
    try:
        environment = Environment(form.one("environment"))
    except ValueError as error:
        raise InputError("Choose an environment.") from error
    return NewConnection(
        name=form.one("name").strip(),
        connector=form.one("connector"),
        environment=environment,
        base_url=form.one("base_url").strip(),
        prefix=form.one("prefix").strip(),
        owner_id=owner.id if owner else None,
        settings=_settings(form.one("settings")),
    )


def _settings(text: str) -> dict[str, Any]:
    try:
        found = parse_json(text.strip() or "{}")
    except Malformed as error:
        raise InputError(f"The settings are not JSON: {error.message}") from error
    if not isinstance(found, dict):
        raise InputError("The settings are a JSON object, such as {}.")
    return cast("dict[str, Any]", found)


def _secret(visit: Visit, spec: ConnectorSpec) -> dict[str, str]:
    typed = {field: visit.form.one(f"secret_{field}") for field in spec.auth.secret_fields}
    if any(typed.values()) and not all(typed.values()):
        raise InputError("Enter every field of the credential, or none to enter it later.")
    return typed if any(typed.values()) else {}


def _chosen(connectors: list[ConnectorSpec], name: str) -> ConnectorSpec:
    found = next((one for one in connectors if one.name == name), None)
    if found is None:
        raise InputError("There is no such connector. Choose one of these.")
    return found


async def _shown(visit: Visit, connector: str, *, problem: str = "") -> Response:
    async with visit.runtime.database.reading() as tx:
        connectors = await reading.connectors(tx)
    chosen = next((one for one in connectors if one.name == connector), None)
    form, default = visit.form, visit.runtime.environment
    page = NewConnectionPage(
        connectors=tuple(Choice(value=one.name, label=one.title) for one in connectors),
        connector=chosen.name if chosen else "",
        secret_fields=chosen.auth.secret_fields if chosen else (),
        environments=tuple(
            Choice(value=one.value, label=one.value, is_chosen=one.value == (form.one("environment") or default))
            for one in Environment
        ),
        name=form.one("name"),
        base_url=form.one("base_url"),
        prefix=form.one("prefix"),
        owner=form.one("owner"),
        settings=form.one("settings") or "{}",
        problem=problem,
    )
    status = 400 if problem else 200
    shown = Shown(template="new_connection.html", title="New connection", page=page, here="servers", status=status)
    return show(visit, shown)
