"""A connector that speaks GraphQL with `upstream.dealing`."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from connectors.sdk import (
    Compensation,
    Conflict,
    Connector,
    ConnectorError,
    Context,
    Effect,
    GraphQL,
    NotFound,
    Preview,
    Receipt,
    Refused,
    Reversal,
    SafeRule,
    Tier,
    UpstreamClass,
)

Json = Any

DealId = Annotated[int, Field(ge=1, le=2**31)]
Title = Annotated[str, Field(min_length=1, max_length=80)]
_DEAL = "fragment deal on Deal { id title amount version }"


class Deal(BaseModel):
    """One deal."""

    id: DealId
    title: Title
    amount: int
    version: int


class Found(BaseModel):
    """What a query answers."""

    deal: Deal


class Updated(BaseModel):
    """What the change of a deal answers."""

    deal: Deal = Field(validation_alias="dealUpdate")


def error_of(errors: Json) -> ConnectorError:
    """Return what the first error means."""
    first = errors[0]
    kinds: dict[int, type[ConnectorError]] = {404: NotFound, 409: Conflict}
    return kinds.get(first.get("extensions", {}).get("code"), Refused)(f"The system says: {first['message']}")


connector = Connector(
    "graphql_deals",
    version="1.0.0",
    description="Deals, by GraphQL.",
    safe=[
        SafeRule(method="POST", path="/graphql", operation="query/deal"),
        SafeRule(method="GET", path="/graphql", operation="query/deal"),
        SafeRule(method="POST", path="/graphql", operation="mutation/dealTry", preview_only=True),
    ],
    rpc=GraphQL(error=error_of),
)


@connector.read("deal_get", examples=[{"id": 1}])
async def deal_get(context: Context, id: DealId) -> Deal:  # noqa: A002  # the argument's name is the tool's contract
    """Read one deal."""
    asked = "query ($id: Int!) { deal(id: $id) { ...deal } }" + _DEAL
    return (await context.graphql(asked, {"id": id}, returns=Found)).deal


@connector.write(
    "deal_rename",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=Compensation(
        tool="deal_rename", arguments={"id": "/input/id", "title": "/before/0/title"}, kind=Reversal.EXACT
    ),
    volatile=["version"],
    examples=[{"id": 1, "title": "Pens"}],
)
async def deal_rename(context: Context, id: DealId, title: Title) -> Deal:  # noqa: A002  # see deal_get
    """Give a deal another title."""
    update = "dealUpdate(id: $id, title: $title, ifVersion: $version) { ...deal }"
    asked = f"mutation ($id: Int!, $title: String!, $version: Int!) {{ {update} }}"
    variables = {"id": id, "title": title, "version": int(context.guard[f"deals/{id}"])}
    return (await context.graphql(asked + _DEAL, variables, returns=Updated)).deal


@deal_rename.preview
async def _(context: Context, id: DealId, title: Title) -> Preview:  # noqa: A002  # see deal_get
    before = await deal_get(context, id)
    return Preview.update(f"deals/{id}", before, {"title": title}, guard=str(before.version), unknown=["version"])


@deal_rename.observe
async def _(context: Context, receipt: Receipt[Deal]) -> dict[str, Deal]:
    return {f"deals/{receipt.output.id}": await deal_get(context, receipt.output.id)}


@connector.write("writes_in_its_preview", effect=Effect.DELETE, tier=Tier.HIGH, examples=[{"id": 1}])
async def writes_in_its_preview(context: Context, id: DealId) -> Deal:  # noqa: A002  # see deal_get
    """Delete a deal, and do so in the preview."""
    return await deal_get(context, id)


@writes_in_its_preview.preview
async def _(context: Context, id: DealId) -> Preview:  # noqa: A002  # see deal_get
    before = await deal_get(context, id)
    await context.graphql("mutation { deal: dealDelete(id: 1) }", {}, returns=dict[str, Json])
    return Preview.delete(f"deals/{id}", before, guard=str(before.version))
