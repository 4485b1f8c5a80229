"""`toolhub account`: accounts without a browser."""

import os
from dataclasses import replace
from typing import Annotated, Final

import typer

from hub.cli.console import ask_hidden, out, run, settings
from hub.core.errors import NotFound
from hub.identity.accounts import NewUser
from hub.identity.authority import Authority
from hub.identity.bootstrap import account_create, has_users
from hub.identity.directory import find
from hub.identity.invitations import Invitation, invite
from hub.identity.passkeys import remove_all
from hub.identity.principals import Principal, PrincipalKind, Role
from hub.opening import open_database, open_keyring
from hub.settings import Settings
from hub.storage import Tx

_PASSWORD: Final = "TOOLHUB_PASSWORD"  # noqa: S105  # the name of a variable
_ROLE: Final = f"One of {', '.join(Role)}; may be given several times."

account_app = typer.Typer(help="Accounts of people.", no_args_is_help=True)


@account_app.command()
def create(
    name: Annotated[str, typer.Argument(help="The name to log in with.")],
    role: Annotated[list[Role] | None, typer.Option(metavar="ROLE", help=_ROLE)] = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="A group; may be given several times.")
    ] = None,
    display_name: Annotated[str | None, typer.Option(help="The name that others see.")] = None,
) -> None:
    """Create an account. The first one becomes administrator, whatever its roles, with a password that is asked for
    or taken from TOOLHUB_PASSWORD. Everybody else gets a link, printed here, to set a password that nobody else knows.

    Examples:
      toolhub account create alice

      toolhub account create bob --group approvers --group controllers
    """
    new = NewUser(
        name=name,
        display_name=display_name or name,
        roles=frozenset(role or [Role.MEMBER]),
        groups=frozenset(group or []),
    )
    chosen = settings()
    if run(_is_first(chosen)):
        new = replace(new, password=ask_hidden("Password", variable=_PASSWORD, twice=True))
    elif _PASSWORD in os.environ:
        out.print(f"[dim]{_PASSWORD} is not used: it is for the first account.[/]")
    run(_create(chosen, new))


@account_app.command("invite")
def invite_again(name: Annotated[str, typer.Argument(help="Who sets a new password.")]) -> None:
    """Print a link by which a person sets a new password; the old one is no longer good, and every session ends.

    Example:
      toolhub account invite alice
    """
    run(_invite(settings(), name))


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


async def _is_first(chosen: Settings) -> bool:
    async with open_database(chosen) as database, database.reading() as tx:
        return not await has_users(tx)


async def _create(chosen: Settings, new: NewUser) -> None:
    async with open_database(chosen) as database:
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            person = await account_create(tx, new, authority)
            invitation = None if new.password else await invite(tx, person.id, authority)
    out.print(f"[green]Created[/] {person.name} ({', '.join(sorted(person.roles))}).")
    if invitation is not None:
        _print_link(chosen, person.name, invitation)


async def _invite(chosen: Settings, name: str) -> None:
    async with open_database(chosen) as database:
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            invitation = await invite(tx, (await _person(tx, name)).id, authority)
    _print_link(chosen, name, invitation)


def _print_link(chosen: Settings, name: str, invitation: Invitation) -> None:
    out.print(
        f"{name} sets a password with this link; it works once, until {invitation.expires_at:%d %b %Y, %H:%M} UTC:"
    )
    out.print(invitation.link(chosen.address), soft_wrap=True)


async def _forget(chosen: Settings, name: str) -> None:
    async with open_database(chosen) as database:
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            count = await remove_all(tx, (await _person(tx, name)).id, authority)
    out.print(f"[green]Removed[/] {count} passkeys of {name}." if count else f"{name} has no passkeys.")


async def _person(tx: Tx, name: str) -> Principal:
    person = await find(tx, name)
    if person is None or person.kind is not PrincipalKind.USER:
        raise NotFound(f"There is no person {name!r}.")
    return person
