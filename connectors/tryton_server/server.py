"""Owns a running Tryton: a copy of the seeded database, a child process on loopback, its log, its end."""

import shutil
import socket
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from connectors.sdk.workbench import trusted
from connectors.tryton_server.installation import DATABASE, TWIN, Installation, configuration, make_twin
from connectors.tryton_server.person import Person

_SECONDS_TO_START = 60
_SECONDS_TO_STOP = 10
_SECONDS_BETWEEN_LOOKS = 0.05
_CHARACTERS_OF_LOG_SHOWN = 2000


class DidNotStart(Exception):
    """Tryton did not answer in time; the message holds the end of its log."""


class TrytonServer:
    """A Tryton with its own copy of the seeded company in `folder`. It may be stopped and started again.

    Use it as a context manager, or call `start` and `stop`. `with_trial`, its module hub_trial is active. With
    `postgresql`, the URI of a server, it works in the database there that `seed_on_postgresql` has filled.
    """

    def __init__(
        self, installation: Installation, folder: Path, *, with_trial: bool = False, postgresql: str | None = None
    ) -> None:
        self._installation = installation
        self._postgresql = postgresql
        self._template = installation.template_with_trial if with_trial else installation.template
        self._folder = folder.resolve()
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self.database_file = self._folder / f"{DATABASE}.sqlite"
        self.log_file = self._folder / "trytond.log"

    @property
    def base_url(self) -> str:
        """Return what a connection's base URL is, without a slash at the end; it stays the same after a restart."""
        return f"http://127.0.0.1:{self._port}/{DATABASE}"

    @property
    def process_id(self) -> int | None:
        """Return the id of the running process, or None."""
        return None if self._process is None else self._process.pid

    @property
    def passwords(self) -> dict[str, str]:
        """Return the password of each login: admin, hub, clerk."""
        return dict(self._installation.passwords)

    def start(self) -> None:
        """Start Tryton and return once it answers.

        Raises:
            DidNotStart: it ended, or did not answer within a minute.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._postgresql is None and not self.database_file.exists():
            shutil.copyfile(self._template, self.database_file)
        self._port = self._port or _free_port()
        settings = self._folder / "tryton.conf"
        settings.write_text(configuration(self._folder, port=self._port, uri=self._postgresql or "sqlite://"))
        databases = [DATABASE, *([TWIN] if (self._folder / f"{TWIN}.sqlite").exists() else [])]
        command = [str(self._installation.programs / "trytond"), "-c", str(settings), "-d", *databases]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603  # the installation's own program
        self._wait_for_an_answer(self._process)

    def make_twin(self) -> None:
        """Copy the database, on SQLite, into a twin beside it, and start Tryton anew, which then serves both.

        Raises:
            SetupFailed: it cannot be copied.
        """
        self.stop()
        make_twin(self._installation, self._folder / "tryton.conf")
        self.start()

    @property
    def twin_url(self) -> str:
        """Return what a connection's twin is called, once there is one."""
        return f"http://127.0.0.1:{self._port}/{TWIN}"

    def stop(self) -> None:
        """End the process, politely first; nothing happens if there is none."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def person(self, login: str) -> Person:
        """Return somebody who signs in as `login` (admin, hub or clerk) and works in Tryton by hand."""
        return Person(self.base_url, login, self._installation.passwords[login])

    def snapshot(self, database: str = DATABASE) -> dict[str, list[tuple[object, ...]]]:
        """Return every row of every table but those that signing in touches: equal before and after, nothing wrote."""
        file = self._folder / f"{database}.sqlite"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
            return {
                name: connection.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall()  # noqa: S608  # the schema's own name
                for (name,) in names
                if name not in _NOT_BUSINESS
            }

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _wait_for_an_answer(self, process: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + _SECONDS_TO_START
        while process.poll() is None and time.monotonic() < give_up_at:
            if self._answers():
                return
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        self.stop()
        log = self.log_file.read_text(errors="replace")[-_CHARACTERS_OF_LOG_SHOWN:]
        raise DidNotStart(f"Tryton did not start on port {self._port}. Its log ends with:\n{log}")

    def _answers(self) -> bool:
        question = '{"id": 0, "method": "common.server.version", "params": []}'
        try:
            return httpx2.post(
                f"http://127.0.0.1:{self._port}/rpc/", content=question, headers=_JSON, verify=trusted()
            ).is_success
        except httpx2.TransportError:
            return False


_JSON = {"content-type": "application/json"}
_NOT_BUSINESS = frozenset({"ir_session", "ir_cache", "ir_cache_keyring", "res_user_login_attempt", "sqlite_sequence"})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
