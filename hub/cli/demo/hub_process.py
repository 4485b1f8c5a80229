"""The demo's hub: a real `toolhub serve` on loopback with a home of its own, and other `toolhub` commands beside it."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx2

from connectors.sdk.workbench import trusted
from hub.cli.demo.telling import Unexpected
from hub.settings import Settings

_SECONDS_TO_START: Final = 60
_SECONDS_TO_STOP: Final = 20
_SECONDS_FOR_A_COMMAND: Final = 120
_SECONDS_BETWEEN_LOOKS: Final = 0.1
_CHARACTERS_OF_LOG_SHOWN: Final = 3000


class HubProcess:
    """A hub with its data in `home`. Use it as a context manager."""

    def __init__(self, home: Path, port: int | None) -> None:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.home = home
        self.port = port or free_port()
        self.log_file = home / "hub.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the hub is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        """The settings that the hub runs with, whatever else the environment says."""
        return Settings(
            home=self.home,
            port=self.port,
            database_url=None,
            host="127.0.0.1",
            public_url=None,
            master_key=None,
            notices_file=self.home / "notices.jsonl",
            connector_paths=(),
        )

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Return how a `toolhub` command on this hub's home ended."""
        return subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "hub", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.home,
            env=self._environment(),
            timeout=_SECONDS_FOR_A_COMMAND,
        )

    def wait(self) -> None:
        """Return when the hub has ended by itself."""
        if self._process is not None:
            self._process.wait()

    def __enter__(self) -> Self:
        """Start the hub, and return once it answers.

        Raises:
            Unexpected: it did not start; the message holds the end of its log.
        """
        if not _is_free(self.port):
            raise Unexpected(f"Port {self.port} is in use by another program; choose another one with --port.")
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(  # our own program
                [sys.executable, "-m", "hub", "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,  # where no .env of somebody else is read
                env=self._environment(),
            )
        give_up_at = time.monotonic() + _SECONDS_TO_START
        while self._process.poll() is None and time.monotonic() < give_up_at:
            if self._answers():
                return self
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        self._stop(self._process)
        log_end = self.log_file.read_text(errors="replace")[-_CHARACTERS_OF_LOG_SHOWN:]
        raise Unexpected(f"The hub did not start on port {self.port}. Its log ends with:\n{log_end}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the hub, politely first."""
        if self._process is not None:
            self._stop(self._process)

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(timeout=_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/.well-known/oauth-authorization-server", verify=trusted()).is_success
        except httpx2.TransportError:
            return False

    def _environment(self) -> dict[str, str]:
        foreign = {name: value for name, value in os.environ.items() if not name.upper().startswith("TOOLHUB_")}
        own = {
            "TOOLHUB_HOME": str(self.home),
            "TOOLHUB_HOST": "127.0.0.1",
            "TOOLHUB_PORT": str(self.port),
            "TOOLHUB_NOTICES_FILE": str(self.home / "notices.jsonl"),
        }
        return foreign | own


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
