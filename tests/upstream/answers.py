"""What the test upstream answers with."""

from dataclasses import dataclass, field
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a JSON body and headers."""

    status: int
    body: Json
    headers: dict[str, str] = field(default_factory=dict[str, str])


def refused(status: int, detail: str) -> Answer:
    """Return a refusal that says why, as RFC 9457 does."""
    return Answer(status, {"detail": detail}, {"content-type": "application/problem+json"})
