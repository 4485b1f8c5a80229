"""Serving: whose word is taken for where a request came from, and what a hub makes for itself when it starts."""

from pathlib import Path

import httpx2
import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from typer.testing import CliRunner

from hub.cli import command_line
from hub.cli.console import err, out
from hub.cli.serve import server_config
from hub.settings import Settings

PROXY = "10.0.0.1"
CLAIMED = {"x-forwarded-for": "203.0.113.9, 198.51.100.7"}


async def source(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.client.host if request.client else "")


async def source_seen(settings: Settings, *, peer: str) -> str:
    """Return where the hub believes a request to come from that `peer` hands on."""
    config = server_config(Starlette(routes=[Route("/", source)]), settings)
    config.load()
    transport = httpx2.ASGITransport(app=config.loaded_app, client=(peer, 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        return (await client.get("/", headers=CLAIMED)).text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("peer", "trusted", "seen"),
    [
        (PROXY, '["10.0.0.0/24"]', "198.51.100.7"),
        (PROXY, '["10.0.0.1", "198.51.100.7"]', "203.0.113.9"),
        (PROXY, '["10.0.1.0/24"]', PROXY),
        (PROXY, "[]", PROXY),
        ("127.0.0.1", "[]", "127.0.0.1"),
        ("127.0.0.1", None, "127.0.0.1"),
    ],
)
async def test_only_proxies_that_the_settings_name_may_say_where_a_request_came_from(
    monkeypatch: pytest.MonkeyPatch, peer: str, trusted: str | None, seen: str
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # the server's own setting, by which everybody would be trusted
    if trusted is not None:
        monkeypatch.setenv("TOOLHUB_TRUSTED_PROXIES", trusted)

    assert await source_seen(Settings(_env_file=None), peer=peer) == seen


@pytest.mark.parametrize("everybody", ['["0.0.0.0/0"]', '["::/0"]', '["*"]', '"proxy.example"'])
def test_nobody_can_be_told_to_trust_everybody(monkeypatch: pytest.MonkeyPatch, everybody: str) -> None:
    monkeypatch.setenv("TOOLHUB_TRUSTED_PROXIES", everybody)

    with pytest.raises(ValidationError):
        Settings(_env_file=None)


def test_a_restored_database_without_its_key_is_not_given_another_one(
    connected_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(err, "width", 40)
    (connected_home / "master.key").unlink()

    told = CliRunner().invoke(command_line("serve"), ["serve", "--port", "0"])

    said = " ".join(told.stderr.split())
    assert told.exit_code == 1, told.output
    assert str(connected_home / "master.key") in said, "however narrow the terminal is"
    assert "master.key, the master key under which the keys in this database were made" in said
    assert "put the file back from where you keep it apart" in said
    assert not (connected_home / "master.key").exists()


def test_a_hub_that_is_new_is_told_from_one_that_was_there(
    tmp_path: Path, connected_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out, "width", 400)
    monkeypatch.setenv("TOOLHUB_MASTER_KEY", "no key")  # it ends by itself, once it has a database
    there = CliRunner().invoke(command_line("serve"), ["serve", "--port", "0"])
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "hoem"))
    new = CliRunner().invoke(command_line("serve"), ["serve", "--port", "0"])

    assert (connected_home / "toolhub.db").exists()
    assert "new, empty hub" not in there.stdout
    assert f"A new, empty hub was made in {tmp_path / 'hoem'}." in new.stdout
    assert "is not base64" in new.stderr
