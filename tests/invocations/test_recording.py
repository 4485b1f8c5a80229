"""A recording holds no secret and no classified value, and checks a connector again without its system."""

import base64
import json
from dataclasses import replace

import pytest
from upstream.careless import connector as careless
from upstream.classified import connector as classified
from upstream.classified import unclear
from upstream.connector import connector as honest
from upstream.fixtures import TOKEN, Upstream, running_upstream
from upstream.harness import UpstreamHarness, honest_cases

from connectors.sdk.errors import Refused
from connectors.sdk.harness import Case, PlainHarness, SystemAnswer
from connectors.sdk.spec import ConnectorSpec
from hub.core.errors import InputError
from hub.invocations.proving.recording import Recording
from hub.invocations.proving.session import Recorded, check_and_record, check_recorded
from hub.registry import Badge, BadgeVerdict, Grade, Promise

pytestmark = pytest.mark.anyio

OWNER, HEIR, STOCK, LEGACY = "Ada Lovelace", "ada@example.com", 48_151_623, 90_210
FORMER = "Grace Hopper"
CLASSIFIED = (
    OWNER,
    HEIR,
    FORMER,
    str(STOCK),
    str(LEGACY),
    "Lovelace",
    TOKEN,
    base64.b64encode(TOKEN.encode()).decode(),
)

DOCUMENTED = SystemAnswer(
    name="a refusal",
    status=422,
    code=Refused.code,
    body=json.dumps({"error": f"changed by {OWNER}, who signed in with {TOKEN}", "item": {"name": FORMER}}),
    headers={"x-changed-by": HEIR},
    is_to_a_write=True,
)


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
        replace(harness.write("item_give", edits=1, id=1, name=HEIR, quantity=LEGACY), answers=[DOCUMENTED]),
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


@pytest.fixture(scope="module")
async def update(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> Recording:
    """What the test upstream answered while `item_update` was checked on it."""
    del anyio_backend
    with running_upstream(tmp_path_factory.mktemp("update")) as running:
        running.store.rows("INSERT INTO item VALUES (1, 'pencil', 10, 1)")
        harness = UpstreamHarness(upstream=running)
        harness.cases = [harness.write("item_update", edits=1, id=1, quantity=12)]
        return (await check_and_record(honest.spec, harness)).recording


def reasons(badge: Badge) -> dict[Promise, str]:
    return {line.promise: line.reason for line in badge.lines if line.verdict is BadgeVerdict.FAILED}


async def test_what_a_recording_cannot_prove_is_said_and_never_passes(update: Recording) -> None:
    again = await check_recorded(honest.spec, update)

    found = {promise: verdict for (_, promise), verdict in verdicts(again).items()}
    assert found.pop(Promise.SECRETS) is BadgeVerdict.NOT_PROVABLE
    assert {*found.values()} == {BadgeVerdict.PASSED}
    assert again.system == f"the test upstream, recorded on {update.recorded_at:%Y-%m-%d}"


async def test_an_exchange_that_is_missing_is_named(update: Recording) -> None:
    without = [one for one in update.exchanges if not ("carry" in one.at or one.question.method == "PATCH")]

    found = reasons(await check_recorded(honest.spec, update.model_copy(update={"exchanges": tuple(without)})))

    assert found[Promise.PREDICTION].startswith('The recording lacks PATCH /items/1 if-match: "')
    assert '{"quantity": 12}' in found[Promise.PREDICTION]
    assert found[Promise.PREDICTION].endswith("Record it again.")


@pytest.mark.more
async def test_what_was_read_before_a_write_does_not_stand_for_what_is_there_after_it(update: Recording) -> None:
    before = [one for one in update.exchanges if not (one.at.endswith("prediction / 1"))]
    assert len(before) < len(update.exchanges)

    found = reasons(await check_recorded(honest.spec, update.model_copy(update={"exchanges": tuple(before)})))

    assert "GET /items/1 (recorded at another moment" in found[Promise.PREDICTION]


@pytest.mark.more
@pytest.mark.parametrize(
    ("missing", "named"), [("contents", "what the system held"), ("effects", "how often item_update had taken effect")]
)
async def test_a_look_into_the_system_that_is_missing_is_not_made_up(
    update: Recording, missing: str, named: str
) -> None:
    assert update.contents is not None
    looks = tuple(look for look in update.contents if "untouched" not in look.at)
    (case,) = update.cases
    counts = tuple(count for count in case.effects or () if "untouched" not in count.at)
    changes = (
        {"contents": looks} if missing == "contents" else {"cases": (case.model_copy(update={"effects": counts}),)}
    )

    found = reasons(await check_recorded(honest.spec, update.model_copy(update=changes)))

    assert f"The recording lacks {named}" in found[Promise.UNTOUCHED]


@pytest.mark.more
async def test_a_write_that_no_longer_sends_its_guard_gets_no_answer_that_its_guard_got(upstream: Upstream) -> None:
    harness = UpstreamHarness(upstream=upstream)
    harness.cases = [harness.write("forgets_its_undo", edits=1, id=1, quantity=5)]
    recorded = await check_and_record(careless.spec, harness)
    text = recorded.recording.model_dump_json().replace("forgets_its_undo", "ignores_its_guard")

    again = reasons(await check_recorded(careless.spec, Recording.model_validate_json(text)))

    assert Promise.GUARD not in reasons(recorded.badge)
    assert "PATCH /items/1 if-match" in again[Promise.GUARD]


async def test_what_passes_in_a_database_is_not_recorded() -> None:
    database = honest.spec.model_copy(update={"speaks": "sql"})

    with pytest.raises(InputError, match="cannot be recorded"):
        await check_and_record(database, PlainHarness(system="somewhere", base_url="http://127.0.0.1:9"))


async def test_data_that_nobody_says_where_it_is_is_not_recorded(upstream: Upstream) -> None:
    harness = PlainHarness(system="somewhere", base_url=upstream.base_url)

    with pytest.raises(InputError, match="x-data-class"):
        await check_and_record(unclear.spec, harness)


async def test_the_recording_of_another_connector_is_refused(upstream: Upstream) -> None:
    harness = PlainHarness(system="somewhere", base_url=upstream.base_url, secret={"token": upstream.token})
    recording = (await check_and_record(honest.spec, harness)).recording  # of no case at all

    with pytest.raises(InputError, match="not of 'classified'"):
        await check_recorded(classified.spec, recording)
