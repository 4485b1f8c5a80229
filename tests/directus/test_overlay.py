"""The overlay for Directus on the part of its document that is kept here, and what the broker makes of its answers."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "openapi"))

from openapi_recorder import Recorder, recording, run  # found only once that folder is on the path

from connectors.directus import compiled
from connectors.sdk.run import Done, Failed, PhaseResult, Previewed
from connectors.sdk.spec import SafeRule
from connectors.sdk.vocabulary import Effect, Fidelity, Phase, Tier, UpstreamClass
from connectors.sdk.wire import WireRequest
from sandbox.broker import Bounds, Channel, ChannelKind, Stopped
from sandbox.upstream import Upstream

pytestmark = pytest.mark.anyio

Json = Any
COMPILED = compiled()
SPEC = COMPILED.spec
SEEN = "2026-11-21T09:34:24.454Z"
DEAL = {"id": 7, "title": "Ten chairs", "stage": "new", "amount_minor": 50_000, "company": None, "date_updated": SEEN}
FORBIDDEN = {"errors": [{"message": "No permission for deal 7.", "extensions": {"code": "FORBIDDEN"}}]}


@pytest.fixture
async def recorder(anyio_backend: str) -> AsyncIterator[Recorder]:
    del anyio_backend
    async with recording() as recorder:
        yield recorder


def sent_lines(recorder: Recorder) -> list[str]:
    return [request.partition(b" HTTP/1.1")[0].decode() for request in recorder.requests]


async def previewed(recorder: Recorder) -> PhaseResult:
    return await run(COMPILED, recorder, Phase.PREVIEW, "update_deal", {"id": 7, "stage": "won"})


async def committed(recorder: Recorder) -> PhaseResult:
    arguments, guard = {"id": 7, "stage": "won"}, {"items/deals/7": SEEN}
    return await run(COMPILED, recorder, Phase.COMMIT, "update_deal", arguments, guard=guard)


def test_all_of_the_overlay_finds_its_place_and_every_tool_is_made() -> None:
    compilation = COMPILED

    assert compilation.refusals == ()
    assert not compilation.findings
    update = SPEC.operation("update_deal")
    assert (update.fidelity, update.upstream_class, update.tier) == (Fidelity.EXECUTED, UpstreamClass.B, Tier.MEDIUM)
    assert update.tier_when == {Tier.HIGH: "has(input.stage) && input.stage == 'won'"}
    assert SPEC.operation("create_deal").fidelity is Fidelity.SIMULATED
    assert {one.name for one in SPEC.operations if one.effect is Effect.DELETE} == {
        "delete_company",
        "delete_contact",
        "delete_deal",
    }


async def test_a_preview_opens_a_version_writes_looks_and_removes_it(recorder: Recorder) -> None:
    recorder.will_answer({"data": DEAL})
    recorder.will_answer({"data": {"id": "v-1"}})
    recorder.will_answer({"data": {}})
    recorder.will_answer({"data": {**DEAL, "stage": "won"}})
    recorder.will_answer(b"", status=204)

    result = await previewed(recorder)

    assert isinstance(result, Previewed), result
    assert result.preview.fidelity is Fidelity.EXECUTED
    assert result.preview.changes[0].after is not None
    assert result.preview.changes[0].after["stage"] == "won"
    assert result.preview.preconditions[0].token == SEEN
    lines = sent_lines(recorder)
    assert lines[:3] == ["GET /items/deals/7", "POST /versions", "POST /versions/v-1/save"]
    assert lines[3].startswith("GET /items/deals/7?version=hub-")
    assert lines[4] == "DELETE /versions/v-1"
    opened, saved = (json.loads(recorder.requests[at].partition(b"\r\n\r\n")[2]) for at in (1, 2))
    assert (opened["collection"], opened["item"], saved) == ("deals", "7", {"stage": "won"})


async def test_a_version_in_which_the_change_fails_is_removed_all_the_same(recorder: Recorder) -> None:
    recorder.will_answer({"data": DEAL})
    recorder.will_answer({"data": {"id": "v-1"}})
    recorder.will_answer({"data": {}})
    recorder.will_answer({"errors": [{"message": "Validation failed."}]}, status=400)
    recorder.will_answer(b"", status=204)

    result = await previewed(recorder)

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"
    assert sent_lines(recorder)[-1] == "DELETE /versions/v-1"


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/versions/v-2"), ("POST", "/versions/v-2/save"), ("DELETE", "/versions/v-1/x")]
)
async def test_a_preview_touches_no_version_but_its_own(method: str, path: str, recorder: Recorder) -> None:
    recorder.will_answer({"data": {"id": "v-1"}})
    way = Upstream(recorder.url, SPEC.auth, _token)
    channel = Channel(upstream=way, spec=SPEC, kind=ChannelKind.PREVIEW)
    try:
        await channel.send(WireRequest(method="POST", path="/versions", body="{}"))
        with pytest.raises(Stopped):
            await channel.send(WireRequest.model_validate({"method": method, "path": path}))
        await channel.send(WireRequest(method="DELETE", path="/versions/v-1"))
    finally:
        await way.close()

    assert sent_lines(recorder) == ["POST /versions", "DELETE /versions/v-1"]


async def test_a_version_that_was_not_opened_for_a_preview_cannot_be_removed_by_a_read(recorder: Recorder) -> None:
    way = Upstream(recorder.url, SPEC.auth, _token)
    channel = Channel(upstream=way, spec=SPEC, kind=ChannelKind.READ)
    for request in ({"method": "POST", "path": "/versions"}, {"method": "DELETE", "path": "/versions/v-1"}):
        with pytest.raises(Stopped):
            await channel.send(WireRequest.model_validate(request))
    await way.close()

    assert recorder.requests == []


async def test_a_change_goes_out_with_what_it_was_previewed_on_as_its_condition(recorder: Recorder) -> None:
    recorder.will_answer({"data": [{**DEAL, "stage": "won"}]})

    result = await committed(recorder)

    assert isinstance(result, Done), result
    assert recorder.line == "PATCH /items/deals"
    condition = {"id": {"_eq": 7}, "date_updated": {"_eq": SEEN}}
    assert json.loads(recorder.body) == {"query": {"filter": condition}, "data": {"stage": "won"}}


async def test_a_change_of_nothing_is_a_conflict_and_definite(recorder: Recorder) -> None:
    recorder.will_answer({"data": []})

    result = await committed(recorder)

    assert isinstance(result, Failed)
    assert result.code == "upstream_conflict"


@pytest.mark.parametrize(
    ("path", "answer", "is_no"),
    [
        ("/items/deals", {"data": []}, True),
        ("/items/deals", {"data": [DEAL]}, False),
        ("/items/deals", {"data": None}, False),
        ("/items/deals", {}, False),
        ("/items/deals", "no JSON", False),
        ("/items/orders", {"data": []}, False),
    ],
    ids=str,
)
async def test_only_the_empty_list_that_was_declared_says_no(
    path: str, answer: Json, recorder: Recorder, *, is_no: bool
) -> None:
    recorder.will_answer(answer.encode() if isinstance(answer, str) else answer)

    async def permit() -> None:
        """Let it pass."""

    way = Upstream(recorder.url, SPEC.auth, _token)
    channel = Channel(upstream=way, spec=SPEC, kind=ChannelKind.WRITE, permit=permit, bounds=Bounds(unsafe_requests=1))
    await channel.send(WireRequest(method="PATCH", path=path, body="{}"))
    await way.close()

    (left,) = channel.transcript.left
    assert left.answer is not None
    assert left.answer.says_no is is_no


@pytest.mark.parametrize(
    ("phase", "tool"), [(Phase.READ, "get_deal"), (Phase.PREVIEW, "delete_deal"), (Phase.COMMIT, "delete_deal")]
)
async def test_a_403_says_neither_that_a_record_is_there_nor_that_it_is_not(
    phase: Phase, tool: str, recorder: Recorder
) -> None:
    recorder.will_answer(FORBIDDEN, status=403)

    result = await run(COMPILED, recorder, phase, tool, {"id": 7})

    assert isinstance(result, Failed)
    assert result.code == "upstream_not_found"
    assert result.message == "There is no such record, or the account that the hub uses may not see or change it."


@pytest.mark.parametrize(
    "rule",
    [
        {"method": "DELETE", "template": "/versions/{id}", "opened": True},
        {"method": "DELETE", "template": "/versions/{id}", "preview_only": True},
        {"method": "DELETE", "template": "/a/{b}/{c}", "preview_only": True, "opened": True},
        {"method": "DELETE", "path": "/versions/*", "preview_only": True, "opened": True},
        {"method": "POST", "template": "/versions", "opens": "/data/id"},
    ],
    ids=str,
)
def test_a_rule_for_drafts_that_says_too_much_is_refused(rule: Json) -> None:
    with pytest.raises(ValueError, match=r"preview_only|one variable|dry run"):
        SafeRule.model_validate(rule)


async def _token() -> dict[str, str]:
    return {"token": "a-token"}
