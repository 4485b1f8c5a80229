"""The connector's story on a Tryton whose database is PostgreSQL: read, foresee, try, commit, stale guards, undo."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import asyncpg
import pytest

from connectors.sdk import Fidelity
from connectors.sdk.harness import Contents
from connectors.tryton import connector
from connectors.tryton.tests.desk import Bench
from connectors.tryton_server import Person, TrytonServer, install
from connectors.tryton_server.contents import business, business_columns
from connectors.tryton_server.harness import TrytonHarness, every_case
from connectors.tryton_server.installation import seed_on_postgresql
from connectors.tryton_server.office import Office
from hub.invocations.proving.session import check_live
from hub.registry import BadgeVerdict

pytestmark = [pytest.mark.anyio, pytest.mark.tryton, pytest.mark.more]

_TABLES = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_MODELS = "SELECT name FROM ir_model"
_NOT_BUSINESS = ("ir_session", "ir_cache", "ir_cache_keyring", "res_user_login_attempt")
"""What signing in and reading touch."""


CHECKED = (
    *("party_get", "party_rename", "party_contact_update", "party_address_add", "sale_create", "sale_line_update"),
    *("sale_quote", "sale_confirm", "invoice_create", "invoice_line_add", "invoice_post", "product_price_set"),
)
"""Tools of every way in which the connector reads, writes, guards and undoes; on SQLite the kit checks all of them."""


class PostgreSQL(Protocol):
    """What the fixture of that name offers."""

    @property
    def socket_directory(self) -> str: ...

    async def run(self, *statements: str) -> None: ...


class Ledger:
    """Looks into Tryton's database, past Tryton."""

    def __init__(self, socket_directory: str) -> None:
        self._socket_directory = socket_directory
        self._looked_at = ""
        self._seen: Contents = {}

    @property
    def uri(self) -> str:
        """Return how Tryton is told where it is."""
        return f"postgresql://postgres@/?host={quote(self._socket_directory, safe='')}"

    async def rows(self) -> dict[str, str]:
        """Return a fingerprint of the rows of each table."""
        fingerprint = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{}\" t"
        return await self._each(_TABLES, fingerprint)

    async def numbers(self) -> dict[str, str]:
        """Return how far each sequence has come that numbers documents."""
        named = r"SELECT sequencename AS name FROM pg_sequences WHERE sequencename ~ '^ir_sequence_[0-9]+$'"
        return await self._each(named, "SELECT last_value || ' ' || is_called FROM \"{}\"")

    async def contents(self) -> Contents:
        """Return every row of every table that holds business, as the contract kit compares them.

        How far a number has come stands in a sequence here, outside of transactions, and not in the row of its record.
        """
        async with self._connected() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            snapshot = await connection.fetchval("SELECT pg_current_snapshot()::text")
            if snapshot != self._looked_at:  # somebody has begun or ended a write since the last look
                self._looked_at, self._seen = snapshot, await _every_row(connection)
        seen = dict(self._seen)
        for name, reached in (await self.numbers()).items():
            record = f"ir.sequence/{name.removeprefix('ir_sequence_')}"
            seen[record] = {**seen[record], "number_next_internal": reached}
        return seen

    @asynccontextmanager
    async def unfinished(self, *statements: str) -> AsyncGenerator[None]:
        """Run `statements` in a transaction that is open until the block ends, and then taken back."""
        async with self._connected() as connection:
            edit = connection.transaction()
            await edit.start()
            try:
                for statement in statements:
                    await connection.execute(statement)
                yield
            finally:
                await edit.rollback()

    async def _each(self, named: str, question: str) -> dict[str, str]:
        async with self._connected() as connection:
            names = [row["name"] for row in await connection.fetch(named) if row["name"] not in _NOT_BUSINESS]
            return {name: await connection.fetchval(question.format(name)) for name in sorted(names)}

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
        connection = await asyncpg.connect(host=self._socket_directory, user="postgres", database="erp")
        try:
            yield connection
        finally:
            await connection.close()


