"""What `check --send` does: reports to a hub elsewhere what the kit found, signed if this machine is a runner of it."""

import base64
import os
import socket
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hub.cli.console import fail
from hub.registry import Badge
from hub.registry.reports import Report, Signature, report_of

_TOKEN: Final = "TOOLHUB_REPORT_TOKEN"  # noqa: S105  # a variable's name
_RUNNER: Final = "TOOLHUB_RUNNER"
_KEY: Final = "TOOLHUB_RUNNER_KEY"
_PLACE: Final = "TOOLHUB_RUNNER_PLACE"
_SECONDS: Final = 60.0
_CREATED: Final = 201
_LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The way to a hub elsewhere: its address, a token for its API and, for a runner, its name and key."""

    hub: str
    token: str
    runner: str = ""
    key: Ed25519PrivateKey | None = None

    def send(self, badge: Badge) -> str:
        """Report `badge`, and return in words how the hub has taken it; end the command if it has not."""
        report = report_of(badge, place=os.environ.get(_PLACE) or socket.gethostname(), kit=version("toolhub"))
        signature = self._signature(report)
        body = {
            "report": report.model_dump(mode="json"),
            "signature": None if signature is None else signature.model_dump(mode="json"),
        }
        address = f"{self.hub}/api/v1/connectors/{badge.connector}/reports"
        headers = {"authorization": f"Bearer {self.token}"}
        try:
            answer = httpx2.post(address, json=body, headers=headers, timeout=_SECONDS, trust_env=False)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            fail(f"{self.hub} cannot be reached: {type(error).__name__}. Nothing was reported.")
        if answer.status_code != _CREATED:
            fail(f"{self.hub} has not taken the report ({answer.status_code}): {_problem(answer)}")
        return "as a badge that counts" if signature is not None else "as its owner's word, which proves nothing there"

    def _signature(self, report: Report) -> Signature | None:
        if self.key is None:
            return None
        return Signature(
            runner=self.runner, value=base64.b64encode(self.key.sign(report.signed_bytes())).decode("ascii")
        )


def sender_to(hub: str) -> Sender:
    """Return the way to the hub at `hub`, before anything is tried; end the command if something is missing."""
    parts = urlsplit(hub)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
    if not is_safe or not parts.hostname or parts.username or parts.query:
        fail(f"{hub!r} is no address of a hub: a token goes only to https://host, or to this very machine.")
    token = os.environ.get(_TOKEN)
    if not token:
        fail(f"Set {_TOKEN} to an access token for the API of {hub}.")
    runner, file = os.environ.get(_RUNNER, ""), os.environ.get(_KEY, "")
    if bool(runner) is not bool(file):
        fail(f"A runner has a name and a key: set both {_RUNNER} and {_KEY}, or neither.")
    return Sender(hub=hub.rstrip("/"), token=token, runner=runner, key=_key(Path(file)) if file else None)


def _key(file: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        fail(f"{file} is no private key in PEM that can be read: {type(error).__name__}.")
    if not isinstance(key, Ed25519PrivateKey):
        fail(f"{file} is no Ed25519 key; make one, for example by `openssl genpkey -algorithm ed25519`.")
    return key


def _problem(answer: httpx2.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        return "it answered with something else than a hub would."
    return str(cast("dict[str, object]", said).get("detail", "")) if isinstance(said, dict) else ""
