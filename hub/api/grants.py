"""Standing grants: what approvers allow in advance, how much is left of it, and taking it back."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr

from hub.api.access import Acting, Person, RuntimeParameter
from hub.api.bodies import Body, Id
from hub.api.repeats import Answer, IdempotencyKey, Keyed, answer_once
from hub.invocations.granting import (
    LONGEST,
    LONGEST_REASON,
    MOST_MONEY,
    MOST_USES,
    Wanted,
    give,
    see,
    seen_by,
    take_back,
)
from hub.invocations.queries import look_at
from hub.invocations.runtime import Runtime
from hub.standing import StandingGrant, has_spent, read_limit

router = APIRouter(prefix="/standing-grants", tags=["approvals"])

Figure = Annotated[int, Field(ge=0, le=MOST_MONEY)]


class LimitBody(Body):
    """What one fact that the tool exposes may be: a number from 0 to `at_most`, or one of some values."""

    at_most: Figure | None = None
    one_of: list[StrictInt | StrictStr | StrictBool] = Field(default=[], max_length=50)


class NewGrantBody(Body):
    """What to allow in advance: calls like one the giver could vote on, by the same agent with the same tool."""

    like: str = Field(max_length=40, description="The invocation that such calls are like.")
    reason: str = Field(min_length=1, max_length=LONGEST_REASON, description="Why such calls need no question.")
    uses: int = Field(ge=1, le=MOST_USES)
    days: int = Field(ge=1, le=LONGEST.days)
    limits: dict[str, LimitBody] = Field(default={}, max_length=50, examples=[{"amount_minor": {"at_most": 10000}}])
    money_minor: Figure = Field(
        default=0, description="How much all calls together may move, in the example's currency."
    )
    money_per_call_minor: Figure = 0
    most_rows: Figure | None = Field(default=None, description="Records one call may reach; null: as the example.")
    most_parties: Figure | None = None
    to_anybody: bool = Field(
        default=False, description="Whether side effects like the example's may reach others than they reach there."
    )


class GrantView(BaseModel):
    """A standing grant as it stands."""

    id: str
    giver_id: str
    group: str
    agent_id: str
    tool: str
    tool_id: str
    tool_version_digest: str
    connection_id: str
    connection_generation: int
    environment: str
    tier: str
    limits: dict[str, dict[str, Any]]
    most_rows: int
    most_parties: int
    side_effects: list[str] = Field(description="What such calls may do beside their changes; nothing else.")
    to_anybody: bool = Field(description="False: it reaches nobody but whom the example or a limit names.")
    uses: int
    uses_left: int
    money_minor: int
    money_left_minor: int
    money_per_call_minor: int
    currency: str
    reason: str
    like: str
    given_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    revoked_reason: str | None


class GrantDetail(GrantView):
    """A standing grant with the invocations that used it."""

    used_by: list[str]


class Grants(BaseModel):
    """The standing grants of the caller and its groups, the newest first."""

    items: list[GrantView]


class Revocation(Body):
    """Why a grant is taken back."""

    reason: str = Field(min_length=1, max_length=LONGEST_REASON)


@router.get("", operation_id="listStandingGrants", summary="List standing grants")
async def list_grants(runtime: RuntimeParameter, acting: Person) -> Grants:
    """Return the grants that the caller gave or that stand for one of its groups; all, to those who may stop things."""
    async with runtime.database.reading() as tx:
        return Grants(items=[_view(one) for one in await seen_by(tx, acting.principal)])


@router.post("", operation_id="giveStandingGrant", summary="Allow calls in advance", status_code=201)
async def give_grant(
    runtime: RuntimeParameter, acting: Person, wanted: NewGrantBody, idempotency_key: IdempotencyKey = None
) -> GrantView:
    """Let further calls like one that the caller could vote on go ahead without a question, within limits."""
    payload = wanted.model_dump(mode="json")
    keyed = Keyed(key=idempotency_key, operation="giveStandingGrant", payload=payload, is_safe_again=False)

    async def work() -> Answer[GrantView]:
        given = await _give(runtime, acting, wanted)
        return Answer(told=given, kept=given)

    return await answer_once(keyed, acting, runtime, GrantView, work)


async def _give(runtime: Runtime, acting: Acting, wanted: NewGrantBody) -> GrantView:
    await look_at(runtime, acting.caller, wanted.like)  # whoever may not look learns nothing from granting either
    if acting.caller.authenticated_at is None:
        raise TypeError("a person came in without a login")
    grant = await give(
        Wanted(
            like=wanted.like,
            giver=acting.principal,
            authenticated_at=acting.caller.authenticated_at,
            reason=wanted.reason,
            uses=wanted.uses,
            lasts=timedelta(days=wanted.days),
            limits={name: read_limit(one.at_most, one.one_of) for name, one in wanted.limits.items()},
            money_minor=wanted.money_minor,
            money_per_call_minor=wanted.money_per_call_minor,
            most_rows=wanted.most_rows,
            most_parties=wanted.most_parties,
            to_anybody=wanted.to_anybody,
        ),
        runtime,
    )
    return _view(grant)


@router.get("/{grant_id}", operation_id="getStandingGrant", summary="One standing grant")
async def get_grant(runtime: RuntimeParameter, acting: Person, grant_id: Id) -> GrantDetail:
    """Return a grant, and which invocations used it, to its giver, its group and those who may stop it."""
    async with runtime.database.reading() as tx:
        grant = await see(tx, grant_id, acting.principal)
        return GrantDetail(**_view(grant).model_dump(), used_by=await has_spent(tx, grant.id))


@router.put("/{grant_id}/revocation", operation_id="revokeStandingGrant", summary="Take a standing grant back")
async def revoke_grant(runtime: RuntimeParameter, acting: Person, grant_id: Id, why: Revocation) -> GrantView:
    """Revoke a grant at once: what it approved and has not been sent is not sent any more."""
    return _view(await take_back(grant_id, by=acting.principal, reason=why.reason, runtime=runtime))


def _view(grant: StandingGrant) -> GrantView:
    return GrantView(
        id=grant.id,
        giver_id=grant.giver_id,
        group=grant.group,
        agent_id=grant.agent_id,
        tool=grant.tool_name,
        tool_id=grant.tool_id,
        tool_version_digest=grant.tool_version_digest,
        connection_id=grant.connection_id,
        connection_generation=grant.connection_generation,
        environment=grant.environment,
        tier=grant.tier.value,
        limits={name: limit.as_json() for name, limit in grant.limits.items()},
        most_rows=grant.most_rows,
        most_parties=grant.most_parties,
        side_effects=sorted({kind for kind, _ in grant.side_effects}),
        to_anybody=grant.to_anybody,
        uses=grant.uses,
        uses_left=grant.uses_left,
        money_minor=grant.money_minor,
        money_left_minor=grant.money_left_minor,
        money_per_call_minor=grant.money_per_call_minor,
        currency=grant.currency,
        reason=grant.reason,
        like=grant.like_invocation_id,
        given_at=grant.given_at,
        expires_at=grant.expires_at,
        revoked_at=grant.revoked_at,
        revoked_by=grant.revoked_by,
        revoked_reason=grant.revoked_reason,
    )
