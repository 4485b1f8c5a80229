"""Values of standing grants: a grant as it stands, one that is to be put on record, and the limits it may carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.sdk.vocabulary import Tier
from hub.core.errors import InputError
from hub.policy import Obligation

Json = Any
"""Any JSON value."""

Fact = int | str | bool
"""What policy may see of one argument."""


Beside = tuple[str, str]
"""A side effect as standing grants see it: its kind, and its recipient, which may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What one exposed fact may be: a number from 0 to `at_most`, or one of a few values."""

    at_most: int | None = None
    one_of: tuple[Fact, ...] = ()

    def allows(self, fact: Fact) -> bool:
        """Return whether a call with this fact stays within the limit."""
        if self.at_most is not None:
            return type(fact) is int and 0 <= fact <= self.at_most
        return any(type(one) is type(fact) and one == fact for one in self.one_of)

    def as_json(self) -> dict[str, Json]:
        """Return it as it is stored and shown."""
        return {"one_of": list(self.one_of)} if self.at_most is None else {"at_most": self.at_most}

    def __str__(self) -> str:
        if self.at_most is not None:
            return f"at most {self.at_most:,}"
        return " or ".join(str(one).lower() if isinstance(one, bool) else str(one) for one in self.one_of)


def read_limit(at_most: int | None, one_of: Sequence[Fact]) -> Limit:
    """Return the limit that somebody asks for.

    Raises:
        InputError: it says both, or neither.
    """
    if (at_most is None) == (not one_of):
        raise InputError("A limit names either the most a number may be (at_most) or the values allowed (one_of).")
    if at_most is not None and at_most < 0:
        raise InputError("A limit allows numbers from 0 up to at_most; at_most is not below 0.")
    return Limit(at_most=at_most, one_of=tuple(one_of))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStandingGrant:
    """A grant before it is on record; `asked` is the one vote it stands for.

    `most_rows` and `most_parties` bound each call as its preview shows it, and so do `side_effects`: what its giver saw
    happen beside the changes, each kind with its recipient, as often as it was seen; no call does more. With
    `to_anybody`, those kinds may reach anybody. `not_covered` is what its giver was told that no preview shows.
    """

    giver_id: str
    asked: Obligation
    agent_id: str
    tool_id: str
    tool_name: str
    tool_version_digest: str
    connection_id: str
    connection_generation: int
    environment: str
    tier: Tier
    limits: Mapping[str, Limit]
    most_rows: int
    most_parties: int
    side_effects: tuple[Beside, ...]
    not_covered: frozenset[str]
    to_anybody: bool
    uses: int
    money_minor: int
    money_per_call_minor: int
    currency: str
    reason: str
    like_invocation_id: str
    authenticated_at: datetime
    given_at: datetime
    expires_at: datetime

    @property
    def group(self) -> str:
        """The group, or the groups, whose one vote it stands for."""
        return self.asked.group


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingGrant(NewStandingGrant):
    """A grant as it stands: what is left of it, and whether somebody has taken it back."""

    id: str
    uses_left: int
    money_left_minor: int
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    revoked_reason: str | None = None

    def ended(self, at: datetime) -> str:
        """Return in words why no further call can use it at the moment `at`; empty while calls can."""
        if self.revoked_at is not None:
            return "it was revoked"
        if self.expires_at <= at:
            return "its time is over"
        return "" if self.uses_left > 0 else "it has been used up"
