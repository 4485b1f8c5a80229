"""A running Directus with a small CRM in it, made through its own API, on loopback."""

import secrets
import socket
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from directus.installation import Installation, run

Json = Any

_SECONDS_TO_START: Final = 120
_SECONDS_BETWEEN_LOOKS: Final = 0.1
_STAGES: Final = ("new", "qualified", "won", "lost")


class DidNotStart(Exception):
    """Directus did not answer in time; the message holds the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directus:
    """A Directus that runs: `token` is the hub's account, which may do little, `admin` a colleague who may do all."""

    base_url: str
    token: str
    admin: httpx2.Client

    def put(self, collection: str, **members: Json) -> int:
        """Make a record by hand and return its number."""
        return int(self.ask("POST", f"/items/{collection}", members)["id"])

    def edit(self, collection: str, number: int, **members: Json) -> None:
        """Change a record by hand."""
        self.ask("PATCH", f"/items/{collection}/{number}", members)

    def read(self, collection: str, number: int) -> dict[str, Json]:
        """Return a record as it is."""
        return dict(self.ask("GET", f"/items/{collection}/{number}"))

    def ask(self, method: str, path: str, body: Json = None) -> Json:
        """Ask as the colleague and return what is answered."""
        answer = self.admin.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()["data"] if answer.content else None

    def contents(self) -> dict[str, dict[str, Json]]:
        """Return every record of the CRM and every content version; what changes by itself is left out."""
        paths = {name: f"/items/{name}" for name in ("companies", "contacts", "deals")} | {"versions": "/versions"}
        return {
            f"{name}/{record['id']}": {key: value for key, value in record.items() if key != "date_updated"}
            for name, path in paths.items()
            for record in self.ask("GET", f"{path}?limit=-1")
        }


@contextmanager
def running_directus(installation: Installation, folder: Path) -> Generator[Directus]:
    """Yield a Directus with an empty CRM, and end it.

    Raises:
        DidNotStart: it ended, or did not answer in time.
    """
    admin_token, token, port = secrets.token_hex(16), secrets.token_hex(16), _free_port()
    environment = _environment(folder, admin_token, port)
    command = [str(installation.node), str(installation.program)]
    (folder / "uploads").mkdir(parents=True)
    (folder / "extensions").mkdir()
    run([*command, "bootstrap"], folder, environment)
    log_file = folder / "directus.log"
    base_url = f"http://127.0.0.1:{port}"
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [*command, "start"], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    headers = {"authorization": f"Bearer {admin_token}"}
    try:
        with httpx2.Client(base_url=base_url, headers=headers, timeout=60) as admin:
            _wait_for_an_answer(process, admin, log_file)
            running = Directus(base_url=base_url, token=token, admin=admin)
            _furnish(running)
            yield running
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(folder: Path, admin_token: str, port: int) -> dict[str, str]:
    settings = {"DB_CLIENT": "sqlite3", "DB_FILENAME": str(folder / "directus.sqlite"), "SECRET": secrets.token_hex(32)}
    admin = {"ADMIN_EMAIL": "admin@example.com", "ADMIN_PASSWORD": secrets.token_hex(16), "ADMIN_TOKEN": admin_token}
    place = {"HOST": "127.0.0.1", "PORT": str(port), "PUBLIC_URL": f"http://127.0.0.1:{port}"}
    unwanted = ("TELEMETRY", "CACHE_ENABLED", "RATE_LIMITER_ENABLED", "WEBSOCKETS_ENABLED", "PRESSURE_LIMITER_ENABLED")
    off = dict.fromkeys(unwanted, "false")  # the last turns requests away where the machine is busy
    # Nothing of our own environment: a Directus takes its settings from there.
    path = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LOG_LEVEL": "warn", "NODE_ENV": "production"}
    return {**settings, **admin, **place, **off, **path}


def _wait_for_an_answer(process: "subprocess.Popen[bytes]", admin: httpx2.Client, log: Path) -> None:
    give_up_at = time.monotonic() + _SECONDS_TO_START
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            if admin.get("/server/ping").status_code == httpx2.codes.OK:
                return
        except httpx2.TransportError:
            pass
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    raise DidNotStart(log.read_text(errors="replace")[-2000:])


def _furnish(directus: Directus) -> None:
    """Make the collections, and the account of the hub: it sees every deal but those of the region `south`."""
    _collection(directus, "companies", name={}, city={})
    _collection(directus, "contacts", name={}, email={}, company={"type": "integer"})
    stage = {"meta": {"validation": {"stage": {"_in": list(_STAGES)}}}}
    amount, company = {"type": "integer"}, {"type": "integer"}
    _collection(directus, "deals", title={}, stage=stage, amount_minor=amount, company=company, region={})
    role = directus.ask("POST", "/roles", {"name": "The hub"})["id"]
    policy = directus.ask("POST", "/policies", {"name": "The hub", "admin_access": False, "app_access": False})["id"]
    directus.ask("POST", "/access", {"role": role, "policy": policy})
    directus.ask("POST", "/permissions", [{"policy": policy, "fields": ["*"], **one} for one in _permissions()])
    account = {"email": "hub@example.com", "password": secrets.token_hex(16), "token": directus.token, "role": role}
    directus.ask("POST", "/users", account)


def _permissions() -> list[dict[str, Json]]:
    everything = ("create", "read", "update", "delete")
    north = {"_or": [{"region": {"_neq": "south"}}, {"region": {"_null": True}}]}
    return [
        {
            "collection": name,
            "action": action,
            "permissions": north if name == "deals" and action != "create" else {},
        }
        for name in ("companies", "contacts", "deals", "directus_versions", "directus_revisions")
        for action in (("read",) if name == "directus_revisions" else everything)
    ]


def _collection(directus: Directus, collection: str, /, **fields: Mapping[str, Json]) -> None:
    number = {"field": "id", "type": "integer", "schema": {"is_primary_key": True, "has_auto_increment": True}}
    moment = {"field": "date_updated", "type": "timestamp", "schema": {}}
    special = {"meta": {"special": ["date-created", "date-updated"], "readonly": True}}
    declared = [{"field": field, "type": "string", "schema": {}, **more} for field, more in fields.items()]
    versioned = {"collection": collection, "schema": {}, "meta": {"versioning": True, "accountability": "all"}}
    directus.ask("POST", "/collections", {**versioned, "fields": [number, *declared, {**moment, **special}]})


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
