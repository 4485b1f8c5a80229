"""`toolhub connector import sql`, end to end: from a manifest and a database to a connection that works."""

import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import anyio.to_thread
import pytest
from click.testing import Result
from sql_shop import MANIFEST, Shop
from sql_wire import Wire, wired
from typer.testing import CliRunner
from upstream.certificates import for_localhost, for_loopback

from hub.cli import command_line

pytestmark = pytest.mark.anyio

app = command_line()
Toolhub = Callable[..., Awaitable[Result]]


@pytest.fixture
def toolhub(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Toolhub:
    """The command line of a hub with an empty database."""
    home = tmp_path / "var"
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "toolhub.db")
    monkeypatch.setenv("TOOLHUB_HOME", str(home))
    monkeypatch.setenv("TOOLHUB_SQLITE_FOLDERS", f'["{tmp_path / "systems"}"]')
    monkeypatch.setenv("TOOLHUB_SECRET_USERNAME", "postgres")
    monkeypatch.setenv("TOOLHUB_SECRET_PASSWORD", "the-shops-password")
    monkeypatch.setenv("COLUMNS", "300")

    async def invoked(*words: str) -> Result:
        """Run a command beside the loop of the test, in which the wire to the database lives."""
        return await anyio.to_thread.run_sync(lambda: CliRunner().invoke(app, ["connector", *words]))

    return invoked


def manifest_in(folder: Path, engine: str, **changes: str) -> str:
    """Write the shop's manifest, without the tool that a trigger watches, and return where it is."""
    text = MANIFEST.partition("  watched_set:")[0].replace("ENGINE", engine)
    for old, new in changes.items():
        text = text.replace(old, new)
    file = folder / "shop.yaml"
    file.write_text(text)
    return str(file)


def one_line(result: Result) -> str:
    return " ".join(result.output.split())


@pytest.fixture
async def secured(postgresql_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Wire]:
    """A wire to the shop that speaks TLS, as 127.0.0.1, which this machine believes."""
    folder = tmp_path / "tls"
    folder.mkdir()
    shown = for_loopback(folder)
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "certificate.pem"))
    async with wired(f"{postgresql_shop.socket}/.s.PGSQL.5432", shown) as wire:
        yield wire


async def test_a_manifest_becomes_tools_and_a_connection_that_works(
    shop: Shop, toolhub: Toolhub, tmp_path: Path
) -> None:
    manifest = manifest_in(tmp_path, shop.engine)
    untouched = await shop.content()

    shown = await toolhub("import", "sql", manifest, "--base-url", shop.url, "--only-show")
    unpublished = await toolhub("connect", "shop", "counter", "--base-url", shop.url)
    made = await toolhub("import", "sql", manifest, "--base-url", shop.url)
    connected = await toolhub("connect", "shop", "counter", "--base-url", shop.url)

    assert shown.exit_code == 0, shown.output
    assert "new customer_update" in shown.output
    assert "Published" not in shown.output
    assert unpublished.exit_code == 1
    assert made.exit_code == 0, made.output
    assert "Published shop 1.0.0: 12 new tool version(s)." in one_line(made)
    assert "It works." in connected.output, connected.output
    assert await shop.content() == untouched


async def test_a_changed_manifest_is_shown_field_by_field(sqlite_shop: Shop, toolhub: Toolhub, tmp_path: Path) -> None:
    await toolhub("import", "sql", manifest_in(tmp_path, "sqlite"), "--base-url", sqlite_shop.url)
    changed = manifest_in(tmp_path, "sqlite", **{"changed_rows: 4": "changed_rows: 5"})

    told = await toolhub("import", "sql", changed, "--base-url", sqlite_shop.url)

    assert "changed credit_raise" in told.output
    assert "/binding/limits/changed_rows: 4 -> 5" in told.output


async def test_with_tls_a_database_is_believed_by_its_certificate_and_name(
    secured: Wire, postgresql_shop: Shop, toolhub: Toolhub, tmp_path: Path
) -> None:
    manifest = manifest_in(tmp_path, "postgresql")
    url = f"postgresql+tls://127.0.0.1:{secured.port}/{postgresql_shop.database}"

    made = await toolhub("import", "sql", manifest, "--base-url", url)
    connected = await toolhub("connect", "shop", "counter", "--base-url", url)

    assert made.exit_code == 0, made.output
    assert "It works." in connected.output, connected.output
    assert b"the-shops-password" not in secured.sent  # it was not asked for
    assert b"customer" in secured.sent


async def test_a_certificate_for_another_name_or_of_a_stranger_is_not_believed(
    secured: Wire, postgresql_shop: Shop, toolhub: Toolhub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = manifest_in(tmp_path, "postgresql")
    url = f"postgresql+tls://127.0.0.1:{secured.port}/{postgresql_shop.database}"
    (tmp_path / "other").mkdir()

    other = for_localhost(tmp_path / "other")[0]
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other" / "certificate.pem"))
    by_a_stranger = await toolhub("import", "sql", manifest, "--base-url", url)
    async with wired(f"{postgresql_shop.socket}/.s.PGSQL.5432", other) as wire:
        address = f"postgresql+tls://127.0.0.1:{wire.port}/{postgresql_shop.database}"
        for_another = await toolhub("import", "sql", manifest, "--base-url", address)

    for refused in (by_a_stranger, for_another):
        assert refused.exit_code == 1
        assert "certificate does not prove that it is 127.0.0.1" in one_line(refused)
    assert secured.sent == wire.sent == b""


async def test_a_database_without_tls_is_not_spoken_to_where_its_address_asks_for_it(
    postgresql_shop: Shop, toolhub: Toolhub, tmp_path: Path
) -> None:
    url = postgresql_shop.url.replace("postgresql://", "postgresql+tls://")

    refused = await toolhub("import", "sql", manifest_in(tmp_path, "postgresql"), "--base-url", url)

    assert refused.exit_code == 1
    assert "offers no TLS" in one_line(refused)
    assert postgresql_shop.wire is not None
    assert b"postgres" not in postgresql_shop.wire.sent


@pytest.mark.parametrize(
    ("written", "says"), [(b"name: shop\n", "engine"), (b"name: [\n", "no YAML"), (b"name: \xff\n", "no text in UTF-8")]
)
async def test_what_is_no_manifest_is_said(
    written: bytes, says: str, sqlite_shop: Shop, toolhub: Toolhub, tmp_path: Path
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_bytes(written)

    refused = await toolhub("import", "sql", str(file), "--base-url", sqlite_shop.url)

    assert refused.exit_code == 1
    assert says in one_line(refused)
