"""The fault matrix of the four upstream classes: what is said of a commit is true, and nothing happens twice."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from execution_house import House, order
from upstream.classes import CONNECTORS
from upstream.faults import Fault
from upstream.fixtures import Upstream

from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.vocabulary import UpstreamClass
from hub.execution import CommitOrder, Conflicted, Failed, Passed, Previewed, Succeeded, Unknown

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1)

LOST = [Fault.DROP_AFTER, Fault.ERROR_AFTER, Fault.TRUNCATED, Fault.CUT]
"""The effect happened, and no answer says so."""
NEVER = [Fault.DROP_BEFORE, Fault.ERROR_BEFORE]
"""Nothing happened, and no answer says so."""


class Charging:
    """One charge of one class, as the hub carries it out."""

    def __init__(self, house: House, upstream: Upstream, promised: UpstreamClass) -> None:
        self.number = next(_numbers)
        self.house = house
        self.upstream = upstream
        self.spec: ConnectorSpec = CONNECTORS[promised].spec
        self.name = f"charge_{promised.lower()}"
        self.target = house.target(self.spec, self.name)

    async def order(self, *, amount: int = 500) -> CommitOrder:
        """Take a preview, and return the order to commit what it shows."""
        ran = await self.house.preview(self.spec, self.name, number=self.number, amount=amount)
        assert isinstance(ran.outcome, Previewed), ran.outcome
        preview = ran.outcome.preview
        guard = {condition.target: condition.token for condition in preview.preconditions}
        before = {change.target: change.before for change in preview.changes if change.before is not None}
        return replace(order(guard=guard), before=before)

    async def commit(self, ordered: CommitOrder, *, seconds: float = 20) -> object:
        """Send what was ordered, and return the outcome."""
        ordered = replace(ordered, deadline_seconds=seconds)
        ran = await self.house.commit(self.spec, self.name, ordered, number=self.number, amount=500)
        return ran.outcome

    @property
    def arguments(self) -> dict[str, int]:
        """Return what the charge is asked with."""
        return {"number": self.number, "amount": 500}

    @property
    def done(self) -> Succeeded:
        """Return the outcome of a charge that was made."""
        return Succeeded(output={"account": self.number, "amount": 500})

    @property
    def effects(self) -> int:
        """Return how often something was charged."""
        return len(self.upstream.store.effects(self.number))


@pytest.fixture(scope="module")
async def connected(running_house: House, shared_upstream: Upstream) -> House:
    house = replace(running_house, url=shared_upstream.base_url, token=shared_upstream.token)
    await house.connect()
    return house


@pytest.fixture
def charging(connected: House, shared_upstream: Upstream, promised: UpstreamClass) -> Iterator[Charging]:
    yield Charging(connected, shared_upstream, promised)
    shared_upstream.store.mend_promises()


every_class = pytest.mark.parametrize("promised", list(UpstreamClass))


@every_class
async def test_a_charge_answered_in_time_is_done_once(charging: Charging) -> None:
    outcome = await charging.commit(await charging.order())

    assert outcome == charging.done
    assert charging.effects == 1


@every_class
@pytest.mark.parametrize("fault", [*LOST, *NEVER])
async def test_a_charge_without_an_answer_is_unknown_whatever_became_of_it(charging: Charging, fault: Fault) -> None:
    ordered = await charging.order()
    charging.upstream.store.plan_fault(fault, method="P*")

    assert isinstance(await charging.commit(ordered), Unknown)
    assert charging.effects == int(fault in LOST)


@every_class
async def test_an_answer_after_the_deadline_is_no_answer(charging: Charging) -> None:
    ordered = await charging.order()
    charging.upstream.store.plan_fault(Fault.DELAY, method="P*", argument=3)

    assert isinstance(await charging.commit(ordered, seconds=0.5), Unknown)
    assert charging.effects == 1


@pytest.mark.parametrize("promised", [UpstreamClass.A])
@pytest.mark.parametrize("fault", [*LOST, *NEVER])
async def test_class_a_is_sent_again_with_the_same_key_and_happens_once(charging: Charging, fault: Fault) -> None:
    ordered = await charging.order()
    charging.upstream.store.plan_fault(fault, method="P*")
    await charging.commit(ordered)

    assert await charging.commit(ordered) == charging.done
    assert charging.effects == 1


@pytest.mark.parametrize("promised", [UpstreamClass.B])
@pytest.mark.parametrize("fault", LOST)
async def test_class_b_is_sent_again_with_the_same_condition_which_no_longer_holds(
    charging: Charging, fault: Fault
) -> None:
    ordered = await charging.order()
    charging.upstream.store.plan_fault(fault, method="P*")
    await charging.commit(ordered)

    assert isinstance(await charging.commit(ordered), Conflicted)
    assert charging.effects == 1


@pytest.mark.parametrize("promised", [UpstreamClass.B])
@pytest.mark.parametrize("fault", NEVER)
async def test_class_b_is_sent_again_with_the_same_condition_if_it_had_not_arrived(
    charging: Charging, fault: Fault
) -> None:
    ordered = await charging.order()
    charging.upstream.store.plan_fault(fault, method="P*")
    await charging.commit(ordered)

    assert isinstance(await charging.commit(ordered), Succeeded)
    assert charging.effects == 1


@pytest.mark.parametrize("promised", [UpstreamClass.C])
@pytest.mark.parametrize("fault", [*LOST, *NEVER])
async def test_class_c_is_looked_up_by_our_reference(charging: Charging, fault: Fault) -> None:
    ordered = await charging.order()
    charging.upstream.store.plan_fault(fault, method="P*")
    await charging.commit(ordered)

    found = await charging.house.executor.look_up(
        charging.target, charging.arguments, idempotency_key=ordered.idempotency_key
    )

    assert isinstance(found.outcome, Succeeded if fault in LOST else Failed)
    assert charging.effects == int(fault in LOST)


@pytest.mark.parametrize("promised", [UpstreamClass.C])
async def test_a_charge_that_takes_effect_late_is_not_found_before(charging: Charging) -> None:
    ordered = await charging.order()
    charging.upstream.store.plan_fault(Fault.LATE, method="P*", argument=1)
    await charging.commit(ordered, seconds=0.3)
    asked = charging.target, charging.arguments

    early = await charging.house.executor.look_up(*asked, idempotency_key=ordered.idempotency_key)
    charging.upstream.await_effect(charging.number)
    late = await charging.house.executor.look_up(*asked, idempotency_key=ordered.idempotency_key)

    assert isinstance(early.outcome, Failed)
    assert early.outcome.code == "not_applied"
    assert isinstance(late.outcome, Succeeded)


@pytest.mark.parametrize("promised", [UpstreamClass.A, UpstreamClass.B])
async def test_a_system_that_breaks_its_promise_is_counted_twice(charging: Charging, promised: UpstreamClass) -> None:
    ordered = await charging.order()
    charging.upstream.store.break_promise(promised)

    await charging.commit(ordered)
    await charging.commit(ordered)

    assert charging.effects == 2


@every_class
async def test_a_check_passes_or_says_why_not_and_writes_nothing(charging: Charging) -> None:
    async def checked(amount: int) -> object:
        arguments = {"number": charging.number, "amount": amount}
        executor = charging.house.executor
        return (await executor.check(charging.target, arguments, guard={}, deadline_seconds=20)).outcome

    assert await checked(100_000) == Passed()
    refused = await checked(100_001)

    assert refused == Failed(
        code="upstream_refused", message=f"Account {charging.number} would owe more than 100000; collect 0 first."
    )
    assert charging.effects == 0
