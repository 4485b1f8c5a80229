"""Accounts, groups, roles and suspension."""

import pytest

from hub.core.errors import Conflict, InputError
from hub.identity.accounts import NewUser, create_user, groups, resume, set_groups, set_roles, suspend
from hub.identity.authority import Authority
from hub.identity.directory import find, get, members, page
from hub.identity.enrolment import check_name, enrol
from hub.identity.principals import PrincipalKind, Role
from hub.identity.sessions import open_session, session_of
from hub.keys import Keyring
from hub.storage import Database

PASSWORD = "correct horse battery"


@pytest.fixture
def authority(database: Database, keys: Keyring) -> Authority:
    return Authority(database=database, keys=keys)


def person(name: str, *roles: Role, groups: frozenset[str] = frozenset()) -> NewUser:
    return NewUser(
        name=name,
        display_name=name.title(),
        password=PASSWORD,
        roles=frozenset(roles) or frozenset({Role.MEMBER}),
        groups=groups,
    )


@pytest.mark.anyio
async def test_a_new_user_is_found_by_id_and_by_name_in_any_case(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        ada = await create_user(tx, person("ada", groups=frozenset({"approvers"})), authority)

    async with database.reading() as tx:
        assert await get(tx, ada.id) == ada == await find(tx, "ADA")
    assert ada.kind is PrincipalKind.USER
    assert ada.groups == {"approvers"}
    assert ada.roles == {Role.MEMBER}


@pytest.mark.parametrize("name", ["", "Ada", "a b", "-ada", "\u0430da", "a" * 65, "ada\n"])
def test_a_name_that_could_be_mistaken_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        check_name(name)


@pytest.mark.anyio
async def test_a_name_is_taken_once_whatever_kind_has_it(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        await create_user(tx, person("ada"), authority)

    with pytest.raises(Conflict, match="taken"):
        async with database.transaction() as tx:
            await create_user(tx, person("ada"), authority)


@pytest.mark.anyio
async def test_a_password_that_is_too_short_or_too_long_is_refused(database: Database, authority: Authority) -> None:
    for password in ("short", "x" * 257, ""):
        with pytest.raises(InputError, match="12 to 256"):
            async with database.transaction() as tx:
                await create_user(tx, NewUser(name="ada", display_name="Ada", password=password), authority)


@pytest.mark.anyio
async def test_the_groups_of_the_default_policy_exist_from_the_start(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        ada = await create_user(tx, person("ada"), authority)
        await set_groups(tx, ada.id, frozenset({"controllers"}), authority)

    async with database.reading() as tx:
        assert await groups(tx) == {"approvers": "Approvers", "controllers": "Controllers"}
        assert [member.name for member in await members(tx, "controllers")] == ["ada"]


@pytest.mark.anyio
async def test_nobody_joins_a_group_that_does_not_exist(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        ada = await create_user(tx, person("ada"), authority)

    with pytest.raises(InputError, match="no group night-owls"):
        async with database.transaction() as tx:
            await set_groups(tx, ada.id, frozenset({"night-owls"}), authority)


@pytest.mark.anyio
async def test_suspension_ends_sessions_and_roles_until_it_is_lifted(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        ada = await create_user(tx, person("ada", Role.AUDITOR, groups=frozenset({"approvers"})), authority)
        cookie = await open_session(tx, ada.id)

    async with database.transaction() as tx:
        suspended = await suspend(tx, ada.id, "left the company", authority)

    async with database.reading() as tx:
        assert await session_of(tx, cookie) is None
        assert await members(tx, "approvers") == []
    assert suspended.is_suspended
    assert not suspended.has_role(Role.AUDITOR)
    async with database.transaction() as tx:
        assert (await resume(tx, ada.id, authority)).has_role(Role.AUDITOR)
        assert await session_of(tx, cookie) is None


@pytest.mark.anyio
async def test_the_last_administrator_can_neither_be_suspended_nor_demoted(
    database: Database, authority: Authority
) -> None:
    async with database.transaction() as tx:
        ada = await create_user(tx, person("ada", Role.ADMINISTRATOR), authority)
        await enrol(tx, kind=PrincipalKind.USER, name="bob", display_name="Bob")

    with pytest.raises(Conflict, match="last administrator"):
        async with database.transaction() as tx:
            await suspend(tx, ada.id, "oops", authority)
    with pytest.raises(Conflict, match="last administrator"):
        async with database.transaction() as tx:
            await set_roles(tx, ada.id, frozenset({Role.MEMBER}), authority)


@pytest.mark.anyio
async def test_principals_are_paged_by_name(database: Database) -> None:
    async with database.transaction() as tx:
        for name in ("cleo", "ada", "bob"):
            await enrol(tx, kind=PrincipalKind.USER, name=name, display_name=name.title())

    async with database.reading() as tx:
        first = await page(tx, kind=PrincipalKind.USER, limit=2)
        rest = await page(tx, kind=PrincipalKind.USER, after=first[-1].name, limit=2)
    assert [user.name for user in first + rest] == ["ada", "bob", "cleo"]
