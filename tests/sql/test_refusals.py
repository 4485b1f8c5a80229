"""What a read or a preview tries in order to write, attempt by attempt: each is refused, and nothing has changed."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
from sql_desk import Desk, Permits, spec_of
from sql_shop import Shop

from connectors.sdk.errors import ConnectorError
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sql.binding import Binding, Text
from hub.execution import Conflicted, Failed, Previewed, Succeeded
from hub.execution.databases import system_at
from sandbox.reach import Reach
from sandbox.sql.session import Mode, System, WriteAttempt

pytestmark = pytest.mark.anyio

EITHER = (
    "DELETE FROM note",
    "UPDATE note SET body = 'x'",
    "INSERT INTO note (code) VALUES ('x')",
    "SELECT 1; DELETE FROM note",
    "COMMIT",
    "ROLLBACK",
    "END",
    "SAVEPOINT a",
    "DROP TABLE note",
    "CREATE TABLE x (a int)",
    "ALTER TABLE note ADD COLUMN x int",
    "VACUUM",
)
POSTGRESQL = (
    "WITH gone AS (DELETE FROM note RETURNING code) SELECT * FROM gone",
    "SET default_transaction_read_only = off",
    "SET TRANSACTION READ WRITE",
    "RESET ROLE",
    "COPY note TO PROGRAM 'cat > /dev/null'",
    "COPY note FROM '/etc/passwd'",
    "CALL wipe()",
    "DO $$ BEGIN DELETE FROM note; END $$",
    "SELECT wipe_quietly()",
    "EXPLAIN ANALYZE DELETE FROM note",
    "EXECUTE x",
    "PREPARE TRANSACTION 'x'",
    "LOCK TABLE note",
    "NOTIFY x",
    "LISTEN x",
    "TRUNCATE note",
    "SELECT lo_create(4711)",
    "SELECT nextval('customer_id_seq')",
    "SELECT query_to_xml('DELETE FROM note', true, true, '')",
)
SQLITE = (
    "ATTACH 'other.db' AS other",
    "PRAGMA writable_schema = 1",
    "PRAGMA query_only = OFF",
    "PRAGMA foreign_keys = OFF",
    "REPLACE INTO note (code) VALUES ('n1')",
    "WITH a AS (SELECT 1) DELETE FROM note",
    "SELECT load_extension('x')",
    "SELECT writefile('x', 'y')",
    "VACUUM INTO 'x.db'",
    "DETACH main",
    "SELECT sql FROM sqlite_master",
)


async def refusals(shop: Shop, tricks: Sequence[str], mode: Mode) -> AsyncGenerator[tuple[str, BaseException]]:
    """Send each trick as if the compiler and the channel had let it pass; yield it and how it is refused."""
    spec = await spec_of(shop)
    binding = Binding.model_validate(spec.operation("customer_update").binding)
    for sql in tricks:
        async with opened_system(shop) as system, system.session(binding, mode) as session:
            with pytest.raises((WriteAttempt, ConnectorError)) as refused:
                await session.fetch(Text(sql=sql), {}, limit=5)
        yield sql, refused.value


@asynccontextmanager
async def opened_system(shop: Shop) -> AsyncGenerator[System]:
    """Yield the shop's database as the broker has it."""

    async def secrets() -> dict[str, str]:
        return {"username": "postgres", "password": "x"}

    system = system_at(shop.url, secrets, Reach(folders=(shop.folder,)))
    try:
        yield system
    finally:
        await system.close()


@pytest.fixture
async def armed_shop(shop: Shop) -> Shop:
    if shop.engine == "postgresql":
        await shop.script(
            "CREATE PROCEDURE wipe() LANGUAGE sql AS 'DELETE FROM note';"
            "CREATE FUNCTION wipe_quietly() RETURNS int LANGUAGE sql AS 'DELETE FROM note; SELECT 1'"
        )
    return shop


async def test_no_trick_writes_on_a_read_channel(armed_shop: Shop) -> None:
    untouched = await armed_shop.content()

    tricks = EITHER + (POSTGRESQL if armed_shop.engine == "postgresql" else SQLITE)
    async for sql, refusal in refusals(armed_shop, tricks, Mode.READ):
        assert str(refusal), sql
        assert await armed_shop.content() == untouched, sql


