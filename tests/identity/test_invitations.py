"""Invitations: nobody sets somebody else's password; a link does it once, for a while, for one person."""

from datetime import timedelta

import anyio
import pytest
from sqlalchemy import func, select, update

from hub import audit
from hub.core.errors import Conflict, HubError, InputError, NotFound
from hub.identity.accounts import NewUser, create_user, resume, suspend
from hub.identity.authority import Authority
from hub.identity.invitations import LIFETIME, Invitation, accept, invite, invited, open_until
from hub.identity.logins import LoggedIn, Login, LoginRefused, log_in
from hub.identity.principals import Principal
from hub.identity.sessions import session_of
from hub.identity.tables import InvitationRow, PasswordRow
from hub.keys import Keyring
from hub.storage import Database, now

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"
OTHER = "another horse battery"
ALMA = "usr_alma"


@pytest.fixture
def authority(database: Database, keys: Keyring) -> Authority:
    return Authority(database=database, keys=keys, by=ALMA)


@pytest.fixture
async def ann(database: Database, authority: Authority) -> Principal:
    """An account that an administrator has made."""
    async with database.transaction() as tx:
        return await create_user(tx, NewUser(name="ann", display_name="Ann"), authority)


async def invitation_for(person: Principal, authority: Authority) -> Invitation:
    async with authority.database.transaction() as tx:
        return await invite(tx, person.id, authority)


async def accepted(invitation: Invitation, database: Database, keys: Keyring, password: str = PASSWORD) -> None:
    nobody = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        await accept(tx, invitation.token, password, nobody, source="192.0.2.7")


async def entered(database: Database, keys: Keyring, password: str = PASSWORD) -> LoggedIn | LoginRefused:
    return await log_in(database, keys, Login(name="ann", password=password))


async def test_nobody_signs_in_to_an_account_before_its_link_is_used(
    database: Database, keys: Keyring, authority: Authority, ann: Principal
) -> None:
    invitation = await invitation_for(ann, authority)
    async with database.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(PasswordRow)) == 0
    for guess in ("", invitation.token, PASSWORD):
        assert isinstance(await entered(database, keys, guess), LoginRefused)

    await accepted(invitation, database, keys)

    assert isinstance(await entered(database, keys), LoggedIn)


async def test_a_link_works_once(database: Database, keys: Keyring, authority: Authority, ann: Principal) -> None:
    invitation = await invitation_for(ann, authority)
    await accepted(invitation, database, keys)

    with pytest.raises(NotFound, match="somebody else has had it"):
        await accepted(invitation, database, keys, OTHER)

    assert isinstance(await entered(database, keys), LoggedIn)


async def test_of_two_who_use_a_link_at_the_same_moment_one_does(
    database: Database, keys: Keyring, authority: Authority, ann: Principal
) -> None:
    invitation, refused = await invitation_for(ann, authority), list[HubError]()

    async def use(password: str) -> None:
        try:
            await accepted(invitation, database, keys, password)
        except NotFound as error:
            refused.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(use, PASSWORD)
        group.start_soon(use, OTHER)

    assert len(refused) == 1


async def test_a_link_that_is_old_replaced_or_unknown_sets_nothing(
    database: Database, keys: Keyring, authority: Authority, ann: Principal
) -> None:
    first = await invitation_for(ann, authority)
    second = await invitation_for(ann, authority)
    with pytest.raises(NotFound):
        await accepted(first, database, keys)
    async with database.transaction() as tx:
        assert (await invited(tx, second.token)).id == ann.id
        assert await open_until(tx, ann.id) == second.expires_at
        await tx.execute(update(InvitationRow).values(expires_at=await now(tx)))
        assert await open_until(tx, ann.id) is None

    for token in (second, Invitation(token="ivt_never", expires_at=second.expires_at)):
        with pytest.raises(NotFound):
            await accepted(token, database, keys)


async def test_a_link_is_kept_as_a_hash_for_three_days(
    database: Database, authority: Authority, ann: Principal
) -> None:
    invitation = await invitation_for(ann, authority)

    async with database.reading() as tx:
        row = (await tx.scalars(select(InvitationRow))).one()
        left = row.expires_at - await now(tx)
    assert invitation.token not in (row.hash, row.principal_id)
    assert invitation.token not in repr(invitation)
    assert timedelta(0) < left <= LIFETIME


async def test_a_password_that_will_not_do_uses_nothing_up(
    database: Database, keys: Keyring, authority: Authority, ann: Principal
) -> None:
    invitation = await invitation_for(ann, authority)
    with pytest.raises(InputError):
        await accepted(invitation, database, keys, "short")

    await accepted(invitation, database, keys)


async def test_a_new_link_forgets_the_password_and_ends_what_came_in_by_it(
    database: Database, keys: Keyring, authority: Authority, ann: Principal
) -> None:
    await accepted(await invitation_for(ann, authority), database, keys)
    session = await entered(database, keys)
    assert isinstance(session, LoggedIn)

    await invitation_for(ann, authority)

    async with database.reading() as tx:
        assert await session_of(tx, session.cookie) is None
    assert isinstance(await entered(database, keys), LoginRefused)


async def test_a_suspension_ends_a_link_for_good(
    database: Database, keys: Keyring, authority: Authority, ann: Principal
) -> None:
    invitation = await invitation_for(ann, authority)
    async with database.transaction() as tx:
        await suspend(tx, ann.id, "left", authority)
        with pytest.raises(Conflict):
            await invite(tx, ann.id, authority)
        await resume(tx, ann.id, authority)

    with pytest.raises(NotFound):
        await accepted(invitation, database, keys)


async def test_nobody_invites_themselves(database: Database, keys: Keyring, ann: Principal) -> None:
    own = Authority(database=database, keys=keys, by=ann.id)

    with pytest.raises(InputError, match="with the old one"):
        await invitation_for(ann, own)


async def test_who_made_a_link_and_from_where_it_was_used_is_on_record(
    database: Database, keys: Keyring, authority: Authority, ann: Principal
) -> None:
    await accepted(await invitation_for(ann, authority), database, keys)

    async with database.reading() as tx:
        events = await audit.events_of(tx, ann.id)
    made, used = (one for one in events if one.facts.get("changed") in {"invitation", "password"})
    assert (made.actor, made.facts["changed"]) == (ALMA, "invitation")
    assert (used.actor, used.facts["invited_by"]) == (None, ALMA)
