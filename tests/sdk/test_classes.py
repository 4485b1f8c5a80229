"""The connectors of the four upstream classes keep what their class promises, and a broken promise is noticed."""

import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from upstream.classes import CONNECTORS
from upstream.fixtures import Upstream

from connectors.sdk.harness import Case, PlainHarness
from connectors.sdk.spec import Idempotency
from connectors.sdk.vocabulary import UpstreamClass
from hub.invocations.proving.kit import check_case
from hub.invocations.proving.laboratory import Laboratory, open_laboratory
from hub.registry import BadgeVerdict, Promise

pytestmark = pytest.mark.anyio

Found = dict[Promise, BadgeVerdict]
_numbers = itertools.count(1001)

RESTS_ON = {
    UpstreamClass.A: {Promise.ONCE},
    UpstreamClass.B: {Promise.ONCE, Promise.GUARD},
    UpstreamClass.C: {Promise.ONCE},
    UpstreamClass.D: set[Promise](),
}
"""The lines about what the class offers."""
BREAKS = {UpstreamClass.A: Promise.ONCE, UpstreamClass.B: Promise.GUARD, UpstreamClass.C: Promise.ONCE}
"""The first of them that fails in a system that does not keep it."""


@pytest.fixture(scope="module", params=list(UpstreamClass))
async def charging(
    request: pytest.FixtureRequest, shared_upstream: Upstream, anyio_backend: str
) -> AsyncGenerator[Laboratory]:
    del anyio_backend
    secret = {"token": shared_upstream.token}
    harness = PlainHarness(system="the test upstream", base_url=shared_upstream.base_url, secret=secret)
    async with open_laboratory(CONNECTORS[request.param].spec, harness) as laboratory:
        yield laboratory
        shared_upstream.store.mend_promises()


def effects_on(upstream: Upstream, number: int) -> Callable[[], Awaitable[int]]:
    async def count() -> int:
        return len(upstream.store.effects(number))

    return count


def class_of(laboratory: Laboratory) -> UpstreamClass:
    return UpstreamClass(laboratory.spec.name.removeprefix("class_").upper())


async def charged(laboratory: Laboratory, upstream: Upstream) -> Found:
    number, promised = next(_numbers), class_of(laboratory)
    case = Case(
        operation=f"charge_{promised.lower()}",
        arguments={"number": number, "amount": 5},
        effects=effects_on(upstream, number),
    )
    return {line.promise: line.verdict for line in await check_case(laboratory, case)}


async def test_each_class_keeps_what_it_promises_and_no_more(charging: Laboratory, shared_upstream: Upstream) -> None:
    found = await charged(charging, shared_upstream)

    assert BadgeVerdict.FAILED not in found.values()
    about_classes = {Promise.ONCE, Promise.GUARD}
    held = {promise for promise in about_classes if found[promise] is BadgeVerdict.PASSED}
    assert held == RESTS_ON[class_of(charging)]


async def test_a_promise_that_is_broken_is_noticed(charging: Laboratory, shared_upstream: Upstream) -> None:
    promised = class_of(charging)
    if promised is UpstreamClass.D:
        assert charging.spec.operation("charge_d").upstream_class is UpstreamClass.D
        return  # it promises nothing that could be broken
    shared_upstream.store.break_promise(promised)

    found = await charged(charging, shared_upstream)

    assert found[BREAKS[promised]] is BadgeVerdict.FAILED


def test_the_class_follows_from_what_the_system_offers() -> None:
    offers: dict[UpstreamClass, Idempotency | None] = {
        promised: made.spec.operation(f"charge_{promised.lower()}").idempotency for promised, made in CONNECTORS.items()
    }

    assert offers[UpstreamClass.A] == Idempotency(kind="header", name="idempotency-key")
    assert offers[UpstreamClass.C] == Idempotency(kind="lookup", name="reference")
    assert offers[UpstreamClass.B] is None
    assert offers[UpstreamClass.D] is None