async def test_no_trick_leaves_the_transaction_of_a_trial(armed_shop: Shop) -> None:
    untouched = await armed_shop.content()
    tricks = POSTGRESQL if armed_shop.engine == "postgresql" else SQLITE
    # what only changes rows, or a sequence, is tried and taken back as any write is
    reverted = {"SELECT wipe_quietly()", "SELECT nextval('customer_id_seq')", "SELECT lo_create(4711)"}
    reverted |= {"SELECT query_to_xml('DELETE FROM note', true, true, '')"}

    tried = [one for one in EITHER + tricks if one not in reverted]
    async for sql, refusal in refusals(armed_shop, tried, Mode.TRIAL):
        assert str(refusal), sql
        assert await armed_shop.content() == untouched, sql


async def test_what_a_function_does_in_a_trial_is_taken_back(postgresql_shop: Shop) -> None:
    await postgresql_shop.script(
        "CREATE FUNCTION wipe_quietly() RETURNS int LANGUAGE sql AS 'DELETE FROM note; SELECT 1'"
    )
    untouched = await postgresql_shop.content()
    spec = await spec_of(postgresql_shop)
    binding = Binding.model_validate(spec.operation("note_update").binding)

    async with opened_system(postgresql_shop) as system, system.session(binding, Mode.TRIAL) as session:
        await session.fetch(Text(sql="SELECT wipe_quietly()"), {}, limit=1)
        assert await session.changed() == {"note": 1}

    assert await postgresql_shop.content() == untouched


def altered(spec: ConnectorSpec, name: str, sql: str) -> ConnectorSpec:
    """Return `spec` with the statement of one tool replaced, as somebody who reaches the registry might."""
    operations = list[OperationSpec]()
    for one in spec.operations:
        binding = dict(one.binding)
        if one.name == name:
            binding["statement"] = {"sql": sql, "parameters": []}
        operations.append(one.model_copy(update={"binding": binding}))
    return spec.model_copy(update={"operations": tuple(operations)})


@pytest.mark.parametrize("sql", ["DELETE FROM note", "SELECT pg_sleep(9)", "SELECT 1; DELETE FROM note", "COMMIT"])
async def test_the_broker_reads_a_registered_statement_again(desk: Desk, sql: str) -> None:
    untouched = await desk.shop.content()

    outcome = await desk.read("customers_above", altered(desk.spec, "customers_above", sql), least=1)

    assert isinstance(outcome, Failed)
    assert await desk.shop.content() == untouched


async def test_arguments_are_never_sql(desk: Desk) -> None:
    untouched = await desk.shop.content()

    for text in ("'; DELETE FROM note; --", "n1' OR '1'='1", "n1\\'; DROP TABLE note", 'n1" OR 1=1'):
        outcome = await desk.read("note_get", code=text)
        assert isinstance(outcome, Failed), text
        assert outcome.code == "upstream_not_found", outcome

    assert await desk.shop.content() == untouched


async def test_a_read_channel_carries_no_write_and_a_write_needs_its_permit(desk: Desk) -> None:
    as_read = await desk.runtime.executor.read(desk.target("note_update"), {"code": "n1"}, deadline_seconds=5)
    error = PermissionError("the lease is lost")

    with pytest.raises(PermissionError):
        await desk.commit("note_update", Permits(error=error), code="n1", body="x")

    assert isinstance(as_read.outcome, Failed)
    assert as_read.outcome.code == "phase_missing"
    assert await desk.shop.rows("SELECT body FROM note") == [("first",)]


async def test_a_preview_leaves_everything_as_it_was_but_sequences(desk: Desk) -> None:
    untouched = await desk.shop.content()

    for tool, arguments in (
        ("customer_create", {"name": "Fay", "credit_minor": 0}),
        ("customer_update", {"id": 1, "credit_minor": 5}),
        ("customer_delete", {"id": 1}),
        ("credit_raise", {"by": 1, "below": 250}),
        ("order_delete", {"customer_id": 1}),
    ):
        assert isinstance(await desk.try_out(tool, **arguments), Previewed), tool

    assert await desk.shop.content() == untouched
    if desk.shop.engine == "postgresql":  # the exception that the design names, and the preview too
        assert await desk.shop.rows("SELECT nextval('customer_id_seq')") == [(7,)]


async def test_the_same_call_gives_the_same_preview(desk: Desk) -> None:
    first = await desk.preview("customer_create", name="Fay", credit_minor=0)
    second = await desk.preview("customer_create", name="Fay", credit_minor=0)

    assert first == second