async def _every_row(connection: "asyncpg.Connection[asyncpg.Record]") -> Contents:
    models = {row["name"].replace(".", "_"): row["name"] for row in await connection.fetch(_MODELS)}
    tables = [row["name"] for row in await connection.fetch(_TABLES)]
    queries = {table: f'SELECT * FROM "{table}"' for table in business(tables)}  # noqa: S608  # the schema's own names
    rows = {table: await connection.fetch(query) for table, query in queries.items()}
    return {
        f"{models.get(table, table)}/{row['id']}": {name: row[name] for name in business_columns(row.keys())}
        for table, found in rows.items()
        for row in found
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness(TrytonHarness):
    """What the contract kit is told about Tryton, with its look into the database here."""

    ledger: Ledger

    async def contents(self) -> Contents:
        """Return every row of every table."""
        return await self.ledger.contents()


@pytest.fixture(scope="module")
async def ledger(postgresql: PostgreSQL) -> AsyncGenerator[Ledger]:
    await postgresql.run("CREATE DATABASE erp TEMPLATE template0 ENCODING 'UTF8'")
    yield Ledger(postgresql.socket_directory)
    await postgresql.run("DROP DATABASE erp WITH (FORCE)")


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, ledger: Ledger, tmp_path_factory: pytest.TempPathFactory
) -> Generator[TrytonServer]:
    folder: Path = tmp_path_factory.mktemp("on-postgresql")
    installation = install(request.config.rootpath / ".venvs", print)
    seed_on_postgresql(installation, folder / "seeded", ledger.uri, print)
    with TrytonServer(installation, folder / "run", postgresql=ledger.uri) as running:
        yield running


@pytest.fixture
def colleague(server: TrytonServer) -> Generator[Person]:
    with closing(server.person("clerk")) as person:
        yield person


@pytest.fixture
def office(colleague: Person) -> Office:
    return Office(colleague)


@pytest.fixture
async def bench(server: TrytonServer) -> AsyncGenerator[Bench]:
    with closing(server.person("hub")) as account:
        async with Bench(connector, server.base_url, headers={"authorization": account.authorization}) as made:
            yield made


async def test_a_contact_is_read_foreseen_changed_and_changed_back(
    bench: Bench, office: Office, colleague: Person, ledger: Ledger
) -> None:
    contact = office.contact()
    party = colleague.read("party.contact_mechanism", contact, "party")["party"]
    found = await bench.answer("party_get", party_id=party)
    untouched = await ledger.rows()

    preview = await bench.foresee("party_contact_update", contact_id=contact, value="b@umber.example")

    assert preview.fidelity is Fidelity.SIMULATED
    assert await ledger.rows() == untouched
    await bench.carry_out("party_contact_update", preview, contact_id=contact, value="b@umber.example")
    assert colleague.read("party.contact_mechanism", contact, "value")["value"] == "b@umber.example"
    back = await bench.foresee("party_contact_update", contact_id=contact, value="a@umber.example")
    await bench.carry_out("party_contact_update", back, key="key-2", contact_id=contact, value="a@umber.example")
    assert await bench.answer("party_get", party_id=party) == found


async def test_a_trial_leaves_every_row_and_takes_no_number(bench: Bench, office: Office, ledger: Ledger) -> None:
    sale = office.sale()
    rows, numbers = await ledger.rows(), await ledger.numbers()
    assert numbers, "documents are numbered by sequences of the database"

    first = await bench.foresee("sale_quote", sale_id=sale)
    second = await bench.foresee("sale_quote", sale_id=sale)

    assert first.fidelity is Fidelity.EXECUTED
    assert first == second
    assert await ledger.rows() == rows
    assert await ledger.numbers() == numbers


async def test_a_sale_is_quoted_confirmed_and_becomes_what_the_trial_showed(bench: Bench, office: Office) -> None:
    sale = office.sale()
    quoting = await bench.foresee("sale_quote", sale_id=sale)
    await bench.carry_out("sale_quote", quoting, sale_id=sale)
    confirming = await bench.foresee("sale_confirm", sale_id=sale)

    output = await bench.carry_out("sale_confirm", confirming, key="key-2", sale_id=sale)
    records = await bench.observe("sale_confirm", confirming, output, sale_id=sale)

    assert len(confirming.changes) == 3, "the sale, its invoice, its shipment"
    for change in confirming.changes:
        assert change.after == {name: records[change.target][name] for name in change.after or {}}


