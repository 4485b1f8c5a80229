"""Putting a new principal on record under a name that nobody else has."""

import re
from typing import Final

from sqlalchemy.exc import IntegrityError

from hub.core.errors import Conflict, InputError
from hub.core.ids import new_id
from hub.identity.principals import PrincipalKind, Role
from hub.identity.tables import PrincipalRow
from hub.storage import Tx, now

NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
MAX_DISPLAY_NAME: Final = 120

_PREFIXES: Final = {PrincipalKind.USER: "usr", PrincipalKind.AGENT: "agt", PrincipalKind.SERVICE: "svc"}


def check_name(name: str) -> None:
    """Let a name pass that is lower-case, short and free of look-alikes.

    Raises:
        InputError: it is not.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise InputError(
            f"The name {name[:80]!r} will not do: take 1 to 64 of a-z, 0-9 and . _ @ + -,"
            " beginning with a letter or a digit."
        )


def check_display_name(display_name: str) -> None:
    """Let a display name pass that is one printable line.

    Raises:
        InputError: it is empty, too long or has control characters.
    """
    if not display_name.strip() or len(display_name) > MAX_DISPLAY_NAME or not display_name.isprintable():
        raise InputError(f"A display name is one line of 1 to {MAX_DISPLAY_NAME} printable characters.")


async def enrol(tx: Tx, *, kind: PrincipalKind, name: str, display_name: str, owner_id: str | None = None) -> str:
    """Put a principal on record, a user as a plain member, and return its id.

    Raises:
        InputError: the name or the display name will not do.
        Conflict: the name is taken.
    """
    check_name(name)
    check_display_name(display_name)
    row = PrincipalRow(
        id=new_id(_PREFIXES[kind]),
        kind=kind.value,
        name=name,
        display_name=display_name,
        roles=[Role.MEMBER.value] if kind is PrincipalKind.USER else [],
        owner_id=owner_id,
        created_at=await now(tx),
    )
    try:
        async with tx.begin_nested():
            tx.add(row)
    except IntegrityError as error:
        raise Conflict(f"The name {name!r} is taken; choose another.") from error
    return row.id
