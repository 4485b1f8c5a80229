"""`toolhub account`: accounts without a browser."""

from typing import Annotated

import typer

from hub.cli.console import ask_hidden, out, run, settings
from hub.core.errors import NotFound
from hub.identity.accounts import NewUser
from hub.identity.authority import Authority
from hub.identity.bootstrap import account_create
from hub.identity.directory import find
from hub.identity.passkeys import remove_all
from hub.identity.principals import PrincipalKind, Role
from hub.opening import open_database, open_keyring
from hub.settings import Settings

account_app = typer.Typer(help="Accounts of people.", no_args_is_help=True)


@account_app.command()
def create(
    name: Annotated[str, typer.Argument(help="The name to log in with.")],
    role: Annotated[list[Role] | None, typer.Option(help="A role; may be given several times.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="A group; may be given several times.")] = None,
    display_name: Annotated[str | None, typer.Option(help="The name that others see.")] = None,
) -> None:
    """Create an account. The first one becomes administrator, whatever its roles.

    The password is asked for, or taken from TOOLHUB_PASSWORD.

    Examples:
      toolhub account create alice

      toolhub account create bob --group approvers --group controllers
    """
    new = NewUser(
        name=name,
        display_name=display_name or name,
        password=ask_hidden("Password", variable="TOOLHUB_PASSWORD", twice=True),
        roles=frozenset(role or [Role.MEMBER]),
        groups=frozenset(group or []),
    )
    run(_create(settings(), new))


@account_app.command()
def forget_passkeys(name: Annotated[str, typer.Argument(help="Whose passkeys are lost.")]) -> None:
    """Remove every passkey of a person who has lost them; their sessions end, and a password makes fresh logins again.

    Example:
      toolhub account forget-passkeys alice
    """
    run(_forget(settings(), name))


@account_app.callback()
def _accounts() -> None:
    """Accounts of people."""


async def _create(chosen: Settings, new: NewUser) -> None:
    async with open_database(chosen) as database:
        keys = await open_keyring(chosen, database)
        async with database.transaction() as tx:
            principal = await account_create(tx, new, Authority(database=database, keys=keys))
    roles = ", ".join(sorted(principal.roles))
    out.print(f"[green]Created[/] {principal.name} ({roles}).")


async def _forget(chosen: Settings, name: str) -> None:
    async with open_database(chosen) as database:
        keys = await open_keyring(chosen, database)
        async with database.transaction() as tx:
            person = await find(tx, name)
            if person is None or person.kind is not PrincipalKind.USER:
                raise NotFound(f"There is no person {name!r}.")
            count = await remove_all(tx, person.id, Authority(database=database, keys=keys))
    out.print(f"[green]Removed[/] {count} passkeys of {name}." if count else f"{name} has no passkeys.")
