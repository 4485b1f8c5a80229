"""Composite tools: declared as steps of other tools, which are previewed, approved and carried out as one plan."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hub import registry
from hub.api.access import CatalogPerson, Person, RuntimeParameter
from hub.api.bodies import Body
from hub.api.promotions import PromotionView, Reason, promotion_view
from hub.invocations.promoting import ask_for_composite
from hub.promotions import CompositeWish
from hub.registry import Declaration, Environment, ToolVersion, steps_of

Json = Any
"""Any JSON value."""

router = APIRouter(prefix="/composites", tags=["composites"])


class StepView(BaseModel):
    """One step of a composite tool."""

    name: str
    tool: str
    connection: str
    arguments: dict[str, Json] = Field(description="With `$from` for what the caller or an earlier step gives.")
    tool_version_digest: str
    can_be_taken_back: bool
    is_read: bool = Field(description="Read for the preview, and again before the plan begins.")


class CompositeView(BaseModel):
    """A composite tool in the version that is offered."""

    tool_id: str
    name: str
    title: str
    description: str
    number: int
    digest: str
    tier: str
    effect: str
    steps: list[StepView]


class CompositeList(BaseModel):
    """The composite tools of one environment; there are few."""

    items: list[CompositeView]


class NewComposite(Body):
    """A composite tool to declare; declared again it is bound to what its steps' tools are now."""

    declaration: Declaration


class Declared(BaseModel):
    """What declaring has changed: the new version, or null if the very same is offered already."""

    new_version: CompositeView | None


@router.get("", operation_id="listComposites", summary="List composite tools")
async def list_composites(
    runtime: RuntimeParameter,
    _acting: CatalogPerson,
    environment: Annotated[Environment | None, Query(description="By default the one that `/mcp` is in.")] = None,
) -> CompositeList:
    """Return the composite tools of an environment, in the order of the names."""
    where = environment or Environment(runtime.environment)
    async with runtime.database.reading() as tx:
        return CompositeList(items=[_view(one) for one in await registry.composite_tools(tx, where)])


class CompositeWishBody(Body):
    """Which composite tool is to be used where."""

    name: str = Field(max_length=48, description="As the environment before offers it.")
    environment: Environment
    reason: Reason
    connections: dict[str, str] = Field(
        default_factory=dict,
        description="Over which connection a step goes there, by the step's name; needed where there are several.",
    )


@router.post(
    "/promotions",
    operation_id="askCompositePromotion",
    summary="Ask for the promotion of a composite tool",
    status_code=201,
)
async def ask_composite_promotion(runtime: RuntimeParameter, acting: Person, body: CompositeWishBody) -> PromotionView:
    """Ask that a composite tool be used as in the environment before, and look at its gates; for administrators."""
    wish = CompositeWish(name=body.name, environment=body.environment, reason=body.reason, connections=body.connections)
    return promotion_view(await ask_for_composite(wish, runtime, acting.authority(runtime)))


@router.post("", operation_id="declareComposite", summary="Declare a composite tool", status_code=201)
async def declare_composite(runtime: RuntimeParameter, acting: Person, wanted: NewComposite) -> Declared:
    """Publish a composite tool: for an administrator, or whoever owns the tools of all its steps."""
    async with runtime.database.transaction() as tx:
        made = await registry.declare(tx, wanted.declaration, acting.authority(runtime))
    return Declared(new_version=None if made is None else _view(made))


def _view(version: ToolVersion) -> CompositeView:
    spec = version.spec
    return CompositeView(
        tool_id=version.tool_id,
        name=spec.name,
        title=spec.title,
        description=spec.description,
        number=version.number,
        digest=version.digest,
        tier=spec.tier,
        effect=spec.effect,
        steps=[
            StepView(
                name=step.name,
                tool=step.tool,
                connection=step.connection,
                arguments=dict(step.arguments),
                tool_version_digest=step.tool_version_digest,
                can_be_taken_back=step.can_be_taken_back,
                is_read=step.is_read,
            )
            for step in steps_of(spec)
        ],
    )
