"""What a manifest may say: the README's example compiles, and every contradiction gets a sentence that helps."""

import re
from pathlib import Path

import pytest

from connectors.sdk.vocabulary import Effect, Fidelity, UpstreamClass
from connectors.sql.addresses import BadAddress, address
from connectors.sql.compile import compiled, needed_tables
from connectors.sql.live import Column, Table
from connectors.sql.manifest import BadManifest, read_manifest
from connectors.sql.statements import BadStatement, statement

README = Path(__file__).parent.parent / "README.md"
EXAMPLE = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)[0]
TABLES = {
    "customer": Table(
        name="customer",
        columns=(
            Column(name="id", shape="integer", nullable=False, fills="computed"),
            Column(name="name", shape="text", nullable=False),
            Column(name="email", shape="text", nullable=True),
            Column(name="credit_minor", shape="integer", nullable=False, fills="constant", constant=0),
            Column(name="version", shape="integer", nullable=False, fills="constant", constant=1),
            Column(name="reference", shape="text", nullable=True),
        ),
        key=("id",),
    ),
    "toolhub_receipt": Table(
        name="toolhub_receipt",
        columns=(Column(name="key", shape="text", nullable=False), Column(name="output", shape="text", nullable=True)),
        key=("key",),
    ),
}


def test_the_example_of_the_readme_compiles() -> None:
    manifest = read_manifest(EXAMPLE)

    spec = compiled(manifest, TABLES)

    assert needed_tables(manifest) == ("customer", "toolhub_receipt")
    wanted = [f"customer_{what}" for what in ("find", "get", "create", "update", "delete")]
    assert [one.name for one in spec.operations] == [*wanted, "customers_above", "credit_raise"]
    writes = [one for one in spec.operations if one.effect is not Effect.READ]
    assert {one.upstream_class for one in writes} == {UpstreamClass.A}
    assert {one.fidelity for one in writes} == {Fidelity.EXECUTED}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("shown: [id, name, email, credit_minor]", "shown: [id, name, email, credit_minor, nix]", "no column nix"),
        ("shown: [id, name, email, credit_minor]", "shown: [name, email, credit_minor]", "show the key"),
        ("guard: version", "guard: reference", "no integer"),
        ("guard: version", "reference: reference", "not unique"),
        ("sensitive: [email]", "sensitive: [secret]", "are not shown"),
        ("table: customer", "table: nowhere", "there is no table nowhere"),
        ("parameters: {least: {type: integer}}", "parameters: {}", "declare :least"),
        ("{least: {type: integer}}", "{least: {type: integer}, more: {type: integer}}", ":more is not used"),
        ("{least: {type: integer}}", "{least: {}}", "say which as its type"),
        ("effect: update", "effect: delete", "its effect is update"),
        ("ORDER BY id\n", "ORDER BY id; DELETE FROM customer\n", "exactly one statement"),
        ("FROM customer WHERE", "FROM toolhub_receipt WHERE", "table of receipts"),
        ("SET credit_minor = credit_minor", "SET id = credit_minor", "cannot change the key"),
        ("engine: postgresql ", "engine: oracle ", "engine"),
        ("version: 1.0.0", "surprise: 1", "surprise"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(old: str, new: str, says: str) -> None:
    assert old in EXAMPLE

    with pytest.raises(BadManifest, match=says):
        compiled(read_manifest(EXAMPLE.replace(old, new, 1)), TABLES)


MORE_THAN_IT_SEEMS = (
    "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
    "SELECT * INTO x FROM t",
    "SELECT a FROM t FOR UPDATE",
    "SELECT dblink('x')",
    "SELECT * FROM dblink('x', 'y') AS t(a int)",
    "SELECT pg_sleep(10)",
    "SELECT nextval('s')",
    "SELECT set_config('a', 'b', false)",
    "SELECT * FROM pg_shadow",
    "SELECT * FROM other.t",
    "SELECT ?",
    "COPY t TO PROGRAM 'ls'",
    "SET a = 1",
    "COMMIT",
    "CALL p()",
    "DO $$ x $$",
    "EXPLAIN ANALYZE DELETE FROM t",
    "ATTACH 'x' AS y",
    "PRAGMA writable_schema = 1",
    "DELETE FROM t",
    "UPDATE t SET a = 1",
    "UPDATE t SET a = 1 FROM u WHERE t.id = u.id",
    "INSERT INTO t (a) VALUES (1), (2)",
    "INSERT INTO t (a) SELECT a FROM u",
    "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING",
    "INSERT OR REPLACE INTO t (a) VALUES (1)",
    "SELECT 1; SELECT 2",
    "",
)


@pytest.mark.parametrize("sql", MORE_THAN_IT_SEEMS)
def test_a_statement_that_is_more_than_it_seems_is_refused(sql: str) -> None:
    with pytest.raises(BadStatement):
        statement(sql, "postgresql")
    with pytest.raises(BadStatement):
        statement(sql, "sqlite")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:pass@host/db",
        "postgresql://host/db?sslmode=disable",
        "postgresql://host",
        "postgresql:///db?host=/tmp",
        "postgresql://2130706433/db",
        "postgresql://0x7f.1/db",
        "postgresql://host:99999/db",
        "sqlite:///a/../b.db",
        "sqlite:///a/%2e%2e/b.db",
        "sqlite:///a/b.db?mode=memory",
        "sqlite://:memory:",
        "sqlite://relative.db",
        "sqlite:////a.db",
        "sqlite:///a/.hidden",
    ],
)
def test_an_address_that_could_be_read_two_ways_is_refused(url: str) -> None:
    with pytest.raises(BadAddress):
        address(url)


def test_an_address_is_written_one_way() -> None:
    assert address("postgresql://HOST/db").url == "postgresql://host:5432/db"
    assert address("postgresql+tls://[::1]:6000/db").url == "postgresql+tls://[::1]:6000/db"
    assert address("sqlite:///srv/shop.db").url == "sqlite:///srv/shop.db"
