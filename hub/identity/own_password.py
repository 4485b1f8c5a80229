"""Changing one's own password: with the old one, in one's own session, and with an end to everything else."""

from dataclasses import replace

from hub.core.errors import InputError
from hub.identity.accounts import set_password
from hub.identity.authority import Authority
from hub.identity.known_browsers import marked
from hub.identity.logins import LoggedIn, Login, LoginRefused, log_in
from hub.identity.passwords import check_strength
from hub.identity.sessions import session_of
from hub.keys import Keyring
from hub.storage import Database


async def change_own_password(database: Database, keys: Keyring, login: Login, new: str) -> LoggedIn | LoginRefused:
    """Set the password `new` for whoever proves by `login` to have the old one; return their new session.

    The proof is a login like any other: it is counted, it is on record, and it replaces the session at hand. All other
    sessions and every token that agents hold for the person are gone.

    Raises:
        InputError: the new password will not do.
    """
    check_strength(new)
    if new == login.password:
        raise InputError("The new password is the old one; take another.")
    outcome = await log_in(database, keys, login)
    if isinstance(outcome, LoginRefused):
        return outcome
    user_id = outcome.principal.id
    authority = Authority(database=database, keys=keys, by=user_id)
    async with database.transaction() as tx:
        session = await session_of(tx, outcome.cookie)
        await set_password(tx, user_id, new, authority, keep_session=session.id if session else None)
        return replace(outcome, mark=await marked(tx, keys, login.mark, user_id))
