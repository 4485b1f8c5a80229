"""Previews executed inside Tryton and rolled back: they leave nothing, and what they show is what comes."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from connectors.sdk import Fidelity
from connectors.sdk.run import Failed
from connectors.sdk.wire import WireRequest
from connectors.tryton import connector
from connectors.tryton.tests.desk import Bench, line_of, line_of_invoice
from connectors.tryton_server import Person, TrytonSays, TrytonServer, install
from connectors.tryton_server.office import Office

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]

Json = Any

RUN = "model.hub.trial.run"
Given = Callable[[Office], dict[str, Json]]


def of_sale(*buttons: str) -> Given:
    return lambda office: {"sale_id": office.sale(*buttons)}


def of_invoice_of_a_sale(office: Office) -> dict[str, Json]:
    (sale,) = office.clerk.call("model.sale.sale.copy", [1])  # with its taxes: Tryton warns about a line without
    for button in ("quote", "confirm"):
        office.clerk.press("sale.sale", sale, button)
    return {"invoice_id": office.first_of("sale.sale", sale, "invoices")}


LINES = [{"product_id": 1, "quantity": "2"}, {"product_id": 3, "quantity": "10", "unit_price": "35.00"}]
LAMP = {"product_id": 3, "quantity": "3"}
DEARER = {"quantity": "3", "unit_price": "450.00"}
TRIED: list[tuple[str, str, Given, bool]] = [
    ("sale_quote", "a draft", of_sale(), False),
    ("sale_confirm", "a quotation", of_sale("quote"), False),
    ("sale_cancel", "a draft", of_sale(), True),
    ("sale_draft", "a quotation", of_sale("quote"), True),
    ("sale_create", "two lines", lambda _: {"party_id": 4, "lines": LINES, "reference": "PO 4711"}, False),
    ("sale_line_add", "a lamp", lambda office: {**of_sale()(office), **LAMP}, True),
    ("sale_line_update", "both", lambda office: {**line_of(office), **DEARER}, False),
    ("sale_line_remove", "the only one", line_of, True),
    ("invoice_create", "two lines", lambda _: {"party_id": 4, "lines": LINES, "reference": "PO 4711"}, False),
    ("invoice_line_add", "a lamp", lambda office: {"invoice_id": office.invoice(), **LAMP}, True),
    ("invoice_line_update", "both", lambda office: {**line_of_invoice(office), **DEARER}, True),
    ("invoice_line_remove", "the only one", line_of_invoice, True),
    ("invoice_post", "of nobody's sale", lambda office: {"invoice_id": office.invoice()}, False),
    ("invoice_post", "of a sale", of_invoice_of_a_sale, False),
]
CASES = [
    pytest.param(operation, given, id=f"{operation}: {called}", marks=pytest.mark.more if is_alike else ())
    for operation, called, given, is_alike in TRIED
]


@pytest.fixture(scope="module")
def tryton_that_tries(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrytonServer]:
    installation = install(request.config.rootpath / ".venvs", print)
    with TrytonServer(installation, tmp_path_factory.mktemp("trying"), with_trial=True) as server:
        yield server


@pytest.fixture(scope="module")
def colleague(tryton_that_tries: TrytonServer) -> Iterator[Person]:
    person = tryton_that_tries.person("clerk")
    yield person
    person.close()


@pytest.fixture
def account(tryton_that_tries: TrytonServer) -> Iterator[Person]:
    """The connection's own account, signed in by hand."""
    person = tryton_that_tries.person("hub")
    yield person
    person.close()


@pytest.fixture
def shop(colleague: Person) -> Office:
    return Office(colleague)


@pytest.fixture
async def trying(tryton_that_tries: TrytonServer) -> AsyncIterator[Bench]:
    account = tryton_that_tries.person("hub")
    header = {"authorization": account.authorization}
    async with Bench(connector, tryton_that_tries.base_url, headers=header) as bench:
        yield bench
    account.close()


def test_a_trial_is_safe_in_previews_alone() -> None:
    request = WireRequest(method="POST", path="/rpc/", body=f'{{"id": 1, "method": "{RUN}"}}', operation=RUN)

    assert connector.spec.is_safe(request, previewing=True)
    assert not connector.spec.is_safe(request)


@pytest.mark.parametrize(("operation", "given"), CASES)
async def test_an_executed_preview_leaves_every_row_and_number_as_it_was(
    trying: Bench, shop: Office, tryton_that_tries: TrytonServer, operation: str, given: Given
) -> None:
    arguments = given(shop)
    found = tryton_that_tries.snapshot()

    first = await trying.foresee(operation, **arguments)
    second = await trying.foresee(operation, **arguments)

    assert tryton_that_tries.snapshot() == found
    assert first == second
    assert first.fidelity is Fidelity.EXECUTED


@pytest.mark.parametrize(("operation", "given"), CASES)
async def test_what_was_executed_in_the_preview_is_what_comes(
    trying: Bench, shop: Office, operation: str, given: Given
) -> None:
    arguments = given(shop)
    preview = await trying.foresee(operation, **arguments)

    output = await trying.carry_out(operation, preview, **arguments)
    records = await trying.observe(operation, preview, output, **arguments)

    for change in preview.changes:
        record = records[change.target]
        assert change.after == (None if record is None else {name: record[name] for name in change.after or {}})
    assert {change.target for change in preview.changes} <= records.keys()


