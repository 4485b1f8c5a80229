"""`toolhub audit erase`: tells what an erasure would delete, and asks for it; an auditor grants it in the hub."""

import json
from typing import Annotated

import typer

from hub.cli.console import fail, out, run, settings
from hub.core.errors import NotFound
from hub.erasures import Extent, NewErasure, Scope, ScopeKind, ask, survey
from hub.identity import directory
from hub.identity.authority import Authority
from hub.opening import open_database, open_keyring
from hub.registry import find_connection
from hub.settings import Settings
from hub.storage import Database, Tx


def erase(  # noqa: PLR0913  # one for each option of the command
    *,
    invocation: Annotated[str | None, typer.Option(help="Erase what one invocation said and brought back.")] = None,
    person: Annotated[str | None, typer.Option(help="Erase everything that was done for a person, by name.")] = None,
    record: Annotated[
        str | None, typer.Option(metavar="CONNECTION:TARGET", help="Erase the writes whose previews name a record.")
    ] = None,
    asked_by: Annotated[str | None, typer.Option(help="Who asks, by name; without it nothing is asked for.")] = None,
    reason: Annotated[str, typer.Option(help="Why; kept on record.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Tell how much an erasure would delete; with --asked-by and --reason, ask for it too.

    Nothing is deleted here: an auditor who is somebody else grants it, on the page Erasures or by the API. Proofs,
    ids, states, times and who decided what stay.

    Examples:
      toolhub audit erase --person rita

      toolhub audit erase --record erp:party.party/7 --asked-by adam --reason "Request 4711"
    """
    given = [one for one in (invocation, person, record) if one is not None]
    if len(given) != 1:
        fail("Name what to erase, by one of --invocation, --person and --record.")
    wanted = _Wanted(invocation, person, record)
    extent, erasure_id = run(_erase(settings(), wanted, asked_by, reason))
    if as_json:
        typer.echo(json.dumps({**extent.as_json(), "erasure": erasure_id}))
        return
    out.print(
        f"{extent.invocations} invocations, {extent.previews} previews and {extent.values} private values of "
        f"{extent.events} events would go. Proofs, ids, states, times and decisions stay.",
        highlight=False,
    )
    if erasure_id is None:
        out.print("Nothing was asked for. To ask: --asked-by NAME --reason WHY.", highlight=False)
    else:
        out.print(f"Asked for, as {erasure_id}. Nothing is deleted before an auditor grants it.", highlight=False)


class _Wanted:
    """What the options name."""

    def __init__(self, invocation: str | None, person: str | None, record: str | None) -> None:
        self.invocation, self.person, self.record = invocation, person, record

    async def scope(self, tx: Tx) -> Scope:
        """Return the scope that the options name.

        Raises:
            NotFound: there is no such person or connection.
        """
        if self.invocation is not None:
            return Scope(kind=ScopeKind.INVOCATION, subject=self.invocation)
        if self.person is not None:
            return Scope(kind=ScopeKind.PERSON, subject=await _id_of(tx, self.person))
        name, _, target = (self.record or "").partition(":")
        connection = await find_connection(tx, name)
        if connection is None:
            raise NotFound(f"There is no connection {name!r}. Name a record as CONNECTION:TARGET.")
        return Scope(kind=ScopeKind.RECORD, subject=target, connection_id=connection.id)


async def _erase(chosen: Settings, wanted: _Wanted, asked_by: str | None, reason: str) -> tuple[Extent, str | None]:
    async with open_database(chosen) as database:
        async with database.reading() as tx:
            scope = await wanted.scope(tx)
            extent = await survey(tx, scope)
        if asked_by is None:
            return extent, None
        return extent, await _ask(chosen, database, NewErasure(scope=scope, reason=reason), asked_by)


async def _ask(chosen: Settings, database: Database, new: NewErasure, asked_by: str) -> str:
    keys = await open_keyring(chosen, database)
    async with database.transaction() as tx:
        person = await directory.find(tx, asked_by)
        if person is None:
            raise _nobody(asked_by)
        asked = await ask(tx, new, person, Authority(database=database, keys=keys, by=person.id))
    return asked.id


async def _id_of(tx: Tx, name: str) -> str:
    person = await directory.find(tx, name)
    if person is None:
        raise _nobody(name)
    return person.id


def _nobody(name: str) -> NotFound:
    return NotFound(f"There is no account {name!r}.")
