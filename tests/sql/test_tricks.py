"""What functions of PostgreSQL can do beside answering: files, other systems, settings, locks, messages; and SQLite's.

Three things stand in the way, each tried by itself: what may stand in a statement, what an owner may list, and what a
kept connection still remembers when the next call gets it.
"""

from pathlib import Path

import asyncpg
import pytest
from sql_desk import Desk, spec_of
from sql_shop import Shop
from test_refusals import opened_system, refusals

from connectors.sql.binding import Binding, Text
from connectors.sql.statements import BadStatement, statement
from hub.execution import Failed, Previewed, Succeeded
from sandbox.sql.session import Mode, System

pytestmark = pytest.mark.anyio

CALLS = {
    "set_config": "set_config('statement_timeout', '0', false)",
    "pg_advisory_lock": "pg_advisory_lock(4711)",
    "pg_try_advisory_lock": "pg_try_advisory_lock(4711)",
    "pg_notify": "pg_notify('toolhub', 'x')",
    "pg_read_file": "pg_read_file('/etc/hostname')",
    "pg_read_binary_file": "pg_read_binary_file('/etc/hostname')",
    "pg_ls_dir": "pg_ls_dir('.')",
    "pg_stat_file": "pg_stat_file('PG_VERSION')",
    "lo_import": "lo_import('/etc/hostname')",
    "lo_export": "lo_export(1, '/dev/null')",
    "lo_from_bytea": "lo_from_bytea(0, 'x')",
    "lo_unlink": "lo_unlink(1)",
    "pg_terminate_backend": "pg_terminate_backend(0)",
    "pg_cancel_backend": "pg_cancel_backend(0)",
    "pg_reload_conf": "pg_reload_conf()",
    "pg_rotate_logfile": "pg_rotate_logfile()",
    "pg_sleep": "pg_sleep(0)",
    "pg_stat_reset": "pg_stat_reset()",
    "pg_logical_emit_message": "pg_logical_emit_message(false, 'x', 'y')",
    "pg_export_snapshot": "pg_export_snapshot()",
    "setval": "setval('customer_id_seq', 99)",
    "nextval": "nextval('customer_id_seq')",
    "query_to_xml": "query_to_xml('DELETE FROM note', true, true, '')",
    "ts_stat": "ts_stat('SELECT body::tsvector FROM note')",
    "txid_current": "txid_current()",
    "random": "random()",
}
NOT_THERE = ("dblink('host=127.0.0.1', 'DELETE FROM note')", "dblink_exec('DELETE FROM note')", "http_get('http://x')")
"""Extensions that this server does not have: what may stand in a statement does not depend on it."""
STATEMENTS = (
    "COPY (SELECT 1) TO PROGRAM 'touch /tmp/x'",
    "COPY note FROM PROGRAM 'cat /etc/hostname'",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
    "RESET ROLE",
    "RESET ALL",
    "DISCARD ALL",
    "SET statement_timeout = 0",
    "BEGIN",
    "COMMIT AND CHAIN",
    "ROLLBACK TO SAVEPOINT a",
    "CREATE EXTENSION dblink",
    "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
    "IMPORT FOREIGN SCHEMA public FROM SERVER s INTO public",
    "LOAD 'x'",
    "ALTER SYSTEM SET archive_command = 'x'",
    "NOTIFY toolhub, 'x'",
    "LISTEN toolhub",
    "SECURITY LABEL ON TABLE note IS 'x'",
    "REFRESH MATERIALIZED VIEW x",
    "MERGE INTO note USING customer ON true WHEN MATCHED THEN DELETE",
    "WITH a AS (UPDATE note SET body = 'x' RETURNING 1) SELECT * FROM a",
    "WITH a AS (INSERT INTO note VALUES ('x') RETURNING 1) SELECT 1",
    "SELECT * INTO copied FROM note",
    "SELECT * FROM note FOR UPDATE",
    "SELECT * FROM pg_read_file('/etc/hostname')",
    "SELECT * FROM pg_shadow",
    "SELECT * FROM pg_catalog.pg_authid",
    "SELECT * FROM information_schema.tables",
    "TABLE pg_shadow",
    "VALUES (set_config('role', 'postgres', false))",
    "SELECT 1 /*; */; SELECT pg_notify('a', 'b')",
    "SELECT (SELECT pg_notify('a', 'b'))",
    "SELECT CASE WHEN lo_unlink(1) = 1 THEN 1 END",
    "SELECT 1 WHERE pg_advisory_lock(1) IS NULL",
    "SELECT 1 ORDER BY nextval('customer_id_seq')",
    "SELECT 1 LIMIT (SELECT setval('customer_id_seq', 1))",
    "SELECT \"pg_catalog\".\"set_config\"('role', 'x', false)",
    "SELECT PG_NOTIFY('a', 'b')",
    "SELECT U&\"pg\\005Fnotify\"('a', 'b')",
)


