"""Owns a running CAP: what it needs from npm, a copy with an empty database, a process on loopback, and its end."""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from locked_packages import NODE, installed

Json = Any

SOURCE = Path(__file__).parent / "service"
HUB, CLERK = ("hub", "hub-password"), ("clerk", "clerk-password")
_OF_DRAFTS = "_drafts"
_NOT_BUSINESS = frozenset({"journal_Entries"})


def install(home: Path) -> Path:
    """Return the folder of the service with what it needs, from its lock file; made once and kept."""
    return installed(SOURCE, home, "cap")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """The running service."""

    base_url: str
    database: Path

    def rows(self, statement: str) -> list[dict[str, Json]]:
        """Return what a query finds in the service's database."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement)]

    def contents(self) -> dict[str, dict[str, Json]]:
        """Return every record, drafts included, by table and key."""
        tables = [row["name"] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {
            f"{table}/{next(iter(row.values()))}": row
            for table in tables
            if table not in _NOT_BUSINESS
            for row in self.rows(f'SELECT * FROM "{table}" ORDER BY 1')  # noqa: S608  # the schema's own name
        }

    @property
    def drafts(self) -> int:
        """How many drafts there are."""
        return sum(_OF_DRAFTS in name or name.startswith("DRAFT_") for name in self.contents())

    @property
    def events(self) -> list[str]:
        """What has taken effect on live records, in its order."""
        return [row["event"] for row in self.rows("SELECT event FROM journal_Entries ORDER BY number")]

    def clerk(self, method: str, path: str, body: Json = None) -> Json:
        """Return what a colleague who works in the service by hand gets."""
        headers = {"if-match": "*"} if "(" in path else {}
        address = f"{self.base_url}{path}"
        answer = httpx2.request(method, address, json=body, headers=headers, auth=CLERK, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@contextmanager
def running(installed: Path, folder: Path) -> Generator[Cap]:
    """Yield the service, running on an empty database in `folder`; its process ends with the block."""
    service = folder / "service"
    shutil.copytree(SOURCE, service)
    (service / "node_modules").symlink_to(installed / "node_modules")
    with (folder / "cap.log").open("w+") as log:
        process = subprocess.Popen(
            [str(NODE), "serve.js"], cwd=service, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                lines = (line for line in process.stdout if line.startswith("{"))
                port = json.loads(next(lines, '{"port": 0}'))["port"]
                assert port, (folder / "cap.log").read_text()[-2000:]
                yield Cap(base_url=f"http://127.0.0.1:{port}/orders", database=service / "orders.sqlite")
            finally:
                process.stdin.close()
                process.stdout.read()
                process.wait()
