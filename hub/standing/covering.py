"""Whether a standing grant covers a call, pure: everything that must be as it was granted, and every limit."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connectors.sdk.preview import Blast
from connectors.sdk.vocabulary import Fidelity, Tier
from hub.policy import Obligation
from hub.standing.values import Beside, Fact, StandingGrant

LEAST_FIDELITY: Final = Fidelity.SIMULATED
"""Below this nobody has seen how far a call reaches, and no limit on it can be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One previewed write as a standing grant sees it; `excluded` are those who may not decide it."""

    agent_id: str
    agent_owner_id: str | None
    excluded: frozenset[str]
    tool_id: str
    tool_version_digest: str
    connection_id: str
    connection_generation: int
    environment: str
    tier: Tier
    obligations: Sequence[Obligation]
    facts: Mapping[str, Fact]
    fidelity: Fidelity
    blast: Blast
    side_effects: tuple[Beside, ...]
    not_covered: frozenset[str]

    @property
    def money_minor(self) -> int:
        """What it would take from a budget; where nobody knows that, no grant with a budget covers it."""
        return self.blast.money_minor or 0


def is_single_vote(obligations: Sequence[Obligation]) -> bool:
    """Return whether one vote of one group is all that is asked: more people are never replaced by a grant."""
    return len(obligations) == 1 and obligations[0].count == 1 and not obligations[0].is_confirmation


def can_stand_for(obligations: Sequence[Obligation], *, tier: Tier, fidelity: Fidelity) -> bool:
    """Return whether any standing grant can stand for what is asked about such a write."""
    return tier is not Tier.CRITICAL and is_single_vote(obligations) and fidelity.rank >= LEAST_FIDELITY.rank


def why_not(grant: StandingGrant, case: Case) -> str:
    """Return in words why `grant` does not stand for the vote that `case` asks for; empty if it does.

    What is left of it, its expiry and its revocation are not looked at: whoever spends from it asks the database.
    """
    return next(_obstacles(grant, case), "")


def _obstacles(grant: StandingGrant, case: Case) -> Iterator[str]:
    yield from _of_question(grant, case)
    yield from _of_giver(grant, case)
    yield from _of_tool(grant, case)
    yield from _of_reach(grant, case)
    yield from _of_side_effects(grant, case)
    for name, limit in grant.limits.items():
        if name not in case.facts:
            yield f"this call does not say its {name}"
        elif not limit.allows(case.facts[name]):
            yield f"{name} is not within {limit}"


def _of_question(grant: StandingGrant, case: Case) -> Iterator[str]:
    if case.tier is Tier.CRITICAL:
        yield "a critical write needs people"
    if case.tier.rank > grant.tier.rank:
        yield f"its risk tier is now {case.tier.value}"
    if not is_single_vote(case.obligations):
        yield "more than one vote is asked for"
        return
    (asked,) = case.obligations
    if asked.group != grant.group:
        yield f"the group {asked.group} is asked"
    if asked.fresh_seconds is not None:
        age = grant.given_at - grant.authenticated_at
        if age > timedelta(seconds=asked.fresh_seconds):
            yield "the rule asks for a fresh login, and it was given without one"


def _of_giver(grant: StandingGrant, case: Case) -> Iterator[str]:
    if grant.giver_id in case.excluded or grant.giver_id == case.agent_owner_id:
        yield "its giver takes part in this call"


def _of_tool(grant: StandingGrant, case: Case) -> Iterator[str]:
    if case.agent_id != grant.agent_id or case.tool_id != grant.tool_id:
        yield "it is for another agent or tool"
    if case.tool_version_digest != grant.tool_version_digest:
        yield "the tool has a new version"
    if (case.connection_id, case.environment) != (grant.connection_id, grant.environment):
        yield "it is for another connection"
    if case.connection_generation != grant.connection_generation:
        yield "the connection has been changed or signed in anew"


def _of_reach(grant: StandingGrant, case: Case) -> Iterator[str]:
    if case.fidelity.rank < LEAST_FIDELITY.rank:
        yield "its preview does not show how far it reaches"
    if case.blast.rows > grant.most_rows:
        yield f"it reaches more records ({case.blast.rows:,}) than are allowed ({grant.most_rows:,})"
    if case.blast.parties > grant.most_parties:
        yield f"it concerns more parties ({case.blast.parties:,}) than are allowed ({grant.most_parties:,})"
    if case.blast.money_minor is None and (grant.money_minor or grant.currency):
        yield "its preview does not say how much money it moves"
    if case.money_minor > grant.money_per_call_minor:
        yield "it moves more money than one call may"
    if case.money_minor and case.blast.currency != grant.currency:
        yield "it moves another currency"


def _of_side_effects(grant: StandingGrant, case: Case) -> Iterator[str]:
    """Yield what happens beside the changes, or may, that the giver neither saw nor allowed in so many words."""
    if case.not_covered - grant.not_covered:
        yield "its preview leaves something out of which its giver was not told"
    seen, done = Counter(grant.side_effects), Counter(case.side_effects)
    kinds, of_kinds = (Counter(kind for kind, _ in pairs) for pairs in (grant.side_effects, case.side_effects))
    if any(kind in kinds for kind in of_kinds - kinds):
        yield "it does more beside its changes than its giver saw"
    named = {fact for name, fact in case.facts.items() if (limit := grant.limits.get(name)) and fact in limit.one_of}
    for kind, recipient in done - seen:
        if kind not in kinds:
            yield "it does something beside its changes that its giver did not see"
        elif recipient not in named and not grant.to_anybody:
            yield "it reaches somebody, beside its changes, whom its giver did not see, or not as often"
