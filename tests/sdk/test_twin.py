"""What a preview may do with a twin, and what it must say of it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from connectors.sdk import Connector, Context, Effect, Fidelity, Preview, SafeRule, Tier, UpstreamClass
from connectors.sdk.run import Failed, PhaseCall, PhaseResult, Previewed, run_phase
from connectors.sdk.vocabulary import Phase
from connectors.sdk.wire import WireRequest, WireResponse

pytestmark = pytest.mark.anyio

Json = Any
COPIED_AT = datetime(2026, 11, 20, 9, tzinfo=UTC)

shop = Connector("shop", version="1.0.0", description="A shop.", safe=[SafeRule(method="POST", path="/trial")])


class Thing(BaseModel):
    """A thing."""

    name: str


class Line:
    """A transport that answers everything, and keeps what was asked where."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bool]] = []

    async def send(self, request: WireRequest) -> WireResponse:
        """Keep the request and give the answer."""
        self.sent.append((request.path, request.on_twin))
        return WireResponse(status=200, headers={}, body='{"name": "tried"}')


@shop.write(
    "thing_rename",
    effect=Effect.UPDATE,
    tier=Tier.HIGH,
    upstream_class=UpstreamClass.D,
    fidelity=Fidelity.TWIN,
    examples=[{"name": "a"}],
)
async def thing_rename(context: Context, name: str) -> Thing:
    """Rename it."""
    if context.twin is not None:
        await context.twin.post("/rename", {"name": name}, Thing)
    return await context.post("/rename", {"name": name}, Thing)


@thing_rename.preview
async def _(context: Context, name: str) -> Preview:
    before = await context.get("/thing", Thing)
    if context.twin is None:
        return Preview.update("thing/1", before, {"name": name})
    after = await context.twin.post("/trial", {"name": name}, Thing)
    return Preview.update("thing/1", before, after, fidelity=Fidelity.TWIN, copied_at=COPIED_AT)


async def run(phase: Phase, *, has_twin: bool) -> tuple[PhaseResult, list[tuple[str, bool]]]:
    line = Line()
    call = PhaseCall(operation="thing_rename", phase=phase, arguments={"name": "a"}, has_twin=has_twin)
    return await run_phase(shop, call, line), line.sent


async def test_a_preview_reaches_the_twin_beside_the_system_itself() -> None:
    result, sent = await run(Phase.PREVIEW, has_twin=True)

    assert isinstance(result, Previewed), result
    assert (result.preview.fidelity, result.preview.copied_at) == (Fidelity.TWIN, COPIED_AT)
    assert sent == [("/thing", False), ("/trial", True)]


async def test_without_a_twin_a_preview_has_none() -> None:
    result, sent = await run(Phase.PREVIEW, has_twin=False)

    assert isinstance(result, Previewed), result
    assert (result.preview.fidelity, result.preview.copied_at) == (Fidelity.SIMULATED, None)
    assert sent == [("/thing", False)]


async def test_a_commit_has_no_twin_whatever_it_is_told() -> None:
    result, sent = await run(Phase.COMMIT, has_twin=True)

    assert not isinstance(result, Failed), result
    assert sent == [("/rename", False)]


def test_a_preview_from_a_twin_says_when_that_was_copied() -> None:
    with pytest.raises(ValidationError, match="copied_at"):
        Preview(changes=(), fidelity=Fidelity.TWIN)
