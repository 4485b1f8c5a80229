"""What a document rests on is held inside Tryton where its module is: no edit between a look and a button passes."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from connectors.sdk.run import Failed
from connectors.sdk.wire import WireRequest
from connectors.tryton import connector
from connectors.tryton.tests.desk import Bench
from connectors.tryton_server import Person, TrytonSays, TrytonServer, install
from connectors.tryton_server.office import Office

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]

Json = Any
Meddle = Callable[[Office, str, int], None]

RUN = "model.hub.guarded.run"
LINE_OF = {"sale.sale": "sale.line", "account.invoice": "account.invoice.line"}


@pytest.fixture(scope="module")
def holding(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    installation = install(request.config.rootpath / ".venvs", print)
    with TrytonServer(installation, tmp_path_factory.mktemp("holding"), with_trial=True) as server:
        yield server


@pytest.fixture(scope="module")
def colleague(holding: TrytonServer) -> Iterator[Person]:
    with closing(holding.person("clerk")) as person:
        yield person


@pytest.fixture
def shop(colleague: Person) -> Office:
    return Office(colleague)


@pytest.fixture
def account(holding: TrytonServer) -> Iterator[Person]:
    """The connection's own account, signed in by hand."""
    with closing(holding.person("hub")) as person:
        yield person


@pytest.fixture
async def held(holding: TrytonServer, account: Person) -> AsyncIterator[Bench]:
    async with Bench(connector, holding.base_url, headers={"authorization": account.authorization}) as bench:
        yield bench


def change_a_line(shop: Office, model: str, document: int) -> None:
    shop.clerk.write(LINE_OF[model], shop.first_of(model, document, "lines"), quantity=9.0)


def remove_a_line(shop: Office, model: str, document: int) -> None:
    shop.clerk.call(f"model.{LINE_OF[model]}.delete", [shop.first_of(model, document, "lines")])


def add_a_line(shop: Office, model: str, document: int) -> None:
    shop.clerk.call(f"model.{LINE_OF[model]}.copy", [shop.first_of(model, document, "lines")])


def change_a_tax(shop: Office, model: str, document: int) -> None:
    shop.clerk.write("account.invoice.tax", shop.first_of(model, document, "taxes"), description="Somebody else's")


MEDDLED = [
    pytest.param("sale_quote", change_a_line, id="a quote: a line changed"),
    pytest.param("sale_quote", add_a_line, id="a quote: a line added"),
    pytest.param("sale_quote", remove_a_line, id="a quote: a line removed"),
    pytest.param("sale_cancel", change_a_line, id="a cancellation: a line changed"),
    pytest.param("sale_line_add", change_a_line, id="another line of a sale: a line changed"),
    pytest.param("invoice_post", change_a_line, id="a posting: a line changed"),
    pytest.param("invoice_post", add_a_line, id="a posting: a line added"),
    pytest.param("invoice_post", change_a_tax, id="a posting: a tax changed"),
    pytest.param("invoice_line_add", change_a_line, id="another line of an invoice: a line changed"),
]


def made_for(operation: str, shop: Office) -> tuple[str, int, dict[str, Json]]:
    lamp = {"product_id": 3, "quantity": "3"} if operation.endswith("_line_add") else {}
    if operation.startswith("sale"):
        sale = shop.sale()
        return "sale.sale", sale, {"sale_id": sale, **lamp}
    invoice = shop.invoice()
    return "account.invoice", invoice, {"invoice_id": invoice, **lamp}


@pytest.mark.parametrize(("operation", "meddle"), MEDDLED)
async def test_an_edit_between_the_last_look_and_the_call_stops_the_call_inside_tryton(
    held: Bench, shop: Office, operation: str, meddle: Meddle
) -> None:
    model, document, given = made_for(operation, shop)
    preview = await held.foresee(operation, **given)
    order = held.order(operation, preview, key="key-1", **given)
    left = list[Json]()

    def edit() -> None:
        meddle(shop, model, document)
        left.append(shop.clerk.read(model, document, "state", "lines"))

    result = await held.run_meddled(order, before=edit)

    assert isinstance(result, Failed), result
    assert result.code == "upstream_conflict"
    assert shop.clerk.read(model, document, "state", "lines") == left[0]


async def test_a_guard_that_tryton_holds_is_strong_and_a_module_that_is_gone_is_no_way_around_it(
    held: Bench, shop: Office, bench: Bench, office: Office
) -> None:
    preview = await held.foresee("sale_quote", sale_id=shop.sale())
    elsewhere = office.sale()
    simulated = await bench.foresee("sale_quote", sale_id=elsewhere)
    lines = simulated.preconditions[1]
    forced = lines.model_copy(update={"token": f"held:{lines.token}", "strength": "strong"})
    asking = simulated.model_copy(update={"preconditions": (simulated.preconditions[0], forced)})

    refusal = await bench.refusal("sale_quote", asking, sale_id=elsewhere)

    assert {condition.strength for condition in preview.preconditions} == {"strong"}
    assert refusal.code.startswith("upstream_")
    assert office.clerk.read("sale.sale", elsewhere, "state")["state"] == "draft"


def test_it_is_never_safe() -> None:
    request = WireRequest(method="POST", path="/rpc/", body=f'{{"id": 1, "method": "{RUN}"}}', operation=RUN)

    assert not connector.spec.is_safe(request, previewing=True)
    assert not connector.spec.is_safe(request)


def test_it_does_no_more_than_its_caller_may(account: Person) -> None:
    with pytest.raises(TrytonSays, match="not allowed"):
        account.call(RUN, "res.user", "write", 1, [{"name": "Mallory"}], [])


@pytest.mark.parametrize(("model", "method"), [("sale.sale", "set_number"), ("no.such.model", "quote")])
def test_what_nobody_may_call_is_not_called(account: Person, model: str, method: str) -> None:
    with pytest.raises(TrytonSays, match="no method"):
        account.call(RUN, model, method, 1, [], [])


def test_parts_are_read_with_the_rights_of_the_caller(account: Person, shop: Office) -> None:
    with pytest.raises(TrytonSays, match="not allowed"):
        account.call(RUN, "sale.sale", "quote", shop.sale(), [], [["ir.model.log", "user", {}]])
