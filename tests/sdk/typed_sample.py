"""A connector as an author writes it; the type checkers must infer what it asserts and refuse what it marks."""

from typing import assert_type

from pydantic import BaseModel

from connectors.sdk import (
    ClientCredentials,
    Connector,
    Context,
    Cost,
    Effect,
    Guard,
    Idempotency,
    Listed,
    Preview,
    RateLimit,
    Read,
    Receipt,
    Refused,
    Removed,
    Resource,
    SafeRule,
    Tier,
    Write,
)


class Deal(BaseModel):
    """A deal."""

    id: int
    title: str


crm = Connector(
    "crm",
    version="1.0.0",
    description="Deals.",
    auth=ClientCredentials(token_url="{base_url}/oauth/token", scope="deals"),
    rate=RateLimit(10, per="second"),
    safe=[SafeRule(method="GET")],
)


@crm.read("deal_get")
async def deal_get(context: Context, number: int) -> Deal:
    """Read one deal."""
    deal = await context.get(f"/deals/{number}", Deal)
    assert_type(deal, Deal)
    assert_type(await context.rpc("deal.list", number, returns=list[Deal]), list[Deal])
    return deal


@crm.write(
    "deal_rename",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    tier_when={Tier.HIGH: "input.title == 'won'"},
    idempotency=Idempotency(kind="natural"),
    cost=Cost(amount=5, unit="EUR"),
)
async def deal_rename(context: Context, number: int, title: str = "") -> Deal:
    """Rename a deal."""
    assert_type(context.guard["deals/7"], str)
    return await context.patch(f"/deals/{number}", {"title": title}, Deal)


@deal_rename.check
async def _(context: Context, number: int) -> None:
    if (await deal_get(context, number)).title == "won":
        raise Refused("A deal that is won keeps its name.")


@deal_rename.preview
async def _(context: Context, number: int) -> Preview:
    assert_type(await deal_get(context, number), Deal)
    return Preview.update(f"deals/{number}", await deal_get(context, number=number), context.given("title"))


@deal_rename.observe
async def _(context: Context, receipt: Receipt[Deal]) -> dict[str, Deal]:
    assert_type(receipt.output, Deal)
    return {"deals": await deal_get(context, receipt.output.id)}


deals = crm.resource("sale", Deal, path="/sales", key="id", guard=Guard(), writable={"title"})


@deals.update.check
async def _(context: Context, id: int) -> None:  # noqa: A002  # an argument's name
    assert_type(await deals.get(context, id), Deal)
    assert_type(await deals.find(context), Listed[Deal])
    assert_type(await deals.delete(context, id=id), Removed)


async def misuse(context: Context) -> None:
    """Use the operations wrongly: each marked line must be an error, or the mark itself is one."""
    await deal_get(context, "seven")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await deal_get(context, 7, title="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    (await deals.get(context, 7)).price  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # noqa: B018
    await deals.get(context)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    crm.resource("sale", Deal, key="id")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    crm.resource("sale", Deal, path="/", key="id", verbs={"remove"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    RateLimit("10")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ClientCredentials(scope="deals")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Idempotency(kind="hope")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    renamed = await deal_rename(context, 7)
    print(renamed.amount)  # type: ignore[attr-defined]  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue, reportUnknownArgumentType]  # noqa: T201


@crm.write("deal_close", effect=Effect.UPDATE)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue, reportUntypedFunctionDecorator]
async def deal_close(context: Context, number: int) -> Deal:
    """Close a deal, of no tier."""
    return await deal_get(context, number)


def inferred() -> None:
    """State what the decorators make of the functions."""
    read: Read[..., Deal] = deal_get
    write: Write[..., Deal] = deal_rename
    resource: Resource[Deal] = deals
    del read, write, resource
