"""Composite tools: declared as steps of other tools, which are previewed, approved and carried out as one plan."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hub import registry
from hub.api.access import CatalogPerson, Person, RuntimeParameter
from hub.api.bodies import Body
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
