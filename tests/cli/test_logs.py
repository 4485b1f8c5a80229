"""What the processes log: where something went wrong, and nothing of what was to be stored or sent."""

import io
import json
import logging
import sys
from collections.abc import Generator

import pytest
import structlog
from sqlalchemy import insert

from hub.cli.logs import configure_logs, without_words
from hub.core.errors import Unavailable
from hub.keys.tables import KeyRow
from hub.storage import Database, now


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Generator[io.StringIO]:
    """What is written to standard error by a process that logs as the hub's do."""
    text, root = io.StringIO(), logging.getLogger()
    monkeypatch.setattr(sys, "stderr", text)
    kept, root.handlers, ours = root.handlers, [], structlog.get_config()
    configure_logs()
    yield text
    root.handlers = kept
    structlog.configure(**ours)


async def store_twice(database: Database) -> Exception:
    async def store() -> None:
        async with database.transaction() as tx:
            row = {"id": "private words", "purpose": "x", "sealed": b"", "created_at": await now(tx)}
            await tx.execute(insert(KeyRow), [row])

    await store()
    try:
        await store()
    except Exception as error:  # noqa: BLE001  # whichever it is
        return error
    raise AssertionError


@pytest.mark.anyio
async def test_an_error_of_a_database_is_logged_without_the_values(database: Database, written: io.StringIO) -> None:
    error = await store_twice(database)

    structlog.get_logger("door").error("a request failed", exc_info=error)
    logging.getLogger("library").error("it failed", exc_info=error)

    told = written.getvalue()
    structured, *_ = told.splitlines()
    assert json.loads(structured)["event"] == "a request failed"
    assert "IntegrityError" in structured
    assert "test_logs.py" in structured
    assert told.count("IntegrityError") > structured.count("IntegrityError") > 0
    assert "private words" not in told


def test_what_the_hub_says_itself_is_kept_and_its_causes_are_told_first() -> None:
    error = Unavailable("The system is away.")
    error.__cause__ = KeyError("private words")

    told = without_words(error)

    assert told.splitlines()[-1] == "hub.core.errors.Unavailable: The system is away."
    assert "builtins.KeyError" in told
    assert "private words" not in told


def test_errors_in_a_group_are_told_too() -> None:
    told = without_words(ExceptionGroup("private words", [ValueError("more private words")]))

    assert told.splitlines() == ["builtins.ExceptionGroup", "builtins.ValueError"]
