"""Tools: what can be called on a server, and what their stewards do to them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from connectors.sdk.rules import Rule
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier, UpstreamClass
from hub import registry
from hub.api.access import CatalogReader, Person, RuntimeParameter
from hub.api.badges import BadgeView, badge_view
from hub.api.bodies import Body, Id, Why
from hub.api.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, seal, unseal
from hub.registry import EVERYTHING, PublishedTool, Tool
from hub.registry.keeping import MOST_RULES

router = APIRouter(prefix="/tools", tags=["tools"])

ServerParameter = Annotated[str, Query(max_length=64, description="The server on which the tool is published.")]
ToolName = Annotated[str, Path(json_schema_extra={"pattern": "^[a-z][a-z0-9_]{0,47}$"})]


class ToolSummary(BaseModel):
    """A tool in a list."""

    name: str = Field(examples=["party_read"])
    title: str
    description: str
    server: str
    environment: str
    connector: str
    connection: str
    effect: Effect
    tier: Tier
    tool_id: str


class ToolView(ToolSummary):
    """A tool as one server offers it."""

    version_id: str
    version_number: int
    digest: str = Field(description="SHA-256 over schemas, texts, effects and connector; another one, another version.")
    owner_id: str | None
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    needed_scopes: list[str]
    reversal: Reversal
    fidelity: Fidelity
    upstream_class: UpstreamClass
    examples: list[dict[str, Any]]
    badge: BadgeView | None = Field(
        default=None,
        description="What the contract kit found of exactly this tool; null if it was not checked.",
    )


class StewardView(BaseModel):
    """A tool as its owner and the hub have set it, whatever its version and wherever it is published."""

    id: str
    name: str
    connector: str
    owner_id: str | None
    owner_tier: Tier | None
    raised_tier: Tier | None
    raised_reason: str | None
    quarantined: str | None
    is_trusted: bool
    rules: list[Rule]


class Rules(Body):
    """The business rules of a tool, in CEL; an empty list takes them back."""

    rules: list[Rule] = Field(max_length=MOST_RULES)


class Trust(Body):
    """Whether the owner vouches for what a tool brings back."""

    is_trusted: bool


class OwnerTier(Body):
    """The tier that the owner gives a tool; null takes it back."""

    tier: Tier | None


class Listing(BaseModel):
    """What a list of tools is asked for."""

    server: str = Field(default=EVERYTHING, max_length=64, description="The server on which they are published.")
    query: str = Field(default="", max_length=200, description="Words to search for.")
    cursor: str | None = Field(default=None, max_length=2000, description="`next_cursor` of the page before.")
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)


@router.get("", operation_id="listTools", summary="List or search tools")
async def list_tools(
    runtime: RuntimeParameter,
    acting: CatalogReader,
    listing: Annotated[Listing, Query()],
) -> Page[ToolSummary]:
    """Return what the caller may use on a server, by name; with `query`, what fits its words, the best first."""
    if listing.query:
        found = await runtime.catalog.search(
            listing.query, caller=acting.caller, server=listing.server, limit=listing.limit
        )
        return Page(items=[_summary(one) for one in found])
    place = f"tools:{listing.server}"
    after = unseal(runtime, acting, place, listing.cursor)
    found = await runtime.catalog.page(
        server=listing.server, caller=acting.caller, after=after, limit=listing.limit + 1
    )
    shown = found[: listing.limit]
    more = seal(runtime, acting, place, shown[-1].name) if len(found) > listing.limit else None
    return Page(items=[_summary(one) for one in shown], next_cursor=more)


@router.get("/{name}", operation_id="getTool", summary="One tool")
async def get_tool(
    runtime: RuntimeParameter, acting: CatalogReader, name: ToolName, server: ServerParameter = EVERYTHING
) -> ToolView:
    """Return a tool that the caller may use on a server."""
    return _view(await runtime.catalog.resolve(name, server=server, caller=acting.caller))


@router.put("/{tool_id}/quarantine", operation_id="quarantineTool", summary="Hold a tool back")
async def quarantine(runtime: RuntimeParameter, acting: Person, tool_id: Id, why: Why) -> StewardView:
    """Stop every call of a tool; for its owner, an administrator or an operator."""
    async with runtime.database.transaction() as tx:
        return _steward(await registry.quarantine(tx, tool_id, why.reason, acting.authority(runtime)))


@router.delete("/{tool_id}/quarantine", operation_id="releaseTool", summary="Let a tool be called again")
async def release(runtime: RuntimeParameter, acting: Person, tool_id: Id) -> StewardView:
    """Release a quarantined tool; for its owner or an administrator."""
    async with runtime.database.transaction() as tx:
        return _steward(await registry.release(tx, tool_id, acting.authority(runtime)))


@router.delete("/{tool_id}/raised-tier", operation_id="settleToolTier", summary="Take back a raised tier")
async def settle_tier(runtime: RuntimeParameter, acting: Person, tool_id: Id) -> StewardView:
    """Take back the tier that the hub raised after a divergence; for the tool's owner, who has looked into it."""
    async with runtime.database.transaction() as tx:
        return _steward(await registry.settle_tier(tx, tool_id, acting.authority(runtime)))


