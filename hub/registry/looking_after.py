"""Who may change a server: its owner, the people of its group, administrators; and where that takes two of them."""

from typing import Final

from hub.core.errors import Forbidden, InputError
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.principals import PrincipalKind
from hub.registry.names import is_built_in
from hub.registry.stewardship import Stewards, require_steward
from hub.registry.tables import ServerRow
from hub.registry.values import Environment
from hub.storage import Tx

BY_TWO: Final = frozenset({Environment.PROD})
"""Where what a server offers becomes more only by a second person; taking something away takes one everywhere."""


async def require_server_steward(tx: Tx, row: ServerRow | None, authority: Authority) -> None:
    """Let the hub's console pass, and whoever may change a server; one that is new is for administrators.

    Raises:
        Forbidden: it is somebody else.
    """
    if row is None:
        await require_steward(tx, authority, Stewards(owner_id=None, what="which servers there are"))
        return
    if authority.by is not None and row.owner_group is not None:
        person = await get(tx, authority.by)
        is_one = person.kind is PrincipalKind.USER and not person.is_suspended
        if is_one and row.owner_group in person.groups:
            return
    await require_steward(tx, authority, Stewards(owner_id=row.owner_id, what=f"the server {row.name!r}"))


def refuse_alone(environment: Environment) -> None:
    """Let a change pass that one person may make there; the hub's own console is asked for two as well.

    Raises:
        Forbidden: it takes two.
    """
    if environment in BY_TWO:
        raise Forbidden(
            f"In {environment} what a server offers takes two people: propose it, and let another one publish it."
        )


def refuse_built_in(name: str) -> None:
    """Let a server pass that people have made.

    Raises:
        InputError: it is a built-in one.
    """
    if is_built_in(name):
        raise InputError(
            f"{name!r} is built in: it offers what its environment's connections bring. "
            "Disable a connection or quarantine a tool instead, or make a server of your own."
        )
