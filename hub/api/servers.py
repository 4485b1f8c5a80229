"""Servers: bundles of tools, each at one MCP address, and single tools put on them and taken off."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from hub import registry
from hub.api.access import CatalogReader, Person, RuntimeParameter
from hub.api.bodies import Body
from hub.identity.resources import EVERYTHING, resource_of
from hub.invocations.runtime import Runtime
from hub.registry import Environment, Listing, NewServer, Offer, Server

router = APIRouter(prefix="/servers", tags=["servers"])

ServerName = Annotated[str, Path(json_schema_extra={"pattern": "^[a-z][a-z0-9-]{0,47}$"})]


class ServerView(BaseModel):
    """A published server."""

    name: str = Field(examples=["sales"])
    environment: Environment
    title: str
    description: str
    listing: Listing
    owner_id: str | None
    owner_group: str | None = Field(description="Whose people look after it, too.")
    mcp_url: str = Field(description="Its MCP address, which is its OAuth resource too.")


class ServerList(BaseModel):
    """The servers that exist for the caller, in the order of the names."""

    items: list[ServerView]


class NewServerBody(Body):
    """A server to make."""

    name: str = Field(max_length=48, examples=["sales"])
    environment: Environment = Environment.DEV
    title: str = Field(min_length=1, max_length=120, examples=["Sales"])
    owner_id: str | None = Field(default=None, max_length=40)


class OfferBody(Body):
    """A tool to publish, and the connection it is carried out against."""

    tool_id: str = Field(max_length=40)
    connection_id: str = Field(max_length=40)
    as_name: str = Field(default="", max_length=48, description="Its name there; its own when left out.")
    needs_tasks: bool = Field(default=False, description="Whether it is for MCP clients alone that know tasks.")


class Published(BaseModel):
    """Where the tool stands now."""

    server: str
    name: str


@router.get("", operation_id="listServers", summary="List servers")
async def list_servers(runtime: RuntimeParameter, acting: CatalogReader) -> ServerList:
    """Return the servers that exist for the caller."""
    return ServerList(items=[view(one, runtime) for one in await runtime.catalog.servers(caller=acting.caller)])


@router.post("", operation_id="createServer", summary="Create a server", status_code=201)
async def create_server(runtime: RuntimeParameter, acting: Person, wanted: NewServerBody) -> ServerView:
    """Make an empty server; for administrators."""
    new = NewServer(name=wanted.name, environment=wanted.environment, title=wanted.title, owner_id=wanted.owner_id)
    async with runtime.database.transaction() as tx:
        return view(await registry.create_server(tx, new, acting.authority(runtime)), runtime)


@router.post("/{server}/tools", operation_id="publishTool", summary="Publish a tool", status_code=201)
async def publish(runtime: RuntimeParameter, acting: Person, server: ServerName, wanted: OfferBody) -> Published:
    """Publish a tool on a server; for the server's owner or an administrator."""
    offer = Offer(
        server=server,
        tool_id=wanted.tool_id,
        connection_id=wanted.connection_id,
        as_name=wanted.as_name,
        needs_tasks=wanted.needs_tasks,
    )
    async with runtime.database.transaction() as tx:
        return Published(server=server, name=await registry.publish(tx, offer, acting.authority(runtime)))


@router.delete("/{server}/tools/{name}", operation_id="unpublishTool", summary="Take a tool off", status_code=204)
async def unpublish(
    runtime: RuntimeParameter,
    acting: Person,
    server: ServerName,
    name: Annotated[str, Path(json_schema_extra={"pattern": "^[a-z][a-z0-9_]{0,47}$"})],
) -> None:
    """Take a tool off a server; for the server's owner or an administrator."""
    async with runtime.database.transaction() as tx:
        await registry.unpublish(tx, server, name, acting.authority(runtime))


def view(server: Server, runtime: Runtime) -> ServerView:
    """Return a server as the API shows it."""
    is_default = server.name == f"{EVERYTHING}-{runtime.environment}"
    return ServerView(
        name=EVERYTHING if is_default else server.name,
        environment=server.environment,
        title=server.title,
        description=server.description,
        listing=server.listing,
        owner_id=server.owner_id,
        owner_group=server.owner_group,
        mcp_url=resource_of(EVERYTHING if is_default else server.name, runtime.public_url),
    )
