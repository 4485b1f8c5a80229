"""Values of pins: a change of what a federated server says, and the latest look at it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.pins.advice import Advice


class State(StrEnum):
    """How a change stands; from all but the first there is no way on."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    """It is not shown again until the server says something else."""
    REPLACED = "replaced"
    """The server says something else by now, or again what was accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a server says otherwise than was accepted; `said` reads the release that accepting it makes."""

    id: str
    connector: str
    connection_id: str
    digest: str
    advice: tuple[Advice, ...]
    state: State
    found_at: datetime
    ended_at: datetime | None
    decided_by: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The latest look at a connection's server; `problem` says why there was nothing to see."""

    connection_id: str
    looked_at: datetime | None
    problem: str | None
