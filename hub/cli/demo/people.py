"""The demo's people at the API: they log in, look at what they are asked, and vote on exactly that."""

import time
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from connectors.sdk.workbench import trusted
from hub.cli.demo.telling import Unexpected, expect

Json = Any
"""Any JSON value."""

_SECONDS_TO_ANSWER: Final = 60
_SECONDS_TO_HAPPEN: Final = 120
_SECONDS_BETWEEN_LOOKS: Final = 0.2
_CREATED: Final = 201
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a vote was answered with: a status, and how the invocation stands or which problem there is."""

    status: int
    body: dict[str, Json]

    @property
    def is_counted(self) -> bool:
        """Return whether the vote was counted."""
        return self.status == _CREATED

    @property
    def code(self) -> str:
        """Return the code of the problem, if there is one."""
        return str(self.body.get("code", ""))


class Colleague:
    """Somebody with an account, a session and opinions."""

    def __init__(self, hub_url: str, name: str, password: str) -> None:
        self.name = name
        self._password = password
        self._http = httpx2.Client(verify=trusted(), base_url=f"{hub_url}/api/v1", timeout=_SECONDS_TO_ANSWER)
        self._csrf_token = ""

    def log_in(self) -> None:
        """Log in; with a session at hand it is a fresh login that takes its place."""
        answer = self._http.post("/session", json={"name": self.name, "password": self._password})
        expect(answer.status_code == _CREATED, f"{self.name} cannot log in: {answer.text}")
        self._csrf_token = answer.json()["csrf_token"]

    def question(self, invocation_id: str) -> dict[str, Json]:
        """Return everything that an approver is shown about a write."""
        return self._get(f"/approvals/{invocation_id}")

    def invocation(self, invocation_id: str) -> dict[str, Json]:
        """Return how one of this person's invocations stands."""
        return self._get(f"/invocations/{invocation_id}")

    def approve(self, invocation_id: str, *, digest: str, reason: str) -> Answer:
        """Vote for exactly what `digest` stands for, and return the answer, whatever it is."""
        answer = self._http.post(
            f"/approvals/{invocation_id}/votes",
            json={"digest": digest, "choice": "approve", "reason": reason},
            headers={"X-CSRF-Token": self._csrf_token},
        )
        return Answer(status=answer.status_code, body=answer.json())

    def see_decided(self, invocation_id: str) -> dict[str, Json]:
        """Return the invocation once it has left the hands of its approvers, however long they take."""
        while True:
            standing = self.invocation(invocation_id)
            if standing["status"] != "pending_approval":
                return standing
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def see(self, invocation_id: str, *states: str, revision: int = 1) -> dict[str, Json]:
        """Return the invocation once it is in one of `states` in this revision.

        Raises:
            Unexpected: it did not come to that within two minutes.
        """
        give_up_at = time.monotonic() + _SECONDS_TO_HAPPEN
        standing = self.invocation(invocation_id)
        while standing["state"] not in states or standing["revision"] < revision:
            if time.monotonic() > give_up_at:
                wanted = f"{' or '.join(states)} in revision {revision}"
                raise Unexpected(
                    f"{invocation_id} should be {wanted}; it is {standing['state']}: {standing['message']}"
                )
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            standing = self.invocation(invocation_id)
        return standing

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def _get(self, path: str) -> dict[str, Json]:
        answer = self._http.get(path)
        expect(answer.status_code != _NOT_FOUND, f"{self.name} is not shown {path}.")
        expect(answer.is_success, f"{path} answered {answer.status_code} to {self.name}: {answer.text}")
        found: dict[str, Json] = answer.json()
        return found
