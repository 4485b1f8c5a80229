"""`toolhub connector check --send` reports to a hub elsewhere, signed where this machine is a runner of it."""

import base64
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.api.runners import SentReport
from hub.cli.connector.sending import sender_to
from hub.registry import Badge, BadgeLine, BadgeVerdict, Grade, Promise

LINE = BadgeLine(
    operation="item_get", promise=Promise.ERRORS, verdict=BadgeVerdict.PASSED, grade=Grade.LIVE, reason="Tried."
)
BADGE = Badge(
    connector="upstream",
    version="1.0.0",
    artefact_digest="0" * 64,
    system="the test upstream",
    checked_at=datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC),
    covers={"item_get": "1" * 64},
    lines=(LINE,),
)


@dataclass
class Elsewhere:
    """A hub elsewhere: what it was sent, and what it answers."""

    url: str = ""
    status: int = 201
    seen: list[tuple[str, str | None, Any]] = field(default_factory=list[tuple[str, str | None, Any]])


@contextmanager
def listening() -> Generator[Elsewhere]:
    elsewhere = Elsewhere()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            elsewhere.seen.append((self.path, self.headers["authorization"], json.loads(body)))
            said = json.dumps({"detail": "publish it first"}).encode()
            self.send_response(elsewhere.status)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the library's word
            del format, arguments

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    elsewhere.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield elsewhere
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLHUB_REPORT_TOKEN", "a-token")
    monkeypatch.setenv("TOOLHUB_RUNNER_PLACE", "CI run 12")


def test_what_an_owner_sends_is_not_signed() -> None:
    with listening() as elsewhere:
        said = sender_to(elsewhere.url + "/").send(BADGE)

    ((path, authorization, body),) = elsewhere.seen
    sent = SentReport.model_validate(body)
    assert (path, authorization) == ("/api/v1/connectors/upstream/reports", "Bearer a-token")
    assert (sent.signature, sent.report.place, sent.report.covers) == (None, "CI run 12", BADGE.covers)
    assert said == "as its owner's word, which proves nothing there"


def test_what_a_runner_sends_is_signed_as_the_hub_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = Ed25519PrivateKey.generate()
    file = tmp_path / "runner.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    monkeypatch.setenv("TOOLHUB_RUNNER", "ci")
    monkeypatch.setenv("TOOLHUB_RUNNER_KEY", str(file))

    with listening() as elsewhere:
        sender_to(elsewhere.url).send(BADGE)

    sent = SentReport.model_validate(elsewhere.seen[0][2])
    assert sent.signature is not None
    assert sent.signature.runner == "ci"
    key.public_key().verify(base64.b64decode(sent.signature.value), sent.report.signed_bytes())


def test_what_the_hub_refuses_ends_the_command_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with listening() as elsewhere:
        elsewhere.status = 404
        sender = sender_to(elsewhere.url)

        with pytest.raises(typer.Exit):
            sender.send(BADGE)

    assert "publish it first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("hub", "variables", "why"),
    [
        ("http://hub.example.com", {}, "goes only to https"),
        ("https://user@hub.example.com", {}, "no address of a hub"),
        ("hub", {}, "no address of a hub"),
        ("https://hub.example.com", {"TOOLHUB_REPORT_TOKEN": ""}, "TOOLHUB_REPORT_TOKEN"),
        ("https://hub.example.com", {"TOOLHUB_RUNNER": "ci"}, "set both"),
        (
            "https://hub.example.com",
            {"TOOLHUB_RUNNER": "ci", "TOOLHUB_RUNNER_KEY": "no-such-file.pem"},
            "no private key",
        ),
    ],
)
def test_what_is_missing_is_said_before_anything_is_tried(
    hub: str, variables: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(typer.Exit):
        sender_to(hub)

    assert why in " ".join(capsys.readouterr().err.split())
