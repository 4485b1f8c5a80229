"""A connector that speaks XML-RPC with `upstream.dealing`."""

from typing import Annotated

from pydantic import BaseModel, Field

from connectors.sdk import (
    Compensation,
    Conflict,
    Connector,
    ConnectorError,
    Context,
    Effect,
    Fault,
    NotFound,
    Preview,
    Receipt,
    Refused,
    Reversal,
    SafeRule,
    Tier,
    UpstreamClass,
    XmlRpc,
)

DealId = Annotated[int, Field(ge=1, le=2**31)]
Title = Annotated[str, Field(min_length=1, max_length=80, json_schema_extra={"x-data-class": "personal"})]


class Deal(BaseModel):
    """One deal."""

    id: DealId
    title: Title
    amount: int
    version: int


def error_of(fault: Fault) -> ConnectorError:
    """Return what a fault means."""
    kinds: dict[int, type[ConnectorError]] = {404: NotFound, 409: Conflict}
    return kinds.get(fault.code, Refused)(f"The system says: {fault.text}")


connector = Connector(
    "xml_rpc_deals",
    version="1.0.0",
    description="Deals, by XML-RPC.",
    safe=[SafeRule(method="POST", path="/rpc", operation="deal.read")],
    rpc=XmlRpc(path="/rpc", error=error_of),
)


@connector.read("deal_get", data_classes=["personal"], examples=[{"id": 1}])
async def deal_get(context: Context, id: DealId) -> Deal:  # noqa: A002  # the argument's name is the tool's contract
    """Read one deal."""
    return await context.rpc("deal.read", id, returns=Deal)


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
    data_classes=["personal"],
    examples=[{"id": 1, "title": "Pens"}],
)
async def deal_rename(context: Context, id: DealId, title: Title) -> Deal:  # noqa: A002  # see deal_get
    """Give a deal another title."""
    return await context.rpc("deal.update", id, title, int(context.guard[f"deals/{id}"]), returns=Deal)


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
    await context.rpc("deal.delete", id, returns=bool)
    return Preview.delete(f"deals/{id}", before, guard=str(before.version))