async def test_a_number_that_two_trials_looked_at_is_the_next_one(
    bench: Bench, office: Office, colleague: Person
) -> None:
    before, after = office.sale("quote"), office.sale()
    for _ in range(2):
        await bench.foresee("sale_quote", sale_id=after)

    colleague.press("sale.sale", after, "quote")

    numbers = [int(colleague.read("sale.sale", sale, "number")["number"]) for sale in (before, after)]
    assert numbers[1] == numbers[0] + 1


async def test_a_stale_guard_is_refused_by_tryton_itself(bench: Bench, office: Office, colleague: Person) -> None:
    sale = office.sale()
    preview = await bench.foresee("sale_quote", sale_id=sale)
    order = bench.order("sale_quote", preview, key="key-1", sale_id=sale)

    refusal = await bench.run_meddled(order, before=lambda: colleague.write("sale.sale", sale, reference="PO 7"))

    assert getattr(refusal, "code", None) == "upstream_conflict"
    assert colleague.read("sale.sale", sale, "state")["state"] == "draft"


async def test_a_quotation_is_taken_back_and_keeps_its_number(bench: Bench, office: Office, colleague: Person) -> None:
    sale = office.sale()
    await bench.carry_out("sale_quote", await bench.foresee("sale_quote", sale_id=sale), sale_id=sale)
    number = colleague.read("sale.sale", sale, "number")["number"]

    back = await bench.foresee("sale_draft", sale_id=sale)
    await bench.carry_out("sale_draft", back, key="key-2", sale_id=sale)

    assert colleague.read("sale.sale", sale, "state", "number") == {"id": sale, "state": "draft", "number": number}


async def test_a_sale_is_made_and_its_line_changed_as_the_trials_showed(
    bench: Bench, office: Office, ledger: Ledger
) -> None:
    lines = [{"product_id": 1, "quantity": "2"}]
    party = office.customer()
    rows = await ledger.rows()
    making = await bench.foresee("sale_create", party_id=party, lines=lines)
    assert await ledger.rows() == rows
    made = await bench.carry_out("sale_create", making, party_id=party, lines=lines)
    sale, line = made["id"], made["lines"][0]["id"]
    rows = await ledger.rows()

    changing = await bench.foresee("sale_line_update", sale_id=sale, line_id=line, quantity="3")
    assert await ledger.rows() == rows
    changed = await bench.carry_out("sale_line_update", changing, key="key-2", sale_id=sale, line_id=line, quantity="3")

    assert (making.fidelity, changing.fidelity) == (Fidelity.EXECUTED, Fidelity.EXECUTED)
    assert (making.changes[0].after or {})["total_minor"] == made["total_minor"]
    assert (changing.changes[1].after or {})["total_minor"] == changed["total_minor"]


async def test_an_invoice_is_posted_with_the_entry_that_the_trial_showed(
    bench: Bench, office: Office, ledger: Ledger
) -> None:
    invoice = office.invoice()
    rows, numbers = await ledger.rows(), await ledger.numbers()

    posting = await bench.foresee("invoice_post", invoice_id=invoice)
    assert (await ledger.rows(), await ledger.numbers()) == (rows, numbers)
    output = await bench.carry_out("invoice_post", posting, invoice_id=invoice)
    records = await bench.observe("invoice_post", posting, output, invoice_id=invoice)

    assert posting.fidelity is Fidelity.EXECUTED
    assert len(posting.changes) == 2, "the invoice and its entry"
    for change in posting.changes:
        assert change.after == {name: records[change.target][name] for name in change.after or {}}


async def test_a_line_changed_behind_the_sales_back_stops_its_change_inside_tryton(
    bench: Bench, office: Office, colleague: Person
) -> None:
    sale = office.sale()
    line = office.first_of("sale.sale", sale, "lines")
    preview = await bench.foresee("sale_line_update", sale_id=sale, line_id=line, quantity="3")
    order = bench.order("sale_line_update", preview, key="key-1", sale_id=sale, line_id=line, quantity="3")

    refusal = await bench.run_meddled(order, before=lambda: colleague.write("sale.line", line, quantity=9.0))

    assert getattr(refusal, "code", None) == "upstream_conflict"
    assert colleague.read("sale.line", line, "quantity")["quantity"] == 9.0


