"""Groups: whom a rule can ask."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from hub.api.access import AccountManager, RuntimeParameter
from hub.api.bodies import Body
from hub.identity import accounts

router = APIRouter(prefix="/groups", tags=["groups"])


class GroupView(BaseModel):
    """A group of people."""

    name: str = Field(examples=["approvers"])
    title: str = Field(examples=["Approvers"])


class GroupList(BaseModel):
    """Every group; there are few."""

    items: list[GroupView]


class GroupTitle(Body):
    """What people call the group."""

    title: str = Field(min_length=1, max_length=120, examples=["Finance approvers"])


@router.get("", operation_id="listGroups", summary="List groups")
async def list_groups(runtime: RuntimeParameter, _acting: AccountManager) -> GroupList:
    """Return every group, in the order of the names."""
    async with runtime.database.reading() as tx:
        found = await accounts.groups(tx)
    return GroupList(items=[GroupView(name=name, title=title) for name, title in found.items()])


@router.put("/{name}", operation_id="createGroup", summary="Create a group")
async def create_group(
    runtime: RuntimeParameter, acting: AccountManager, name: Annotated[str, Path(max_length=64)], wanted: GroupTitle
) -> GroupView:
    """Make a group; one that exists stays as it is."""
    async with runtime.database.transaction() as tx:
        await accounts.create_group(tx, name, wanted.title, acting.authority(runtime))
        return GroupView(name=name, title=(await accounts.groups(tx))[name])
