"""The connectors of the four upstream classes keep what their class promises, and a broken promise is noticed."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from upstream.classes import CONNECTORS
from upstream.fixtures import Upstream

from connectors.sdk.kit import Check, Verdict, check_write
from connectors.sdk.spec import Idempotency
from connectors.sdk.vocabulary import UpstreamClass
from connectors.sdk.workbench import Workbench

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1001)

RULES = {
    UpstreamClass.A: "the same key applies once",
    UpstreamClass.B: "a stale guard is refused",
    UpstreamClass.C: "a lost answer is found by our reference",
}


@asynccontextmanager
async def charging(promised: UpstreamClass, upstream: Upstream) -> AsyncIterator[Workbench]:
    headers = {"authorization": f"Bearer {upstream.token}"}
    async with Workbench(CONNECTORS[promised], upstream.base_url, headers=headers) as bench:
        yield bench
    upstream.store.mend_promises()


async def checked(bench: Workbench, promised: UpstreamClass, number: int) -> list[Check]:
    return await check_write(bench, f"charge_{promised.lower()}", number=number, amount=5)


@pytest.mark.parametrize("promised", list(UpstreamClass))
async def test_each_class_keeps_what_it_promises_and_no_more(
    promised: UpstreamClass, shared_upstream: Upstream
) -> None:
    async with charging(promised, shared_upstream) as bench:
        checks = await checked(bench, promised, next(_numbers))

    assert [check for check in checks if check.verdict is Verdict.FAILED] == []
    tried = {check.rule for check in checks if check.verdict is Verdict.PASSED}
    assert tried & {*RULES.values()} == ({RULES[promised]} if promised in RULES else set())


@pytest.mark.parametrize("promised", RULES)
async def test_a_promise_that_is_broken_is_noticed(promised: UpstreamClass, shared_upstream: Upstream) -> None:
    number = next(_numbers)
    async with charging(promised, shared_upstream) as bench:
        shared_upstream.store.break_promise(promised)
        checks = await checked(bench, promised, number)

    failed = {check.rule for check in checks if check.verdict is Verdict.FAILED}
    # a key that is not known again answers as before: only counting shows that it was done twice
    assert failed == (set() if promised is UpstreamClass.A else {RULES[promised]})
    assert len(shared_upstream.store.effects(number)) == (1 if promised is UpstreamClass.C else 2)


def test_the_class_follows_from_what_the_system_offers() -> None:
    offers: dict[UpstreamClass, Idempotency | None] = {
        promised: made.spec.operation(f"charge_{promised.lower()}").idempotency for promised, made in CONNECTORS.items()
    }

    assert offers[UpstreamClass.A] == Idempotency(kind="header", name="idempotency-key")
    assert offers[UpstreamClass.C] == Idempotency(kind="lookup", name="reference")
    assert offers[UpstreamClass.B] is None
    assert offers[UpstreamClass.D] is None
