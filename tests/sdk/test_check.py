"""A connector's own check, and what it declares of idempotency: when each runs, with what, and what follows."""

import pytest
from pydantic import BaseModel
from upstream.classes import class_a
from upstream.fixtures import Upstream

from connectors.sdk import (
    BadDeclaration,
    Connector,
    Context,
    Effect,
    Idempotency,
    Refused,
    SafeRule,
    Tier,
    UpstreamClass,
    Write,
    at,
)
from connectors.sdk.operations import WriteOptions
from connectors.sdk.run import PHASE_RESULT, Checked, Done, Failed, PhaseCall, run_phase
from connectors.sdk.vocabulary import Phase
from connectors.sdk.wire import WireRequest, WireResponse
from connectors.sdk.workbench import Workbench

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    """An order."""

    number: int


class Line:
    """A transport at whose other end everything is an order."""

    def __init__(self) -> None:
        self.sent: list[WireRequest] = []

    async def send(self, request: WireRequest) -> WireResponse:
        """Keep the request and answer it."""
        self.sent.append(request)
        return WireResponse(status=200, headers={}, body='{"number": 7}')


def shop(idempotency: Idempotency | None = None, upstream_class: UpstreamClass | None = None) -> Connector:
    """Return a connector with one write, which has a check."""
    made = Connector("shop", version="1.0.0", description="Orders.", safe=[SafeRule(method="GET")], entry=class_a.entry)
    options: WriteOptions = {"effect": Effect.CREATE, "tier": Tier.HIGH}
    if idempotency is not None:
        options["idempotency"] = idempotency
    if upstream_class is not None:
        options["upstream_class"] = upstream_class

    @made.write("order_put", **options)
    async def order_put(context: Context, number: int, amount: int = 1) -> Order:
        """Order something."""
        return await context.put(at("orders", number), {"amount": amount}, Order)

    @order_put.check
    async def _(context: Context, amount: int = 1) -> None:
        if amount > 100:
            raise Refused("At most 100 at once; ask for the rest tomorrow.")
        if context.guard and context.guard["orders/7"] != "3":
            raise Refused("The order has been closed.")

    return made


async def checked(amount: int, guard: dict[str, str] | None = None) -> object:
    arguments = {"number": 7, "amount": amount}
    call = PhaseCall(operation="order_put", phase=Phase.CHECK, arguments=arguments, guard=guard or {})
    line = Line()
    result = await run_phase(shop(), call, line)
    assert line.sent == []
    return PHASE_RESULT.validate_json(result.model_dump_json())


async def test_a_check_gets_the_arguments_and_passes_or_says_why_not() -> None:
    assert await checked(100) == Checked()
    assert await checked(101) == Failed(
        code="upstream_refused", message="At most 100 at once; ask for the rest tomorrow."
    )


async def test_a_check_before_sending_gets_the_guard_of_what_was_approved() -> None:
    assert await checked(1, {"orders/7": "3"}) == Checked()
    assert await checked(1, {"orders/7": "4"}) == Failed(code="upstream_refused", message="The order has been closed.")


async def test_a_check_on_the_bench_reads_the_system(upstream: Upstream) -> None:
    headers = {"authorization": f"Bearer {upstream.token}"}
    async with Workbench(class_a, upstream.base_url, headers=headers) as bench:
        assert await bench.check("charge_a", number=1, amount=100_000) == Checked()
        assert isinstance(await bench.check("charge_a", number=1, amount=100_001), Failed)


def test_a_write_with_a_check_says_so_in_its_spec() -> None:
    assert shop().operations["order_put"].spec().has_check
    assert not class_a.spec.operation("account_a").has_check


def test_a_check_asks_only_for_arguments_of_its_write() -> None:
    made = shop()
    write = made.operations["order_put"]
    assert isinstance(write, Write)
    assert write.check_function is not None

    with pytest.raises(BadDeclaration, match="check already"):
        write.check(write.check_function)

    @made.write("order_pay", effect=Effect.UPDATE, tier=Tier.HIGH)
    async def order_pay(context: Context, number: int) -> Order:
        """Pay an order."""
        return await context.get(at("orders", number), Order)

    async def asks_for_more(context: Context, price: int) -> None:
        del context, price

    with pytest.raises(BadDeclaration, match="its check asks for 'price'"):
        order_pay.check(asks_for_more)


@pytest.mark.parametrize(
    ("idempotency", "upstream_class"),
    [
        (Idempotency(kind="natural"), UpstreamClass.A),
        (Idempotency(kind="header", name="idempotency-key"), UpstreamClass.A),
        (Idempotency(kind="field", name="external_id"), UpstreamClass.A),
        (None, UpstreamClass.D),
    ],
)
def test_the_upstream_class_follows_from_the_idempotency(
    idempotency: Idempotency | None, upstream_class: UpstreamClass
) -> None:
    assert shop(idempotency).operations["order_put"].spec().upstream_class is upstream_class


def test_a_class_that_does_not_follow_is_refused() -> None:
    with pytest.raises(BadDeclaration, match="idempotency natural makes it of class A"):
        shop(Idempotency(kind="natural"), UpstreamClass.D).operations["order_put"].spec()
    with pytest.raises(BadDeclaration, match="class C needs a lookup"):
        shop(Idempotency(kind="lookup", name="reference")).operations["order_put"].spec()


async def test_a_naturally_repeatable_write_needs_no_key() -> None:
    made = shop(Idempotency(kind="natural"))
    arguments = {"number": 7}

    result = await run_phase(made, PhaseCall(operation="order_put", phase=Phase.COMMIT, arguments=arguments), Line())

    assert result == Done(output={"number": 7})