@pytest.mark.parametrize("sql", [*(f"SELECT {one}" for one in (*CALLS.values(), *NOT_THERE)), *STATEMENTS])
def test_nothing_that_does_more_than_answer_may_stand_in_a_statement(sql: str) -> None:
    with pytest.raises(BadStatement):
        statement(sql, "postgresql")


async def test_an_owner_cannot_list_a_function_that_does_more_than_answer(postgresql_shop: Shop) -> None:
    binding = Binding.model_validate((await spec_of(postgresql_shop)).operation("customers_above").binding)
    harmless = {"txid_current"}  # stable: it takes a number, and what reads cannot write with it

    async with opened_system(postgresql_shop) as system:
        for name in CALLS.keys() - harmless:
            listed = binding.model_copy(update={"functions": (name.upper(),)})
            async with system.session(listed, Mode.READ) as session:
                assert await session.hazards(listed) == [f"the function {name} is volatile: it may do anything"]


async def test_a_function_that_lies_about_itself_writes_nothing_in_a_read(postgresql_shop: Shop) -> None:
    await postgresql_shop.script(
        "CREATE FUNCTION liar() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';"
        "CREATE FUNCTION deeper() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM note; RETURN 1; END $$;"
        "CREATE OR REPLACE FUNCTION liar() RETURNS int IMMUTABLE LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM deeper(); RETURN 1; END $$;"
    )
    untouched = await postgresql_shop.content()

    async for _, refusal in refusals(postgresql_shop, ("SELECT liar() FROM customer",), Mode.READ):
        assert "write" in str(refusal)

    assert await postgresql_shop.content() == untouched


LEFT_BEHIND = (
    "SELECT set_config('statement_timeout', '0', false), set_config('search_path', 'elsewhere', false)",
    "SELECT set_config('session_replication_role', 'replica', false)",
    "SELECT set_config('role', 'pg_read_all_data', false)",
    "SELECT set_config('default_transaction_read_only', 'off', false), set_config('toolhub.left', 'x', false)",
    "SELECT pg_advisory_lock(4711), pg_advisory_lock_shared(4712)",
)
_STATE = (
    "SELECT pg_backend_pid() AS pid, current_user::text AS who, session_user::text AS whose,"
    " current_setting('statement_timeout') AS time, current_setting('search_path') AS path,"
    " current_setting('session_replication_role') AS role, current_setting('toolhub.left', true) AS left_behind,"
    " (SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory') AS locks"
)


async def state_of(system: System, binding: Binding) -> dict[str, object]:
    """Return what a session of the next call finds."""
    async with system.session(binding, Mode.READ) as session:
        (row,) = await session.fetch(Text(sql=_STATE), {}, limit=1)
    return {**row, "left_behind": row["left_behind"] or None}


@pytest.mark.parametrize("mode", [Mode.READ, Mode.TRIAL])
async def test_a_kept_connection_remembers_nothing_of_the_call_before(postgresql_shop: Shop, mode: Mode) -> None:
    binding = Binding.model_validate((await spec_of(postgresql_shop)).operation("customers_above").binding)

    async with opened_system(postgresql_shop) as system:
        before = await state_of(system, binding)
        for sql in LEFT_BEHIND:
            async with system.session(binding, mode) as session:
                await session.fetch(Text(sql=sql), {}, limit=1)  # as if everything before the session had let it pass

            assert await state_of(system, binding) == before, sql  # on the very same connection: the pid is compared


