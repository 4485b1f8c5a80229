"""Each way to break a promise is caught by the line that is about it; `test_proving.py` has the rest of them."""

import base64
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from invocations.laboratories import failed, harness_of, laboratory_of, tidied, tried
from upstream.careless import connector as careless
from upstream.fixtures import Upstream
from upstream.harness import UpstreamHarness
from upstream.negligent import connector as negligent

from connectors.sdk.harness import Case, PlainHarness, SystemAnswer
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.wire import WireRequest
from hub.bundles import Publication, publish_bundle
from hub.core.ids import is_id
from hub.execution import Around, Onward, Received
from hub.invocations.proving.kit import check, check_case
from hub.invocations.proving.laboratory import Laboratory, open_laboratory
from hub.registry import Promise

pytestmark = [pytest.mark.anyio, pytest.mark.more]

ITEM = {"number": 1, "quantity": 5}


@pytest.fixture(scope="module")
async def laboratory(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncGenerator[Laboratory]:
    del anyio_backend
    async with laboratory_of(negligent.spec, tmp_path_factory.mktemp("negligent")) as opened:
        yield opened


@pytest.fixture
def lab(laboratory: Laboratory) -> Laboratory:
    return tidied(laboratory)


async def try_change(lab: Laboratory, operation: str) -> dict[Promise, str]:
    return await tried(lab, operation, **ITEM)


async def test_what_does_the_same_honestly_fails_no_line(lab: Laboratory) -> None:
    assert await try_change(lab, "sets") == {}


@pytest.mark.parametrize(
    ("operation", "promise", "says"),
    [
        ("forbids_itself", Promise.FENCE, "Its own check refuses what the case would do: Never."),
        ("gives_up", Promise.PERMIT, "The commit gives up before it sends anything: Not today"),
        ("names_no_guard", Promise.GUARD, "It is declared class B, and its preview names no guard."),
        ("overlooks_edits", Promise.GUARD, "Somebody else's edit does not show in the preview"),
        ("observes_nothing", Promise.PREDICTION, "`.observe` must tell of every target"),
        ("answers_otherwise", Promise.PREDICTION, "its answer is not as declared"),
        ("swallows_refusals", Promise.ERRORS, "403 to the write: it was carried out."),
        ("declares_too_much", Promise.UNDO, "It declares that name stays behind, and that did not"),
        ("is_undone_by_who_gives_up", Promise.UNDO, "The undo cannot be carried out: Not today"),
        ("is_undone_with_a_name", Promise.UNDO, "The hub refuses the arguments of the undo"),
        ("is_undone_with_what_was_never_there", Promise.UNDO, "colour"),
        ("is_undone_elsewhere", Promise.UNDO, "The undo cannot be previewed"),
        ("observes_elsewhere", Promise.PREDICTION, "What it did cannot be read back"),
        ("sends_it_elsewhere", Promise.PREDICTION, "The write cannot be carried out"),
        ("tires", Promise.PERMIT, "Proposed through `invoke`, it stands at PREVIEW_FAILED"),
    ],
)
async def test_a_change_that_breaks_its_promise_is_caught(
    lab: Laboratory, operation: str, promise: Promise, says: str
) -> None:
    found = await try_change(lab, operation)

    assert says in found.get(promise, f"nothing; failed: {found}")


async def test_the_same_answer_to_a_repeat_that_does_it_again_is_caught_by_counting(lab: Laboratory) -> None:
    found = failed(await check_case(lab, harness_of(lab).write("posts_in_secret", text="hello")))

    assert "It took effect 3 times" in found[Promise.ONCE]


async def test_a_lookup_that_does_not_find_what_was_written_is_caught(lab: Laboratory) -> None:
    found = failed(await check_case(lab, harness_of(lab).write("looks_nowhere", text="hello")))

    assert "After a lost answer, looked up by our reference" in found[Promise.ONCE]


async def test_a_repeat_that_stumbles_over_its_own_first_attempt_is_caught(lab: Laboratory) -> None:
    found = failed(await check_case(lab, harness_of(lab).write("looks_first", number=8, quantity=5)))

    assert "After a lost answer, sent again with its key" in found[Promise.ONCE]


async def test_an_undo_that_undoes_nothing_is_caught_where_only_reading_back_can_tell(upstream: Upstream) -> None:
    upstream.store.rows("INSERT OR REPLACE INTO item VALUES (1, 'pencil', 10, 1)")
    harness = PlainHarness(system="somewhere", base_url=upstream.base_url, secret={"token": upstream.token})

    async with open_laboratory(negligent.spec, harness) as opened:
        case = Case(operation="is_undone_by_who_does_nothing", arguments=ITEM)
        found = failed(await check_case(opened, case))

    assert "the same write would change 0 records, and before it was 1" in found[Promise.UNDO]


async def test_a_key_does_not_tell_that_the_kit_is_watching(lab: Laboratory) -> None:
    keys = {lab.new_key() for _ in range(3)}

    assert len(keys) == 3
    assert all(is_id(key.removesuffix(".1"), "inv") for key in keys)


async def test_a_hub_that_carries_out_what_nobody_approved_is_caught(upstream: Upstream) -> None:
    harness = UpstreamHarness(upstream=upstream)
    case = harness.write("sets", edits=1, **ITEM)

    async with open_laboratory(negligent.spec, harness) as opened:
        await opened.office()
        await let_everything_go(opened)
        found = failed(await check_case(opened, case))

    assert found.keys() == {Promise.PERMIT}
    assert "Proposed through `invoke`, it stands at VERIFIED" in found[Promise.PERMIT]


async def let_everything_go(lab: Laboratory) -> None:
    runtime = lab.runtime
    anything = Publication(
        environment=runtime.environment, text='@id("anybody") permit (principal, action, resource);', by=None
    )
    async with runtime.database.transaction() as tx:
        await publish_bundle(tx, runtime.database, runtime.keys, anything)


async def test_a_broker_that_does_not_wait_as_it_is_asked_to_is_caught(upstream: Upstream) -> None:
    harness = UpstreamHarness(upstream=upstream)

    async with open_laboratory(careless.spec, harness) as opened:
        opened.executor.stand_around(at_once_again(opened.interference.around))
        found = failed(await check_case(opened, Case(operation="shows_everything", arguments={"id": 1})))

    assert found.keys() == {Promise.THROTTLING}
    assert "it asked again at once" in found[Promise.THROTTLING]


def at_once_again(around: Around) -> Around:
    """Return what asks a second time at once whoever turns it away: what a broker must not do."""

    async def hasty(request: WireRequest, onward: Onward) -> Received:
        received = await around(request, onward)
        return await around(request, onward) if received.response.status == 429 else received

    return hasty


async def test_what_only_previews_may_send_is_a_write_in_a_commit_and_answered_as_one(lab: Laboratory) -> None:
    found = failed(await check_case(lab, Case(operation="opens_a_ticket_first", arguments=ITEM)))

    assert Promise.ERRORS not in found, "each refusal was an answer to its first request, so nothing was in doubt"


async def test_turning_a_busy_system_into_a_refusal_is_caught(lab: Laboratory) -> None:
    found = failed(await check_case(lab, Case(operation="refuses_when_busy", arguments={"number": 1})))

    assert found.keys() == {Promise.THROTTLING}
    assert "Raise Unavailable" in found[Promise.THROTTLING]


async def test_a_documented_answer_to_the_write_that_is_mapped_to_something_else_is_caught(lab: Laboratory) -> None:
    locked = SystemAnswer(
        name="locked", status=423, code="upstream_conflict", body='{"detail": "locked"}', is_to_a_write=True
    )
    case = replace(harness_of(lab).write("sets", edits=1, **ITEM), answers=[locked])

    found = failed(await check_case(lab, case))

    assert found.keys() == {Promise.ERRORS}
    assert "locked to the write" in found[Promise.ERRORS]


async def test_a_refusal_after_which_it_was_done_is_caught_by_counting(lab: Laboratory) -> None:
    counts = iter(range(1, 1000))

    async def one_more() -> int:
        return next(counts)

    found = failed(await check_case(lab, replace(harness_of(lab).write("sets", edits=1, **ITEM), effects=one_more)))

    assert "it said that it was refused, and it was carried out" in found[Promise.GUARD]
    assert "It took effect although nobody approved it." in found[Promise.PERMIT]


async def test_a_case_that_the_hub_lets_nobody_call_is_caught(lab: Laboratory) -> None:
    case = Case(operation="sets", arguments={"number": 0, "quantity": 5})

    found = failed(await check_case(lab, case))

    assert found.keys() == {Promise.FENCE}
    assert "The hub refuses the case's arguments" in found[Promise.FENCE]


@pytest.mark.parametrize(
    ("operation", "arguments", "promise", "says"),
    [
        ("refuses_when_busy", {"number": 404}, Promise.ERRORS, "It cannot be read at all"),
        ("sets", {"number": 404, "quantity": 5}, Promise.FENCE, "The preview cannot be taken"),
    ],
)
async def test_a_case_about_nothing_is_caught(
    lab: Laboratory, operation: str, arguments: dict[str, int], promise: Promise, says: str
) -> None:
    found = failed(await check_case(lab, Case(operation=operation, arguments=arguments)))

    assert found.keys() == {promise}
    assert says in found[promise]


async def test_a_secret_in_the_form_in_which_it_is_sent_is_caught(lab: Laboratory) -> None:
    harness = harness_of(lab)
    harness.upstream.store.rows(
        "UPDATE item SET name = ? WHERE id = 1", base64.b64encode(b"somebody:correct-horse").decode()
    )
    harness.secret, before = {"username": "somebody", "password": "correct-horse"}, harness.secret
    try:
        found = failed(await check_case(lab, Case(operation="refuses_when_busy", arguments={"number": 1})))
    finally:
        harness.secret = before

    assert "A secret of the connection came out" in found[Promise.SECRETS]


@pytest.mark.parametrize(
    ("spec", "case", "promise", "says"),
    [
        (
            negligent.spec,
            Case(operation="counts_by_writing", arguments=ITEM),
            Promise.UNTOUCHED,
            "A second preview found other records",
        ),
        (
            negligent.spec,
            Case(operation="adds_for_good", arguments={"number": 8, "quantity": 5}),
            Promise.UNDO,
            "items/8 is still there.",
        ),
        (
            careless.spec,
            Case(operation="leaves_more_than_it_says", arguments={"id": 1, "quantity": 5}),
            Promise.UNDO,
            "items/1 is not what it was before",
        ),
    ],
    ids=["a preview", "a creation", "a change"],
)
async def test_without_a_view_into_the_system_it_is_caught_by_reading_back(
    upstream: Upstream, spec: ConnectorSpec, case: Case, promise: Promise, says: str
) -> None:
    harness = PlainHarness(
        system="somewhere", base_url=upstream.base_url, secret={"token": upstream.token}, cases=[case]
    )

    async with open_laboratory(spec, harness) as opened:
        found = failed(await check(opened))

    assert says in found.get(promise, f"nothing; failed: {found}")
