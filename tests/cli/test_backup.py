"""`toolhub backup` copies one moment of the embedded database, whole, while others write; it leaves no half a file."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import command_line
from hub.core.errors import InputError
from hub.storage.copying import AT_ONCE, copy_database

app = command_line("backup")


@pytest.fixture
def home(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a hub with a database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "var"))
    home = tmp_path / "var"
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "toolhub.db")
    with writer(home) as one:
        one.execute("CREATE TABLE kept (what TEXT)")
    return home


def writer(home: Path) -> closing[sqlite3.Connection]:
    """Return a connection of somebody who writes as the hub does, and leaves all of it in the file beside."""
    opened = sqlite3.connect(home / "toolhub.db", isolation_level=None)
    opened.execute("PRAGMA journal_mode = WAL")
    opened.execute("PRAGMA wal_autocheckpoint = 0")
    return closing(opened)


def kept_in(file: Path) -> list[str]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)) as opened:
        return [str(row[0]) for row in opened.execute("SELECT what FROM kept")]


def dump(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as opened:
        return [*opened.iterdump()]


def test_a_copy_holds_what_was_committed_and_nothing_that_is_under_way(home: Path, tmp_path: Path) -> None:
    with writer(home) as one:
        one.execute("INSERT INTO kept VALUES ('committed')")
        one.execute("BEGIN IMMEDIATE")
        one.execute("INSERT INTO kept VALUES ('under way')")

        told = CliRunner().invoke(app, ["backup", str(tmp_path / "copy.db")])

    assert told.exit_code == 0, told.output
    assert "it is whole" in told.stdout
    assert kept_in(tmp_path / "copy.db") == ["committed"]
    assert [one.name for one in tmp_path.glob("copy.db*")] == ["copy.db"]
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0


def test_who_writes_meanwhile_neither_waits_nor_has_it_begin_anew(home: Path, tmp_path: Path) -> None:
    with writer(home) as one:
        one.executemany("INSERT INTO kept VALUES (?)", [(f"{'x' * 4000}{number}",) for number in range(3 * AT_ONCE)])
        before = one.execute("SELECT count(*) FROM kept").fetchone()[0]
        seen = list[int]()

        def told(done: int, _of_all: int) -> None:
            seen.append(done)
            assert len(seen) < 100, "it begins anew with each commit of others"
            one.execute("INSERT INTO kept VALUES ('meanwhile')")

        copy_database(home / "toolhub.db", tmp_path / "copy.db", told)

    assert len(seen) > 2
    assert seen == sorted(set(seen))
    assert len(kept_in(tmp_path / "copy.db")) == before


def test_a_copy_is_the_same_database_in_one_file(home: Path, tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["backup", "copy.db"]).exit_code == 0

    assert dump(tmp_path / "copy.db") == dump(home / "toolhub.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as opened:
        assert opened.execute("PRAGMA journal_mode").fetchone() == ("delete",)


@pytest.mark.parametrize("there", ["copy.db", "copy.db.part"])
def test_no_file_is_written_over(home: Path, tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("another")

    told = CliRunner().invoke(app, ["backup", "copy.db"])

    assert told.exit_code == 1
    assert "copy.db" in told.stderr
    assert (tmp_path / there).read_text() == "another"
    assert home.exists()


def test_a_file_that_comes_while_it_copies_stays_as_it_is(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"

    with pytest.raises(InputError, match=r"copy\.db cannot be made: File exists"):
        copy_database(home / "toolhub.db", copy, lambda _done, _of_all: copy.write_text("another"))

    assert copy.read_text() == "another"
    assert [one.name for one in tmp_path.glob("copy.db*")] == ["copy.db"]


def test_what_is_damaged_is_told_and_leaves_no_copy(home: Path, tmp_path: Path) -> None:
    with writer(home) as one:
        one.execute("INSERT INTO kept VALUES ('x')")
        one.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (home / "toolhub.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)

    told = CliRunner().invoke(app, ["backup", "copy.db"])

    assert told.exit_code == 1
    assert "Error:" in told.stderr
    assert not [*tmp_path.glob("copy.db*")]


def test_postgresql_has_tools_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLHUB_DATABASE_URL", "postgresql+asyncpg://hub@127.0.0.1:1/hub")

    told = CliRunner().invoke(app, ["backup", "copy.db"])

    assert told.exit_code == 1
    assert "pg_dump" in told.stderr
    assert home.exists()


def test_looking_for_a_database_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "nowhere"))

    told = CliRunner().invoke(app, ["backup", "copy.db"])

    assert told.exit_code == 1
    assert not [*tmp_path.iterdir()]
