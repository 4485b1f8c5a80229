"""What a write would do unseen: rows that nobody counts, sequences, texts that nobody compiled, a trial that ended."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sql_desk import Desk, spec_of
from sql_shop import Shop
from test_refusals import opened_system

from connectors.sdk.spec import ConnectorSpec
from connectors.sql.binding import Binding
from hub.execution import Failed, Previewed, Succeeded
from sandbox.broker import ChannelKind, Stopped
from sandbox.sql.channel import SqlChannel
from sandbox.sql.session import Mode, System

pytestmark = pytest.mark.anyio

Json = Any

CHANGE = """
changes:
  note_set:
    sql: SQL
    description: Change a note.
    effect: EFFECT
    parameters: {PARAMETERS}
    shown: [SHOWN]
"""
ON_SQLITE = pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("shop", ["postgresql"], indirect=True)


async def declared(shop: Shop, sql: str, *, effect: str = "update", shown: str = "code, body") -> ConnectorSpec:
    """Return a connector with one change."""
    head = shop.manifest.partition("resources:")[0]
    parameters = ", ".join(f"{name}: {{type: string}}" for name in ("code", "body") if f":{name}" in sql)
    written = CHANGE.replace("EFFECT", effect).replace("PARAMETERS", parameters).replace("SHOWN", shown)
    return await spec_of(shop, head + written.replace("SQL", sql))


def rebound(spec: ConnectorSpec, name: str, change: Callable[[dict[str, Json]], object]) -> ConnectorSpec:
    """Return `spec` with the binding of one tool changed, as somebody who registers it by hand might."""
    binding = Binding.model_validate(spec.operation(name).binding).model_dump(mode="json")
    change(binding)
    operations = tuple(
        one.model_copy(update={"binding": binding}) if one.name == name else one for one in spec.operations
    )
    return spec.model_copy(update={"operations": operations})


@pytest.mark.parametrize(
    "columns",
    [
        "code text PRIMARY KEY, body text UNIQUE ON CONFLICT REPLACE",
        "code text PRIMARY KEY, body text, UNIQUE (body) on /* who? */ conflict -- well\n ignore",
        "code text PRIMARY KEY ON CONFLICT REPLACE, body text",
        "code text PRIMARY KEY, body text NOT NULL ON CONFLICT ROLLBACK",
    ],
    ids=["of a column", "of the table", "of the key", "of a value"],
)
async def test_a_table_that_resolves_conflicts_by_itself_is_not_written(sqlite_shop: Shop, columns: str) -> None:
    await sqlite_shop.script(
        f"DROP TABLE note; CREATE TABLE note ({columns}); INSERT INTO note VALUES ('n1', 'a'), ('n2', 'b')"  # noqa: S608  # columns of the test
    )
    binding = Binding.model_validate((await spec_of(sqlite_shop)).operation("note_update").binding)

    async with opened_system(sqlite_shop) as system, system.session(binding, Mode.TRIAL) as session:
        (why,) = await session.hazards(binding)

    assert "note is declared with ON CONFLICT" in why


@ON_SQLITE
async def test_a_row_that_a_conflict_clause_would_delete_is_still_there(desk: Desk) -> None:
    await desk.shop.script(
        "DROP TABLE note; CREATE TABLE note (code text PRIMARY KEY NOT NULL, body text UNIQUE ON CONFLICT REPLACE);"
        "INSERT INTO note VALUES ('n1', 'a'), ('n2', 'b')"
    )

    tried = await desk.try_out("note_update", code="n1", body="b")

    assert isinstance(tried, Failed)
    assert "ON CONFLICT REPLACE" in tried.message
    assert await desk.shop.rows("SELECT * FROM note ORDER BY code") == [("n1", "a"), ("n2", "b")]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT OR REPLACE INTO copy VALUES (new.code, new.body)",
        "insert /* or */ or -- ignore\n replace INTO copy VALUES (new.code, new.body)",
        "REPLACE INTO copy VALUES (new.code, new.body)",
        "UPDATE OR REPLACE copy SET body = new.body WHERE code = new.code",
    ],
    ids=["inserting", "with comments", "in short", "updating"],
)
@ON_SQLITE
async def test_a_listed_trigger_that_replaces_rows_is_refused(desk: Desk, statement: str) -> None:
    await desk.shop.script(
        "CREATE TABLE copy (code text PRIMARY KEY, body text UNIQUE); INSERT INTO copy VALUES ('n1', 'a'), ('n2', 'x')"
    )
    await desk.shop.script(f"CREATE TRIGGER copied AFTER UPDATE ON note BEGIN {statement}; END")
    spec = rebound(desk.spec, "note_update", lambda one: one["written"].update(triggers=["copied"], also=["copy"]))

    tried = await desk.try_out("note_update", spec, code="n1", body="x")

    assert isinstance(tried, Failed)
    assert "The trigger copied of note replaces rows" in tried.message
    assert await desk.shop.rows("SELECT * FROM copy ORDER BY code") == [("n1", "a"), ("n2", "x")]


@ON_SQLITE
async def test_a_listed_trigger_that_replaces_parts_of_texts_is_not(desk: Desk) -> None:
    await desk.shop.script(
        "CREATE TABLE copy (code text, body text);"
        "CREATE TRIGGER copied AFTER UPDATE ON note WHEN new.code = 'n1' OR replace(new.body, 'a', '') = '' "
        "BEGIN INSERT INTO copy VALUES (new.code, replace(new.body, 'x', 'y')); END"
    )
    spec = rebound(desk.spec, "note_update", lambda one: one["written"].update(triggers=["copied"], also=["copy"]))

    tried = await desk.try_out("note_update", spec, code="n1", body="x")

    assert isinstance(tried, Previewed), tried


@ON_POSTGRESQL
async def test_rows_of_a_table_of_the_same_name_in_another_schema_are_told_apart(desk: Desk) -> None:
    await desk.shop.script(
        "CREATE SCHEMA audit; CREATE TABLE audit.note (body text);"
        "CREATE FUNCTION historian() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO audit.note VALUES (old.body); RETURN new; END $$;"
        "CREATE TRIGGER historian AFTER UPDATE ON note FOR EACH ROW EXECUTE FUNCTION historian()"
    )
    spec = rebound(desk.spec, "note_update", lambda one: one["written"].update(triggers=["historian"]))

    tried = await desk.try_out("note_update", spec, code="n1", body="x")

    assert isinstance(tried, Failed)
    assert "Rows of audit.note would change too" in tried.message


@ON_POSTGRESQL
async def test_a_cascade_into_a_table_of_the_same_name_in_another_schema_is_refused(desk: Desk) -> None:
    await desk.shop.script(
        "CREATE SCHEMA audit; CREATE TABLE audit.note (code text REFERENCES public.note ON DELETE CASCADE)"
    )

    tried = await desk.try_out("note_delete", code="n1")

    assert isinstance(tried, Failed)
    assert "rows of audit.note would change too" in tried.message


@ON_POSTGRESQL
async def test_a_write_that_reads_a_view_is_refused(desk: Desk) -> None:
    await desk.shop.script(
        "CREATE SEQUENCE counter; SELECT setval('counter', 500);"
        "CREATE VIEW open_notes AS SELECT code FROM note WHERE setval('counter', 7) = 7"
    )
    spec = await declared(desk.shop, "UPDATE note SET body = :body WHERE code IN (SELECT code FROM open_notes)")

    tried = await desk.try_out("note_set", spec, body="x")

    assert isinstance(tried, Failed)
    assert "open_notes is a view" in tried.message
    assert await desk.shop.rows("SELECT last_value FROM counter") == [(500,)]


@ON_POSTGRESQL
async def test_a_preview_that_uses_up_a_number_says_so_whichever_column_it_fills(desk: Desk) -> None:
    await desk.shop.script("CREATE TABLE invoice (code text PRIMARY KEY, number serial NOT NULL)")
    sql = "INSERT INTO invoice (code) VALUES (:code)"
    spec = await declared(desk.shop, sql, effect="create", shown="code, number")

    tried = await desk.try_out("note_set", spec, code="a")

    assert isinstance(tried, Previewed), tried
    assert [one for one in tried.preview.not_covered if "Sequences are not rolled back" in one]


async def test_a_statement_with_returning_in_a_text_is_tried_and_carried_out(desk: Desk) -> None:
    desk.spec = await declared(desk.shop, "UPDATE note SET body = 'NOT RETURNING TODAY' WHERE code = :code")

    assert isinstance(await desk.commit("note_set", code="n1"), Succeeded)

    assert await desk.shop.rows("SELECT body FROM note") == [("NOT RETURNING TODAY",)]


SETVAL = "SELECT *, setval('counter', 7) FROM note WHERE code = $1"
REGISTERED: dict[str, Callable[[dict[str, Json]], object]] = {
    "before": lambda one: one["written"]["before"].update(sql=SETVAL),
    "record": lambda one: one["written"]["record"].update(sql=SETVAL),
    "found": lambda one: one["written"].update(found={"sql": SETVAL, "parameters": ["code"]}),
    "returning": lambda one: one["statement"].update(sql=one["statement"]["sql"] + ", setval('counter', 7)"),
    "another table before": lambda one: one["written"]["before"].update(sql="SELECT * FROM orders WHERE id = $1"),
    "a write as record": lambda one: one["written"]["record"].update(sql="DELETE FROM note WHERE code = $1"),
    "another table written": lambda one: one["written"].update(table="orders"),
}


@ON_POSTGRESQL
@pytest.mark.parametrize("change", REGISTERED.values(), ids=list(REGISTERED))
async def test_every_text_of_a_registered_write_is_read_once_more(
    desk: Desk, change: Callable[[dict[str, Json]], object]
) -> None:
    await desk.shop.script("CREATE SEQUENCE counter; SELECT setval('counter', 500)")

    tried = await desk.try_out("note_update", rebound(desk.spec, "note_update", change), code="n1", body="x")

    assert isinstance(tried, Failed)
    assert "is no statement of shop that may be sent" in repr(tried)
    assert await desk.shop.rows("SELECT last_value FROM counter") == [(500,)]


async def test_a_write_that_leaves_its_guard_as_it_was_is_refused(desk: Desk) -> None:
    unmoved = await declared(
        desk.shop, "UPDATE customer SET name = :body WHERE email = :code", shown="id, name, version"
    )
    guarded = rebound(unmoved, "note_set", lambda one: one["written"].update(guard="version"))

    tried = await desk.try_out("note_set", guarded, code="ann@example.com", body="Anna")

    assert isinstance(tried, Failed)
    assert "does not move the guard version" in tried.message


@dataclass
class Leaving:
    """A database whose transaction is committed behind the hub's back as soon as the statement is through."""

    system: System
    how: str

    @asynccontextmanager
    async def session(self, binding: Binding, mode: Mode) -> AsyncGenerator[Any]:
        """Open a transaction that somebody ends."""
        async with self.system.session(binding, mode) as session:
            yield Left(session, self.how)


@dataclass
class Left:
    """The session of it."""

    inner: Any
    how: str

    def __getattr__(self, name: str) -> Json:
        return getattr(self.inner, name)

    async def check_deferred(self) -> None:
        """End the transaction."""
        await self.inner.connection.execute(self.how)


async def test_a_trial_whose_transaction_has_ended_is_no_preview(shop: Shop) -> None:
    how = "COMMIT" if shop.engine == "sqlite" else "COMMIT AND CHAIN"
    async with opened_system(shop) as system:
        left: Any = Leaving(system, how)
        channel = SqlChannel(system=left, spec=await spec_of(shop), kind=ChannelKind.PREVIEW)
        with pytest.raises(Stopped, match="it ended the transaction it was tried in"):
            await channel.trial("note_update", {"code": "n1", "body": "x"})
