"""Values of reviews: a write to be looked at afterwards, what was said of it, and how samples are drawn."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.identity.principals import Principal, PrincipalKind
from hub.keys import Keyring
from hub.policy import admits

THOUSAND = 1000


class ReviewKind(StrEnum):
    """Why a write is looked at afterwards."""

    GLASS = "glass"
    """Somebody broke the glass: it was carried out without anybody's approval."""
    SAMPLE = "sample"
    """Policy let it go by itself, and it was drawn."""


class Verdict(StrEnum):
    """What a reviewer says."""

    FINE = "fine"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReview:
    """A review before it is on record. `reviewers` are groups, as a rule asks them; `excluded` may not review."""

    kind: ReviewKind
    approval_digest: str
    invocation_id: str
    environment: str
    agent_id: str
    tool_id: str
    tool_name: str
    reviewers: tuple[str, ...]
    excluded: frozenset[str]
    owned_agent_id: str | None = None
    """The agent, where it wrote for nobody: whoever owns it by now may not review either."""
    breaker_id: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(NewReview):
    """A review as it stands."""

    id: str
    opened_at: datetime | None
    verdict: Verdict | None = None
    reviewer_id: str | None = None
    reason: str | None = None
    reviewed_at: datetime | None = None

    def is_for(self, person: Principal) -> bool:
        """Return whether this person may review it: in a group that is asked, active, and no part of the call."""
        if person.kind is not PrincipalKind.USER or person.is_suspended or person.id in self.excluded:
            return False
        return any(admits(group, person.groups) for group in self.reviewers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """That whoever answers for a tool has looked at an agent's setbacks with it."""

    agent_id: str
    tool_id: str
    looked_by: str | None
    reason: str
    looked_at: datetime


def is_drawn(approval_digest: str, per_mille: int, keys: Keyring) -> bool:
    """Return whether a write is in the sample: always the same, and nobody without the hub's key can tell before.

    The approval digest holds a nonce, so that the same call made again is drawn anew.
    """
    drawn = int(keys.authenticate(approval_digest.encode(), context="review sample")[:16], 16)
    return drawn * THOUSAND >> 64 < per_mille