async def test_a_confirmation_shows_the_invoice_and_the_shipment_that_will_be_made(trying: Bench, shop: Office) -> None:
    sale = shop.sale("quote")

    preview = await trying.foresee("sale_confirm", sale_id=sale)

    confirmed, invoice, shipment = preview.changes
    assert (confirmed.after or {})["state"] == "processing"
    assert (invoice.after or {})["total_minor"] == 96_000
    assert (shipment.after or {}) == {"party": "Umber Paints", "state": "waiting", "goods": 1}
    assert preview.not_covered == ()


async def test_a_posting_shows_the_entry_in_the_books_that_will_be_made(trying: Bench, shop: Office) -> None:
    preview = await trying.foresee("invoice_post", **of_invoice_of_a_sale(shop))

    posted, entry, sale = preview.changes
    assert (posted.after or {})["state"] == "posted"
    lines = (entry.after or {})["lines"]
    debits = {line["account"]: line["debit_minor"] for line in lines if line["debit_minor"]}
    assert [*debits.values()] == [(posted.after or {})["total_minor"]]
    assert sum(line["credit_minor"] for line in lines) == preview.blast.money_minor == 218_640
    assert ((sale.before or {})["invoice_state"], (sale.after or {})["invoice_state"]) == (
        "pending",
        "awaiting payment",
    )
    assert preview.not_covered == ()


async def test_a_posting_computes_taxes_anew_and_the_trial_shows_it(trying: Bench, shop: Office) -> None:
    invoice = shop.invoice()
    line = shop.first_of("account.invoice", invoice, "lines")
    shop.clerk.write("account.invoice.line", line, quantity=7.0)

    preview = await trying.foresee("invoice_post", invoice_id=invoice)
    output = await trying.carry_out("invoice_post", preview, invoice_id=invoice)

    (posted,) = [change for change in preview.changes if change.target == f"account.invoice/{invoice}"]
    assert (posted.after or {})["total_minor"] == output["total_minor"]
    assert "total_minor" not in posted.unknown


async def test_without_the_module_the_preview_is_simulated_and_says_so(bench: Bench, office: Office) -> None:
    preview = await bench.foresee("sale_quote", sale_id=office.sale())

    assert preview.fidelity is Fidelity.SIMULATED
    assert any("hub_trial" in sentence for sentence in preview.not_covered)


async def test_what_tryton_would_refuse_is_refused_in_the_preview(trying: Bench, shop: Office) -> None:
    sale = shop.sale()
    shop.clerk.write("sale.sale", sale, invoice_address=None)

    result = await trying.preview("sale_quote", sale_id=sale)

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"


def test_a_trial_may_do_no_more_than_its_caller(account: Person) -> None:
    with pytest.raises(TrytonSays, match="not allowed"):
        account.call(RUN, "res.user", "write", [[1], {"name": "Mallory"}], [])


@pytest.mark.parametrize(
    ("model", "method"),
    [("sale.sale", "set_number"), ("sale.sale", "no_such_button"), ("no.such.model", "quote"), ("sale.sale", "_quote")],
)
def test_what_nobody_may_call_cannot_be_tried(account: Person, model: str, method: str) -> None:
    with pytest.raises(TrytonSays, match="no method"):
        account.call(RUN, model, method, [[1]], [])


def test_what_would_be_there_is_read_with_the_rights_of_the_caller(account: Person, shop: Office) -> None:
    with pytest.raises(TrytonSays, match="not allowed"):
        account.call(RUN, "sale.sale", "quote", [[shop.sale()]], [["ir.model.log", [], ["rec_name"]]])


def test_a_method_that_makes_records_leaves_none(
    account: Person, colleague: Person, tryton_that_tries: TrytonServer
) -> None:
    before = tryton_that_tries.snapshot()

    answer = account.call(
        RUN, "party.party", "create", [[{"name": "Nobody"}]], [["party.party", [["name", "=", "Nobody"]], ["name"]]]
    )

    assert [party["name"] for party in answer["found"][0]] == ["Nobody"]
    assert tryton_that_tries.snapshot() == before
    assert colleague.ids("party.party", ["name", "=", "Nobody"]) == []


def test_a_trial_that_fails_leaves_nothing_and_the_next_one_works(
    account: Person, shop: Office, tryton_that_tries: TrytonServer
) -> None:
    sale = shop.sale()
    before = tryton_that_tries.snapshot()

    with pytest.raises(TrytonSays, match="no_such_field"):
        account.call(RUN, "sale.sale", "quote", [[sale]], [["sale.sale", [], ["no_such_field"]]])
    answer = account.call(RUN, "sale.sale", "quote", [[sale]], [["sale.sale", [["id", "=", sale]], ["state"]]])

    assert answer["found"][0][0]["state"] == "quotation"
    assert tryton_that_tries.snapshot() == before


def test_a_number_that_a_trial_has_shown_is_the_one_that_comes_next(account: Person, shop: Office) -> None:
    sale = shop.sale()
    asked = ["sale.sale", [["id", "=", sale]], ["number"]]
    shown = [account.call(RUN, "sale.sale", "quote", [[sale]], [asked])["found"][0][0]["number"] for _ in range(2)]

    shop.clerk.press("sale.sale", sale, "quote")

    assert shown == [shop.clerk.read("sale.sale", sale, "number")["number"]] * 2
