"""Where SQL connections lead: files in allowed folders, and addresses that the operator allows."""

import shutil
from pathlib import Path

import pytest
from sql_shop import Shop

from connectors.sdk.errors import Unavailable
from hub.execution.databases import system_at
from sandbox.reach import Reach

pytestmark = pytest.mark.anyio


async def _secret() -> dict[str, str]:
    return {"username": "postgres", "password": "p"}


async def test_a_file_is_opened_in_an_allowed_folder_alone(sqlite_shop: Shop, tmp_path: Path) -> None:
    outside = tmp_path / "outside.db"
    shutil.copyfile(sqlite_shop.url.removeprefix("sqlite://"), outside)
    (sqlite_shop.folder / "link.db").symlink_to(outside)
    (sqlite_shop.folder / "folder.db").mkdir()
    reach = Reach(folders=(sqlite_shop.folder,))

    assert "note" in await system_at(sqlite_shop.url, _secret, reach).describe(["note"], "public")
    for url in (
        f"sqlite://{outside}",
        f"sqlite://{sqlite_shop.folder}/link.db",
        f"sqlite://{sqlite_shop.folder}/folder.db",
    ):
        with pytest.raises(Unavailable, match="no such database file"):
            await system_at(url, _secret, reach).describe(["note"], "public")
    with pytest.raises(Unavailable):
        await system_at(sqlite_shop.url, _secret, Reach()).describe(["note"], "public")


async def test_a_private_address_needs_the_operators_leave_and_a_public_one_needs_tls() -> None:
    async def resolve(host: str) -> list[str]:
        return {"db.example.com": ["10.0.0.1"], "far.example.com": ["93.184.215.14"]}[host]

    for url, networks, why in (
        ("postgresql://127.0.0.1:1/db", (), "may not connect"),
        ("postgresql://169.254.169.254:80/db", Reach().private_networks, "may not connect"),
        ("postgresql://db.example.com/db", Reach().private_networks, "may not connect"),
        ("postgresql://far.example.com/db", Reach().private_networks, "tls"),
    ):
        system = system_at(url, _secret, Reach(private_networks=networks, resolve=resolve))
        with pytest.raises(Unavailable, match=why):
            await system.describe(["note"], "public")