async def test_a_table_with_a_trigger_is_refused_unless_it_is_listed(desk: Desk) -> None:
    refused = await desk.try_out("watched_set", id=1, body="new")
    listed = "shown: [id, body]\n    triggers: [watcher]\n    also: [noticed]"
    text = desk.shop.manifest.replace("shown: [id, body]", listed)
    allowed = await desk.try_out("watched_set", await spec_of(desk.shop, text), id=1, body="new")

    assert isinstance(refused, Failed)
    assert "watcher" in refused.message
    assert isinstance(allowed, Previewed), allowed
    assert allowed.preview.blast.rows == 2
    assert allowed.preview.not_covered
    assert await desk.shop.rows("SELECT body FROM watched") == [("old",)]


async def test_rules_views_and_foreign_tables_are_refused(postgresql_shop: Shop) -> None:
    spec = await spec_of(postgresql_shop)
    binding = Binding.model_validate(spec.operation("note_update").binding)
    await postgresql_shop.script(
        "CREATE RULE also AS ON UPDATE TO note DO ALSO INSERT INTO noticed VALUES ('x');"
        "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER there FOREIGN DATA WRAPPER far;"
        "CREATE FOREIGN TABLE away (code text, body text) SERVER there;"
        "CREATE VIEW seen AS SELECT * FROM note"
    )

    assert binding.written is not None
    async with opened_system(postgresql_shop) as system:
        for table, why in (("note", "rules"), ("away", "foreign"), ("seen", "view")):
            written = binding.written.model_copy(update={"table": table})
            changed = binding.model_copy(update={"written": written, "tables": (table,)})
            async with system.session(changed, Mode.TRIAL) as session:
                assert why in ". ".join(await session.hazards(changed))


async def test_a_cascade_that_is_not_listed_is_refused(desk: Desk) -> None:
    spec = await spec_of(desk.shop, desk.shop.manifest.replace("also: [orders]", "also: []"))

    outcome = await desk.try_out("customer_delete", spec, id=1)

    assert isinstance(outcome, Failed)
    assert "orders" in outcome.message


async def test_too_many_rows_are_refused(desk: Desk) -> None:
    outcome = await desk.try_out("credit_raise", by=1, below=10_000)

    assert isinstance(outcome, Failed)
    assert "more than 4 rows" in outcome.message


async def test_a_statement_that_takes_too_long_is_stopped(desk: Desk) -> None:
    numbers = " CROSS JOIN ".join(f"customer AS t{one}" for one in range(14))
    slow = f"queries:\n  slow: {{sql: 'SELECT count(*) AS n FROM {numbers}', description: Slow.}}\n"  # noqa: S608  # a statement of the test
    impatient = desk.shop.manifest.replace("statement_seconds: 20", "statement_seconds: 1")
    spec = await spec_of(desk.shop, impatient.replace("queries:\n", slow))

    outcome = await desk.read("slow", spec)

    assert isinstance(outcome, Failed)
    assert outcome.code == "upstream_unavailable", outcome


async def test_a_row_that_somebody_holds_is_not_waited_for_long(desk: Desk) -> None:
    async with desk.shop.held("UPDATE note SET body = 'held'"):
        outcome = await desk.try_out("note_update", code="n1", body="x")

    assert isinstance(outcome, Failed)
    assert outcome.code == "upstream_unavailable", outcome


async def test_a_broken_constraint_is_shown_by_the_preview(desk: Desk) -> None:
    outcome = await desk.try_out("customer_update", id=1, credit_minor=-1)

    assert isinstance(outcome, Failed)
    assert outcome.code == "upstream_refused"


async def test_a_stale_guard_is_refused_before_the_permit_is_asked(desk: Desk) -> None:
    preview = await desk.preview("customer_update", id=1, credit_minor=5)
    guard = {one.target: one.token for one in preview.preconditions}
    await desk.shop.script("UPDATE customer SET version = version + 1 WHERE id = 1")
    permits = Permits()

    outcome = await desk.commit("customer_update", permits, guard=guard, id=1, credit_minor=5)

    assert isinstance(outcome, Conflicted)
    assert permits.asked == 0
    assert await desk.shop.rows("SELECT credit_minor FROM customer WHERE id = 1") == [(100,)]


async def test_secrets_of_the_table_and_of_the_connection_appear_nowhere(desk: Desk) -> None:
    found = await desk.read("customer_find")
    preview = await desk.preview("customer_update", id=1, name="Anna")

    assert isinstance(found, Succeeded)
    for text in (repr(found), repr(preview)):
        assert "'s1'" not in text
        assert "the-shops-password" not in text
