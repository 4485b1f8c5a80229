"""Policy: the bundle that decides, what another one would have decided, proposals, and their publication."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hub import bundles
from hub.api.access import PolicyManager, PolicyReader, RuntimeParameter
from hub.api.bodies import Body, Id
from hub.bundles import Proposal, Publication, Second
from hub.invocations.replay import Candidate, Difference, what_if
from hub.policy import Bundle, BundleInvalid, refuse_unfit, remarks
from hub.registry import Environment

router = APIRouter(prefix="/policy", tags=["policy"])

LONGEST_BUNDLE = 256 * 1024


class BundleView(BaseModel):
    """A bundle."""

    environment: Environment
    digest: str
    text: str = Field(description="Cedar, with its examples in comments.")
    remarks: list[str] = Field(description="What to look at before it decides, such as a guard that it lost.")


class ProposalView(BundleView):
    """A bundle that waits for a second person."""

    id: str
    proposed_by: str


class PolicyView(BaseModel):
    """What decides in an environment, and what waits to."""

    active: BundleView
    proposals: list[ProposalView]
    takes_two: bool = Field(description="Whether another person than the one who proposed must publish.")


class BundleBody(Body):
    """A bundle's text."""

    text: str = Field(min_length=1, max_length=LONGEST_BUNDLE)


class Trial(BundleBody):
    """A bundle to be tried on the record."""

    days: int = Field(default=30, ge=1, le=3650, description="How far back the record is read.")


class DifferenceView(BaseModel):
    """A decision on record that would have come out otherwise."""

    invocation: str
    at: datetime
    tool: str
    action: str
    change: str = Field(description="refused, asked, relieved, let_through, terms or reasoned")
    was: dict[str, Any]
    would_be: dict[str, Any]


class TrialResult(BaseModel):
    """What a bundle would have decided otherwise."""

    remarks: list[str] = Field(description="What to look at before it decides, such as a guard that it lost.")
    decisions: int = Field(description="How many decisions on record were made again.")
    same: int
    erased: int = Field(description="How many could not be, because their facts have been erased.")
    uncounted: int = Field(description="How many could not be: what the bundle counts of their past is not on record.")
    changed: dict[str, int] = Field(description="By the kind of change.")
    differences: list[DifferenceView] = Field(description="The first thousand.")


@router.get("/{environment}", operation_id="getPolicy", summary="What decides, and what waits to")
async def get_policy(runtime: RuntimeParameter, _acting: PolicyReader, environment: Environment) -> PolicyView:
    """Return the bundle that decides in an environment, and the proposals that wait for a second person."""
    async with runtime.database.reading() as tx:
        active = await runtime.bundles.fresh(tx, environment.value)
        waiting = await bundles.proposals(tx, environment.value)
    return PolicyView(
        active=_bundle(environment, active.digest, active.text),
        proposals=[_proposal(one) for one in waiting],
        takes_two=environment.value in bundles.BY_TWO,
    )


@router.post("/{environment}/what-if", operation_id="tryPolicy", summary="What would it have decided otherwise?")
async def try_policy(
    runtime: RuntimeParameter, _acting: PolicyManager, environment: Environment, trial: Trial
) -> TrialResult:
    """Make the decisions on record again with another bundle. Nothing is changed, and no system is asked."""
    bundle = Bundle.parse(trial.text)
    refuse_unfit(bundle)
    candidate = Candidate(environment=environment.value, bundle=bundle)
    since = datetime.now(UTC) - timedelta(days=trial.days)
    found = await what_if(candidate, runtime.database, runtime.keys, since)
    return TrialResult(
        remarks=list(remarks(bundle)),
        decisions=found.decisions,
        same=found.same,
        erased=found.erased,
        uncounted=found.uncounted,
        changed={change.value: count for change, count in found.changed.items()},
        differences=[_difference(one) for one in found.differences],
    )


@router.post("/{environment}/proposals", operation_id="proposePolicy", summary="Propose a bundle", status_code=201)
async def propose_policy(
    runtime: RuntimeParameter, acting: PolicyManager, environment: Environment, body: BundleBody
) -> ProposalView:
    """Put a bundle on record for another administrator to publish; it decides nothing yet."""
    publication = Publication(environment=environment.value, text=body.text, by=acting.principal.id)
    async with runtime.database.transaction() as tx:
        return _proposal(await bundles.propose_bundle(tx, runtime.keys, publication, by=acting.principal.id))


@router.post(
    "/proposals/{proposal_id}/publish", operation_id="publishProposedPolicy", summary="Publish what another proposed"
)
async def publish_proposed(runtime: RuntimeParameter, acting: PolicyManager, proposal_id: Id) -> BundleView:
    """Let a proposal decide from now on, exactly as it was proposed; by a second person, freshly logged in."""
    second = Second(person_id=acting.principal.id, authenticated_at=acting.caller.authenticated_at)
    async with runtime.database.transaction() as tx:
        published = await bundles.publish_proposal(tx, runtime.database, runtime.keys, proposal_id, second)
    return _bundle(Environment(published.environment), published.digest, published.text)


@router.put("/{environment}", operation_id="publishPolicy", summary="Publish a bundle")
async def publish_policy(
    runtime: RuntimeParameter, acting: PolicyManager, environment: Environment, body: BundleBody
) -> BundleView:
    """Let a bundle decide from now on. Where that takes two people it is refused: propose it instead."""
    publication = Publication(environment=environment.value, text=body.text, by=acting.principal.id)
    async with runtime.database.transaction() as tx:
        bundle = await bundles.publish_bundle(tx, runtime.database, runtime.keys, publication)
    return _bundle(environment, bundle.digest, bundle.text)


def _bundle(environment: Environment, digest: str, text: str) -> BundleView:
    return BundleView(environment=environment, digest=digest, text=text, remarks=_remarks(text))


def _remarks(text: str) -> list[str]:
    try:
        return list(remarks(Bundle.parse(text)))
    except BundleInvalid as error:  # an earlier release took it
        return [f"This release cannot use it: {error.message}"]


def _proposal(one: Proposal) -> ProposalView:
    shown = _bundle(Environment(one.environment), one.digest, one.text)
    return ProposalView(**shown.model_dump(), id=one.id, proposed_by=one.proposed_by)


def _difference(one: Difference) -> DifferenceView:
    return DifferenceView(
        invocation=one.recorded.invocation_id,
        at=one.recorded.at,
        tool=f"{one.recorded.facts.connector}.{one.recorded.facts.tool}",
        action=one.recorded.action.value,
        change=one.change.value,
        was=one.recorded.verdict.as_json(),
        would_be=one.now.as_json(),
    )
