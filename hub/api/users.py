"""Users: people with local accounts, their groups and roles."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hub.api.access import AccountManager, RuntimeParameter
from hub.api.bodies import Body, Id, Why
from hub.api.paging import DEFAULT_LIMIT, CursorParameter, LimitParameter, Page, seal, unseal
from hub.core.errors import NotFound
from hub.identity import accounts, directory
from hub.identity.invitations import Invitation, invite
from hub.identity.passkeys import remove_all
from hub.identity.principals import Principal, PrincipalKind, Role
from hub.invocations.runtime import Runtime
from hub.storage import Tx

router = APIRouter(prefix="/users", tags=["users"])

PLACE = "users"


class UserView(BaseModel):
    """A person's account."""

    id: str = Field(examples=["usr_06dvh3x5m8qk2v7c1n4pz9tbwr"])
    name: str = Field(examples=["ada"])
    display_name: str = Field(examples=["Ada Lovelace"])
    roles: list[Role]
    groups: list[str]
    email: str | None
    is_suspended: bool


class InvitationView(BaseModel):
    """A link by which a person sets a password; it is told this once, works once, and signs nobody in."""

    link: str = Field(examples=["https://hub.example.org/invitation/ivt_..."])
    expires_at: datetime


class InvitedUserView(UserView):
    """A new account, and the link to hand to its person."""

    invitation: InvitationView


class NewUserBody(Body):
    """A person to make an account for."""

    name: str = Field(max_length=64, examples=["ada"])
    display_name: str = Field(max_length=120, examples=["Ada Lovelace"])
    roles: frozenset[Role] = frozenset({Role.MEMBER})
    groups: frozenset[str] = frozenset()


class Groups(Body):
    """The groups that somebody is in, all of them."""

    groups: frozenset[str] = Field(examples=[["approvers"]])


class Roles(Body):
    """The roles that somebody holds, all of them."""

    roles: frozenset[Role]


class Email(Body):
    """Where somebody hears that something waits."""

    email: str = Field(max_length=254, examples=["ada@example.org"], description="Empty: nowhere.")


@router.get("", operation_id="listUsers", summary="List users")
async def list_users(
    runtime: RuntimeParameter,
    acting: AccountManager,
    cursor: CursorParameter = None,
    limit: LimitParameter = DEFAULT_LIMIT,
) -> Page[UserView]:
    """Return users in the order of their names."""
    after = unseal(runtime, acting, PLACE, cursor)
    async with runtime.database.reading() as tx:
        found = await directory.page(tx, kind=PrincipalKind.USER, after=after, limit=limit + 1)
    more = seal(runtime, acting, PLACE, found[limit - 1].name) if len(found) > limit else None
    return Page(items=[view(one) for one in found[:limit]], next_cursor=more)


@router.post("", operation_id="createUser", summary="Create a user", status_code=201)
async def create_user(runtime: RuntimeParameter, acting: AccountManager, wanted: NewUserBody) -> InvitedUserView:
    """Make an account, and the link by which its person sets a password that nobody else knows."""
    new = accounts.NewUser(name=wanted.name, display_name=wanted.display_name, roles=wanted.roles, groups=wanted.groups)
    authority = acting.authority(runtime)
    async with runtime.database.transaction() as tx:
        user = await accounts.create_user(tx, new, authority)
        invitation = _link(runtime, await invite(tx, user.id, authority))
    return InvitedUserView(**view(user).model_dump(), invitation=invitation)


@router.get("/{user_id}", operation_id="getUser", summary="One user")
async def get_user(runtime: RuntimeParameter, _acting: AccountManager, user_id: Id) -> UserView:
    """Return one user."""
    async with runtime.database.reading() as tx:
        return view(await _user(tx, user_id))


@router.put("/{user_id}/groups", operation_id="setUserGroups", summary="Set a user's groups")
async def set_groups(runtime: RuntimeParameter, acting: AccountManager, user_id: Id, wanted: Groups) -> UserView:
    """Put a user into exactly these groups."""
    async with runtime.database.transaction() as tx:
        await _user(tx, user_id)
        return view(await accounts.set_groups(tx, user_id, wanted.groups, acting.authority(runtime)))


@router.put("/{user_id}/roles", operation_id="setUserRoles", summary="Set a user's roles")
async def set_roles(runtime: RuntimeParameter, acting: AccountManager, user_id: Id, wanted: Roles) -> UserView:
    """Give a user exactly these roles; the last administrator stays one."""
    async with runtime.database.transaction() as tx:
        await _user(tx, user_id)
        return view(await accounts.set_roles(tx, user_id, wanted.roles, acting.authority(runtime)))


@router.put("/{user_id}/email", operation_id="setUserEmail", summary="Set a user's e-mail address")
async def set_email(runtime: RuntimeParameter, acting: AccountManager, user_id: Id, wanted: Email) -> UserView:
    """Let a user hear by e-mail what waits for it."""
    async with runtime.database.transaction() as tx:
        return view(await accounts.set_email(tx, user_id, wanted.email, acting.authority(runtime)))


@router.post("/{user_id}/invitation", operation_id="inviteUser", summary="Invite a user anew", status_code=201)
async def invite_user(runtime: RuntimeParameter, acting: AccountManager, user_id: Id) -> InvitationView:
    """Forget a user's password, end its sessions, and make a link by which it sets another one."""
    async with runtime.database.transaction() as tx:
        await _user(tx, user_id)
        return _link(runtime, await invite(tx, user_id, acting.authority(runtime)))


@router.delete(
    "/{user_id}/passkeys", operation_id="removeUserPasskeys", summary="Remove a user's passkeys", status_code=204
)
async def remove_passkeys(runtime: RuntimeParameter, acting: AccountManager, user_id: Id) -> None:
    """Take away every passkey of somebody who has lost them, and end their sessions; one's own go by the pages."""
    async with runtime.database.transaction() as tx:
        await _user(tx, user_id)
        await remove_all(tx, user_id, acting.authority(runtime))


@router.put("/{user_id}/suspension", operation_id="suspendUser", summary="Suspend a user")
async def suspend(runtime: RuntimeParameter, acting: AccountManager, user_id: Id, why: Why) -> UserView:
    """Stop a user at once: sessions end, and tokens held for it are revoked."""
    async with runtime.database.transaction() as tx:
        await _user(tx, user_id)
        return view(await accounts.suspend(tx, user_id, why.reason, acting.authority(runtime)))


@router.delete("/{user_id}/suspension", operation_id="resumeUser", summary="Let a user act again")
async def resume(runtime: RuntimeParameter, acting: AccountManager, user_id: Id) -> UserView:
    """Let a suspended user log in again."""
    async with runtime.database.transaction() as tx:
        await _user(tx, user_id)
        return view(await accounts.resume(tx, user_id, acting.authority(runtime)))


def view(user: Principal) -> UserView:
    """Return a user as the API shows it."""
    return UserView(
        id=user.id,
        name=user.name,
        display_name=user.display_name,
        roles=sorted(user.roles),
        groups=sorted(user.groups),
        email=user.email,
        is_suspended=user.is_suspended,
    )


def _link(runtime: Runtime, invitation: Invitation) -> InvitationView:
    return InvitationView(link=invitation.link(runtime.public_url), expires_at=invitation.expires_at)


async def _user(tx: Tx, user_id: str) -> Principal:
    found = await directory.get(tx, user_id)
    if found.kind is not PrincipalKind.USER:
        raise NotFound(f"There is no user {user_id!r}.")
    return found