async def test_a_list_price_is_changed_and_exactly_back(bench: Bench, office: Office) -> None:
    product = office.product()
    before = await bench.answer("product_get", product_id=product)

    for key, price in (("key-1", "495.00"), ("key-2", "480.00")):
        preview = await bench.foresee("product_price_set", product_id=product, list_price=price)
        await bench.carry_out("product_price_set", preview, key=key, product_id=product, list_price=price)

    assert await bench.answer("product_get", product_id=product) == before


async def test_an_invoice_is_made_as_the_trial_showed(bench: Bench, office: Office, ledger: Ledger) -> None:
    lines = [{"product_id": 1, "quantity": "2"}]
    party = office.customer()
    rows = await ledger.rows()

    making = await bench.foresee("invoice_create", party_id=party, lines=lines)
    assert await ledger.rows() == rows
    made = await bench.carry_out("invoice_create", making, party_id=party, lines=lines)

    assert making.fidelity is Fidelity.EXECUTED
    assert (making.changes[0].after or {})["total_minor"] == made["total_minor"]


@pytest.mark.parametrize(
    ("operation", "model"), [("sale_quote", "sale.sale"), ("invoice_post", "account.invoice")], ids=["quote", "post"]
)
async def test_a_line_added_between_the_last_look_and_the_button_stops_the_button_inside_tryton(
    bench: Bench, office: Office, colleague: Person, operation: str, model: str
) -> None:
    document = office.sale() if model == "sale.sale" else office.invoice()
    line = office.first_of(model, document, "lines")
    given = {"sale_id" if model == "sale.sale" else "invoice_id": document}
    preview = await bench.foresee(operation, **given)
    order = bench.order(operation, preview, key="key-1", **given)
    line_model = "sale.line" if model == "sale.sale" else "account.invoice.line"

    refusal = await bench.run_meddled(order, before=lambda: colleague.call(f"model.{line_model}.copy", [line]))

    assert getattr(refusal, "code", None) == "upstream_conflict"
    assert colleague.read(model, document, "state")["state"] == "draft"


ADD_A_LINE = (
    "CREATE TEMPORARY TABLE another AS SELECT * FROM sale_line WHERE id = {line}",
    "UPDATE another SET id = nextval('sale_line_id_seq')",
    "INSERT INTO sale_line SELECT * FROM another",
)


@pytest.mark.parametrize(
    "edit",
    [("UPDATE sale_line SET quantity = 9, write_date = now() WHERE id = {line}",), ADD_A_LINE],
    ids=["changed", "added"],
)
async def test_an_edit_of_a_line_that_is_not_finished_yet_is_never_overlooked(
    bench: Bench, office: Office, colleague: Person, ledger: Ledger, edit: tuple[str, ...]
) -> None:
    sale = office.sale()
    line = office.first_of("sale.sale", sale, "lines")
    preview = await bench.foresee("sale_quote", sale_id=sale)

    async with ledger.unfinished(*(statement.format(line=line) for statement in edit)):
        refusal = await bench.refusal("sale_quote", preview, sale_id=sale)
        assert colleague.read("sale.sale", sale, "state")["state"] == "draft"
    quoted = await bench.carry_out("sale_quote", preview, key="key-2", sale_id=sale)

    assert refusal.code == "upstream_unknown"
    assert quoted["state"] == "quotation"


async def test_no_line_of_the_kit_fails_here_either(server: TrytonServer, office: Office, ledger: Ledger) -> None:
    harness = Harness(server=server, office=office, ledger=ledger, system="Tryton 8.2 on PostgreSQL")
    cases = [case for case in every_case(harness) if case.operation in CHECKED]

    badge = await check_live(connector.spec, replace(harness, cases=cases))

    lines = [line for line in badge.lines if line.operation in CHECKED]
    assert {line.operation for line in lines} == set(CHECKED)
    assert [line for line in lines if line.verdict is BadgeVerdict.FAILED] == []