async def test_nobody_hears_of_a_preview_and_everybody_of_its_commit(desk: Desk) -> None:
    if desk.shop.engine == "sqlite":  # which has no messages: then there is nothing to hear of either
        assert isinstance(await desk.try_out("note_update", code="n1", body="x"), Previewed)
        return
    await desk.shop.script(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_notify('told', new.body); RETURN new; END $$;"
        "CREATE TRIGGER teller AFTER UPDATE ON note FOR EACH ROW EXECUTE FUNCTION tell()"
    )
    heard: list[str] = []
    listener = await asyncpg.connect(host=desk.shop.socket, user="postgres", database=desk.shop.database)
    await listener.add_listener("told", lambda *said: heard.append(str(said[-1])))
    unlisted = await desk.try_out("note_update", code="n1", body="unlisted")
    listed = desk.spec.operation("note_update")
    written = {**dict(listed.binding)["written"], "triggers": ["teller"]}
    spec = desk.spec.model_copy(
        update={
            "operations": tuple(
                one.model_copy(update={"binding": {**dict(one.binding), "written": written}}) if one is listed else one
                for one in desk.spec.operations
            )
        }
    )

    tried = await desk.try_out("note_update", spec, code="n1", body="tried")
    await listener.fetchval("SELECT 1")  # whatever was sent before has arrived now
    assert isinstance(unlisted, Failed)
    assert isinstance(tried, Previewed)
    assert heard == []

    desk.spec = spec
    assert isinstance(await desk.commit("note_update", code="n1", body="done"), Succeeded)
    await listener.fetchval("SELECT 1")
    await listener.close()
    assert heard == ["done"]


SQLITE = (
    "PRAGMA journal_mode = DELETE",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA trusted_schema = ON",
    "PRAGMA database_list",
    "PRAGMA user_version = 7",
    "SELECT * FROM pragma_table_info('note')",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM sqlite_schema",
    "SELECT * FROM sqlite_temp_master",
    "UPDATE sqlite_schema SET sql = 'x'",
    "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x (a)')",
    "DELETE FROM sqlite_sequence",
    "CREATE TEMP TABLE x (a)",
    "CREATE TEMP TRIGGER x AFTER UPDATE ON note BEGIN DELETE FROM customer; END",
    "CREATE VIRTUAL TABLE x USING fts5(a)",
    "CREATE VIEW x AS SELECT 1",
    "ATTACH ':memory:' AS other",
    "ATTACH 'file:/etc/passwd?mode=ro' AS other",
    "REINDEX",
    "ANALYZE",
    "EXPLAIN DELETE FROM note",
    "BEGIN",
    "RELEASE a",
    "SELECT load_extension('/tmp/x.so', 'main')",
    "SELECT LOAD_EXTENSION('x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT fts3_tokenizer('simple', x'00')",
    "SELECT edit('x')",
    "SELECT zeroblob(1000000000)",
    "SELECT randomblob(1000000000)",
    "SELECT printf('%*d', 1000000000, 1)",
    "SELECT hex(zeroblob(500000000))",
    "SELECT sqlite_compileoption_get(1)",
)


@pytest.mark.parametrize("mode", [Mode.READ, Mode.TRIAL])
async def test_sqlite_prepares_nothing_that_reaches_beyond_the_tables(sqlite_shop: Shop, mode: Mode) -> None:
    untouched, files = await sqlite_shop.content(), sorted(sqlite_shop.folder.iterdir())

    async for sql, refusal in refusals(sqlite_shop, SQLITE, mode):
        assert str(refusal), sql

    assert await sqlite_shop.content() == untouched
    assert [one for one in sorted(sqlite_shop.folder.iterdir()) if one not in files] == list[Path]()


@pytest.mark.parametrize("sql", SQLITE)
def test_nor_may_it_stand_in_a_statement(sql: str) -> None:
    with pytest.raises(BadStatement):
        statement(sql, "sqlite")
