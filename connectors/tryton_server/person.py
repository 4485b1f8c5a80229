"""Owns a person's own way into Tryton: a login and JSON-RPC calls that the hub has no part in."""

import base64
from typing import Any

import httpx2

from connectors.sdk.workbench import trusted

Json = Any
"""Any JSON value, in Tryton's spelling: `{"__class__": "Decimal", "decimal": "1.00"}`."""

_SECONDS_TO_ANSWER = 60


class TrytonSays(Exception):
    """Tryton refused what a person asked for; `kind` is its own word, such as UserError or ConcurrencyException."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Person:
    """Somebody who works in Tryton beside the hub: to change records behind its back, and to check what it did."""

    def __init__(self, base_url: str, login: str, password: str) -> None:
        self._client = httpx2.Client(verify=trusted(), base_url=base_url, timeout=_SECONDS_TO_ANSWER)
        user_id, session = self._ask("common.db.login", [login, {"password": password}])[:2]
        token = base64.b64encode(f"{login}:{user_id}:{session}".encode()).decode()
        self._client.headers["authorization"] = f"Session {token}"
        self._context = {"company": 1, "active_test": False}

    @property
    def authorization(self) -> str:
        """Return the header with which this person's requests are signed in."""
        return self._client.headers["authorization"]

    def call(self, method: str, *parameters: Json) -> Json:
        """Return the result of `method`; the context is added.

        Raises:
            TrytonSays: Tryton refused.
        """
        return self._ask(method, [*parameters, self._context])

    def methods(self) -> list[str]:
        """Return the names of all methods that Tryton offers."""
        found: list[str] = self._ask("system.listMethods", [])
        return found

    def read(self, model: str, record: int, *fields: str) -> dict[str, Json]:
        """Return `fields` of one record."""
        found: list[dict[str, Json]] = self.call(f"model.{model}.read", [record], list(fields))
        return found[0]

    def ids(self, model: str, *clauses: list[Json]) -> list[int]:
        """Return the ids of the records that match all `clauses`, oldest first."""
        found: list[int] = self.call(f"model.{model}.search", list(clauses), 0, None, [["id", "ASC"]])
        return found

    def create(self, model: str, **values: Json) -> int:
        """Create one record and return its id."""
        made: list[int] = self.call(f"model.{model}.create", [values])
        return made[0]

    def write(self, model: str, record: int, **values: Json) -> None:
        """Change one record."""
        self.call(f"model.{model}.write", [record], values)

    def press(self, model: str, record: int, button: str) -> None:
        """Press a button of one record."""
        self.call(f"model.{model}.{button}", [record])

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _ask(self, method: str, parameters: list[Json]) -> Json:
        # Only with exactly these members does Tryton answer in the form of JSON-RPC.
        response = self._client.post("/rpc/", json={"id": 1, "method": method, "params": parameters})
        response.raise_for_status()
        answer = response.json()
        if "error" in answer:
            kind, details = answer["error"]
            raise TrytonSays(kind, details if isinstance(details, str) else details[kind == "UserWarning"])
        return answer["result"]
