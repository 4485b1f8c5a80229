"""`toolhub keys`: a rotation is on record, the new key signs, and the old one still verifies."""

import asyncio
import json

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from hub.audit.tables import EventRow
from hub.cli.keys import keys_app
from hub.opening import open_database
from hub.settings import Settings

pytestmark = pytest.mark.usefixtures("new_home")


def listed() -> dict[str, list[dict[str, str]]]:
    """What `toolhub keys list --json` prints."""
    result = CliRunner().invoke(keys_app, ["list", "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, list[dict[str, str]]] = json.loads(result.output)
    return found


async def recorded() -> list[str]:
    async with open_database(Settings()) as database, database.reading() as tx:
        return list(await tx.scalars(select(EventRow.kind)))


@pytest.mark.parametrize("purpose", ["tokens", "checkpoints"])
def test_a_rotated_key_signs_and_the_old_one_still_verifies(purpose: str) -> None:
    [old] = listed()[purpose]

    result = CliRunner().invoke(keys_app, ["rotate", purpose])

    kept, new = listed()[purpose]
    assert kept == old
    assert new["kid"] in result.output
    assert not any("d" in key for key in (kept, new))
    assert "key.rotated" in asyncio.run(recorded())


def test_the_key_for_data_is_never_listed() -> None:
    assert CliRunner().invoke(keys_app, ["rotate", "data"]).exit_code == 0

    assert {*listed()} == {"tokens", "checkpoints"}


def test_what_no_key_is_for_cannot_be_rotated() -> None:
    result = CliRunner().invoke(keys_app, ["rotate", "everything"])

    assert result.exit_code == 2
    assert "data" in result.output
