"""Settings never show a secret: not by themselves, not in errors, not in what `doctor` prints."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from typer.testing import CliRunner

from hub.cli import command_line
from hub.settings import Settings

app = command_line()

PASSWORD = "db-Passw0rd"  # made up
POSTGRESQL = f"postgresql+asyncpg://hub:{PASSWORD}@127.0.0.1:9/hub"


def test_settings_show_no_password_of_the_database(tmp_path: Path) -> None:
    chosen = Settings(home=tmp_path, database_url=SecretStr(POSTGRESQL))

    assert chosen.database == POSTGRESQL
    assert PASSWORD not in f"{chosen!r} {chosen} {chosen.model_dump()} {chosen.model_dump_json()}"


@pytest.mark.parametrize("wrong", [f"mysql://hub:{PASSWORD}@db/hub", f"postgresql+asyncpg://hub:{PASSWORD}@db:x/hub"])
def test_an_error_about_the_settings_shows_no_password(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(home=tmp_path, database_url=SecretStr(wrong))

    assert PASSWORD not in f"{caught.value}{caught.value!r}"


def test_doctor_shows_no_password_of_a_database_that_it_cannot_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TOOLHUB_DATABASE_URL", POSTGRESQL)

    told = CliRunner().invoke(app, ["doctor", "--json"])

    assert told.exit_code == 1
    assert PASSWORD not in told.output + repr(told.exception)
