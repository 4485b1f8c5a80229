"""A recording holds no secret and no classified value, and checks a connector again without its system."""

import base64

import pytest
from upstream.classified import connector as classified
from upstream.classified import unclear
from upstream.connector import connector as honest
from upstream.fixtures import TOKEN, Upstream
from upstream.harness import UpstreamHarness, honest_cases

from connectors.sdk.harness import Case, PlainHarness
from connectors.sdk.spec import ConnectorSpec
from hub.core.errors import InputError
from hub.invocations.proving.recording import Recording
from hub.invocations.proving.session import Recorded, check_and_record, check_recorded
from hub.registry import Badge, BadgeVerdict, Grade, Promise

pytestmark = pytest.mark.anyio

OWNER, HEIR, STOCK, LEGACY = "Ada Lovelace", "ada@example.com", 48_151_623, 90_210
CLASSIFIED = (OWNER, HEIR, str(STOCK), str(LEGACY), "Lovelace", TOKEN, base64.b64encode(TOKEN.encode()).decode())


def verdicts(badge: Badge) -> dict[tuple[str, Promise], BadgeVerdict]:
    return {(line.operation, line.promise): line.verdict for line in badge.lines}


def passed(badge: Badge) -> set[tuple[str, Promise]]:
    return {key for key, verdict in verdicts(badge).items() if verdict is BadgeVerdict.PASSED}


async def recorded_classified(upstream: Upstream) -> Recorded:
    """Record the giving of an item from Ada to her heir, on a system that shows the token it was sent."""
    upstream.store.rows("UPDATE item SET name = ?, quantity = ?", OWNER, STOCK)
    upstream.store.rows("INSERT INTO item VALUES (2, ?, 1, 1)", f"{OWNER}, {TOKEN}")
    harness = UpstreamHarness(upstream=upstream)
    harness.cases = [
        Case(operation="item_of", arguments={"name": OWNER}),
        harness.write("item_give", edits=1, id=1, name=HEIR, quantity=LEGACY),
    ]
    return await check_and_record(classified.spec, harness)


async def test_without_secret_or_classified_value_a_recording_still_proves_what_the_system_did(
    upstream: Upstream,
) -> None:
    recorded = await recorded_classified(upstream)
    upstream.kill()
    written = recorded.recording.model_dump_json()

    again = await check_recorded(classified.spec, Recording.model_validate_json(written))

    assert [value for value in CLASSIFIED if value in written] == []
    assert "redacted-" in written
    assert {line.grade for line in recorded.badge.lines} == {Grade.LIVE}
    assert {line.grade for line in again.lines} == {Grade.RECORDED}
    proven = {key for key in passed(recorded.badge) if key[1] is not Promise.SECRETS}
    assert {("item_give", Promise.UNDO), ("item_give", Promise.GUARD), ("item_give", Promise.PREDICTION)} <= proven
    assert [line for line in again.lines if line.verdict is BadgeVerdict.FAILED] == []
    assert proven <= passed(again)


@pytest.mark.more
async def test_every_upstream_class_can_be_checked_from_a_recording(upstream: Upstream) -> None:
    harness = UpstreamHarness(upstream=upstream)
    harness.cases = honest_cases(harness)
    recorded = await check_and_record(honest.spec, harness)
    upstream.kill()

    again = await check_recorded(honest.spec, recorded.recording)

    assert {key for key in passed(recorded.badge) if key[1] is not Promise.SECRETS} <= passed(again)


@pytest.mark.more
async def test_code_that_breaks_its_promise_is_caught_on_a_recording_too(upstream: Upstream) -> None:
    harness = UpstreamHarness(upstream=upstream)
    harness.cases = [harness.write("item_update", edits=1, id=1, quantity=12)]
    recording = (await check_and_record(honest.spec, harness)).recording

    changed = await check_recorded(renamed(honest.spec), recording)

    assert verdicts(changed)["item_update", Promise.UNDO] is BadgeVerdict.FAILED


def renamed(spec: ConnectorSpec) -> ConnectorSpec:
    """Return the connector with another undo, which was never recorded."""
    update = spec.operation("item_update")
    assert update.compensation is not None
    arguments = {**update.compensation.arguments, "name": "/before/0/id"}
    wrong = update.model_copy(update={"compensation": update.compensation.model_copy(update={"arguments": arguments})})
    others = [one for one in spec.operations if one.name != "item_update"]
    return spec.model_copy(update={"operations": (*others, wrong)})


async def test_data_that_nobody_says_where_it_is_is_not_recorded(upstream: Upstream) -> None:
    harness = PlainHarness(system="somewhere", base_url=upstream.base_url)

    with pytest.raises(InputError, match="x-data-class"):
        await check_and_record(unclear.spec, harness)


async def test_the_recording_of_another_connector_is_refused(upstream: Upstream) -> None:
    harness = PlainHarness(system="somewhere", base_url=upstream.base_url, secret={"token": upstream.token})
    recording = (await check_and_record(honest.spec, harness)).recording  # of no case at all

    with pytest.raises(InputError, match="not of 'classified'"):
        await check_recorded(classified.spec, recording)
