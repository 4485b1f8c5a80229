"""Known browsers: the mark that one gets when somebody logs in there, and that tells their attempts from strangers'."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from hub.core.errors import Malformed
from hub.core.ids import new_id
from hub.identity.tables import PasswordRow
from hub.keys import Keyring
from hub.storage import Tx

LIFETIME: Final = timedelta(days=180)
MARK_COOKIE: Final = "hub_known"
SECURE_MARK_COOKIE: Final = f"__Host-{MARK_COOKIE}"
MOST_PEOPLE: Final = 8
"""How many people a browser is known for; the one who has not logged in for the longest time is forgotten first."""
_PURPOSE: Final = "known browser"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBrowser:
    """A browser, and when the passwords were set with which people have logged in there.

    A mark opens nothing: it only keeps its bearer's failures apart from those of strangers. With a new password it is
    worth nothing any more, so that nobody who knew the old one has budgets of their own to guess the new one with.
    """

    id: str
    people: Mapping[str, str] = field(default_factory=dict[str, str])


def mark_cookie_name(public_url: str) -> str:
    """Return the cookie's name: with the `__Host-` prefix wherever the hub is reached over https."""
    return SECURE_MARK_COOKIE if public_url.startswith("https:") else MARK_COOKIE


async def knows(tx: Tx, keys: Keyring, mark: str | None, user_id: str) -> str | None:
    """Return the id of the browser that carries `mark`, if this person has logged in there with today's password."""
    browser = _read(keys, mark)
    since = await _password_since(tx, user_id)
    return browser.id if browser is not None and since is not None and browser.people.get(user_id) == since else None


async def marked(tx: Tx, keys: Keyring, mark: str | None, user_id: str) -> str:
    """Return the mark of a browser, new or with `mark`, in which this person has just proved who they are."""
    before = _read(keys, mark) or KnownBrowser(id=new_id("brw"))
    others = [(one, since) for one, since in before.people.items() if one != user_id]
    people = dict([*others, (user_id, await _password_since(tx, user_id) or "")][-MOST_PEOPLE:])
    value = {"browser": before.id, "people": list(people.items())}
    return keys.seal(value, purpose=_PURPOSE, seconds=int(LIFETIME.total_seconds()))


async def _password_since(tx: Tx, user_id: str) -> str | None:
    at = await tx.scalar(select(PasswordRow.changed_at).where(PasswordRow.principal_id == user_id))
    return None if at is None else at.isoformat()


def _read(keys: Keyring, mark: str | None) -> KnownBrowser | None:
    if not mark:
        return None
    try:
        value = keys.unseal(mark, purpose=_PURPOSE)
    except Malformed:
        return None
    return KnownBrowser(id=value["browser"], people=dict(value["people"]))
