"""A database URL that cannot be used is refused with a sentence that says why, and never repeats a password."""

from pathlib import Path

import pytest

from hub.core.errors import InputError
from hub.storage import check_url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3cret", "cannot be read"),
        ("postgresql+asyncpg://u:s3cret@h:port/x", "cannot be read"),
        ("postgresql+asyncpg://u:s3cret@h:99999999/x", "port 99999999"),
        ("postgresql+asyncpg://u:s3cret@h/x?nope=1&sslmodus=x", "unknown options: nope, sslmodus"),
        ("sqlite+aiosqlite://", "has to be a file"),
        ("sqlite+aiosqlite:///:memory:", "has to be a file"),
        ("sqlite+aiosqlite:///no/such/folder/hub.db", "There is no folder no/such/folder"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_says_why(url: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        check_url(url)

    assert "s3cret" not in refused.value.message


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        check_url(f"sqlite+aiosqlite:///{tmp_path}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://hub@db/hub",
        "postgresql+asyncpg://hub:p%40ss@db:5432/hub?ssl=require&prepared_statement_cache_size=0",
        "postgresql+asyncpg://postgres@/hub?host=/run/postgresql",
    ],
)
def test_a_url_that_a_connection_can_be_tried_with_passes(url: str) -> None:
    check_url(url)