@router.put("/{tool_id}/tier", operation_id="setToolTier", summary="Set the owner's tier")
async def set_tier(runtime: RuntimeParameter, acting: Person, tool_id: Id, wanted: OwnerTier) -> StewardView:
    """Raise a tool's tier; the one that applies is never below what the connector declares."""
    async with runtime.database.transaction() as tx:
        return _steward(await registry.set_owner_tier(tx, tool_id, wanted.tier, acting.authority(runtime)))


@router.put("/{tool_id}/rules", operation_id="setToolRules", summary="Set the owner's business rules")
async def set_rules(runtime: RuntimeParameter, acting: Person, tool_id: Id, wanted: Rules) -> StewardView:
    """Replace the rules that each call must keep, asked before its preview, on the preview, and before it is sent."""
    async with runtime.database.transaction() as tx:
        return _steward(await registry.set_rules(tx, tool_id, wanted.rules, acting.authority(runtime)))


@router.put("/{tool_id}/trust", operation_id="setToolTrust", summary="Vouch for a tool's results")
async def set_trust(runtime: RuntimeParameter, acting: Person, tool_id: Id, wanted: Trust) -> StewardView:
    """Say whether no stranger can have written what the tool brings back. Until somebody does, it is not trusted."""
    async with runtime.database.transaction() as tx:
        return _steward(await registry.set_trust(tx, tool_id, acting.authority(runtime), is_trusted=wanted.is_trusted))


def _summary(tool: PublishedTool) -> ToolSummary:
    return ToolSummary(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        server=tool.server,
        environment=tool.environment.value,
        connector=tool.connector.name,
        connection=tool.connection.name,
        effect=tool.effect,
        tier=tool.tier,
        tool_id=tool.tool.id,
    )


def _view(tool: PublishedTool) -> ToolView:
    operation = tool.operation
    return ToolView(
        **_summary(tool).model_dump(),
        version_id=tool.version.id,
        version_number=tool.version.number,
        digest=tool.version.digest,
        owner_id=tool.tool.owner_id,
        input_schema=dict(tool.input_schema),
        output_schema=dict(tool.output_schema),
        needed_scopes=list(tool.needed_scopes()),
        reversal=operation.reversal,
        fidelity=operation.fidelity,
        upstream_class=operation.upstream_class,
        examples=[dict(one) for one in operation.examples],
        badge=_badge(tool),
    )


def _badge(tool: PublishedTool) -> BadgeView | None:
    if tool.badge is None or not tool.is_checked:
        return None
    return badge_view(tool.badge, tool.badge.of(tool.operation.name))


def _steward(tool: Tool) -> StewardView:
    return StewardView(
        id=tool.id,
        name=tool.name,
        connector=tool.connector,
        owner_id=tool.owner_id,
        owner_tier=tool.owner_tier,
        raised_tier=tool.raised_tier,
        raised_reason=tool.raised_reason,
        quarantined=tool.quarantined,
        is_trusted=tool.is_trusted,
        rules=list(tool.rules),
    )
