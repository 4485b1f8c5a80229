"""The contract kit finds connectors that do not keep what they declare."""

from collections.abc import AsyncIterator

import pytest
from pydantic import BaseModel
from upstream.connector import Item, item_get
from upstream.fixtures import Upstream

from connectors.sdk import (
    Compensation,
    Connector,
    Context,
    Effect,
    Preview,
    Receipt,
    Reversal,
    SafeRule,
    Tier,
    UpstreamClass,
)
from connectors.sdk.kit import Verdict, check_write
from connectors.sdk.workbench import Workbench

pytestmark = pytest.mark.anyio

liar = Connector("liar", version="1.0.0", description="Promises too much.", safe=[SafeRule(method="GET")])
NO_UNDO = Compensation(tool="unguarded", arguments={"quantity": "/output/quantity"}, kind=Reversal.EXACT)


class Text(BaseModel):
    """What was posted."""

    text: str


@liar.write("writes_early", effect=Effect.SEND, tier=Tier.HIGH)
async def writes_early(context: Context, text: str) -> Text:
    """Post a note."""
    return await context.post("/notes", {"text": text}, Text)


@writes_early.preview
async def _(context: Context, text: str) -> Preview:
    await context.post("/notes", {"text": text}, Text)
    return Preview.send("notes", {"text": text})


@liar.write(
    "unguarded",
    effect=Effect.UPDATE,
    tier=Tier.MEDIUM,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    compensation=NO_UNDO,
)
async def unguarded(context: Context, quantity: int) -> Item:
    """Set a quantity, whatever the version: looking at the guard is not using it."""
    assert context.guard
    now = await item_get(context, 1)
    return await context.patch("/items/1", {"quantity": quantity}, Item, if_match=f'"{now.version}"')


@unguarded.preview
async def _(context: Context, quantity: int) -> Preview:
    before = await item_get(context, 1)
    return Preview.update("items/1", before, {"quantity": quantity + 1}, guard=before.version, unknown=["version"])


@unguarded.observe
async def _(context: Context, receipt: Receipt[Item]) -> dict[str, Item]:
    return {"items/1": await item_get(context, receipt.output.id)}


@liar.write("keyless", effect=Effect.SEND, tier=Tier.HIGH, upstream_class=UpstreamClass.A)
async def keyless(context: Context, text: str) -> Text:
    """Post a note, without the key that class A rests on."""
    return await context.post("/notes", {"text": text}, Text)


@pytest.fixture
async def lying(upstream: Upstream) -> AsyncIterator[Workbench]:
    headers = {"authorization": f"Bearer {upstream.token}"}
    async with Workbench(liar, upstream.base_url, headers=headers) as bench:
        yield bench


async def test_an_honest_write_passes_every_check_it_declares(bench: Workbench) -> None:
    checks = await check_write(bench, "item_update", id=1, quantity=3)
    checks += await check_write(bench, "ticket_create", title="Broken")

    assert {check.verdict for check in checks} == {Verdict.PASSED, Verdict.NOT_DECLARED}


async def test_a_preview_that_writes_ends_the_checks(lying: Workbench, upstream: Upstream) -> None:
    (check,) = await check_write(lying, "writes_early", text="hello")

    assert check.verdict is Verdict.FAILED
    assert check.detail == "fenced: A preview may not send POST /notes."
    assert upstream.store.effects() == []


async def test_a_wrong_prediction_an_unused_guard_and_an_empty_undo_are_found(lying: Workbench) -> None:
    checks = await check_write(lying, "unguarded", quantity=3)

    failed = {check.rule: check.detail for check in checks if check.verdict is Verdict.FAILED}
    assert list(failed) == [
        "what was predicted is what came",
        "a stale guard is refused",
        "the compensation restores what was there",
    ]


async def test_a_key_that_is_not_used_is_not_sent_at_all(lying: Workbench, upstream: Upstream) -> None:
    checks = await check_write(lying, "keyless", text="hello")

    assert checks[-1].verdict is Verdict.FAILED
    assert "sends nothing of context.key" in checks[-1].detail
    assert upstream.store.effects() == []
