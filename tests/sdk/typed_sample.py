"""A connector as an author writes it; the type checkers must infer what it asserts and refuse what it marks."""

from typing import assert_type

from pydantic import BaseModel

from connectors.sdk import Connector, Context, Effect, Preview, Read, Receipt, SafeRule, Tier, Write


class Deal(BaseModel):
    """A deal."""

    id: int
    title: str


crm = Connector("crm", version="1.0.0", description="Deals.", safe=[SafeRule(method="GET")])


@crm.read("deal_get")
async def deal_get(context: Context, number: int) -> Deal:
    """Read one deal."""
    deal = await context.get(f"/deals/{number}", Deal)
    assert_type(deal, Deal)
    assert_type(await context.rpc("deal.list", number, returns=list[Deal]), list[Deal])
    return deal


@crm.write("deal_rename", effect=Effect.UPDATE, tier=Tier.HIGH)
async def deal_rename(context: Context, number: int, title: str = "") -> Deal:
    """Rename a deal."""
    assert_type(context.guard["deals/7"], str)
    return await context.patch(f"/deals/{number}", {"title": title}, Deal)


@deal_rename.preview
async def _(context: Context, number: int) -> Preview:
    assert_type(await deal_get(context, number), Deal)
    return Preview.update(f"deals/{number}", await deal_get(context, number=number), context.given("title"))


@deal_rename.observe
async def _(context: Context, receipt: Receipt[Deal]) -> dict[str, Deal]:
    assert_type(receipt.output, Deal)
    return {"deals": await deal_get(context, receipt.output.id)}


async def misuse(context: Context) -> None:
    """Use the operations wrongly: each marked line must be an error, or the mark itself is one."""
    await deal_get(context, "seven")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await deal_get(context, 7, title="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
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
    del read, write
