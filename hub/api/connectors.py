"""Connectors: the code and manifests that provide tools."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from connectors.sdk.spec import ConnectorSpec
from hub import registry
from hub.api.access import CatalogReader, Person, RuntimeParameter
from hub.api.badges import BadgeView, badge_view
from hub.api.bodies import Body
from hub.registry import Badge, ToolVersion

router = APIRouter(prefix="/connectors", tags=["connectors"])


class ConnectorView(BaseModel):
    """A connector in the release that is in use."""

    name: str = Field(examples=["tryton"])
    version: str = Field(examples=["1.0.0"])
    title: str
    description: str
    runs: str
    artefact_digest: str
    secret_fields: list[str] = Field(description="What a connection's credential is made of.")
    operations: list[str]
    badge: BadgeView | None = Field(
        default=None, description="About operations that are as they were checked; else null."
    )
    reported: BadgeView | None = Field(
        default=None, description="What the owner says the kit found elsewhere. Nobody here saw it; it proves nothing."
    )


class ConnectorList(BaseModel):
    """Every connector; there are few."""

    items: list[ConnectorView]


class NewRelease(Body):
    """A release to register."""

    spec: ConnectorSpec
    owner_id: str | None = Field(default=None, max_length=40, description="Who owns a connector that is new.")


class VersionView(BaseModel):
    """A tool version that registering has made."""

    id: str
    tool_id: str
    name: str
    number: int
    digest: str


class Registered(BaseModel):
    """What registering has changed; nothing if the very same was registered before."""

    new_versions: list[VersionView]


@router.get("", operation_id="listConnectors", summary="List connectors")
async def list_connectors(runtime: RuntimeParameter, _acting: CatalogReader) -> ConnectorList:
    """Return every connector, in the order of the names."""
    async with runtime.database.reading() as tx:
        found = await registry.connectors(tx)
        shown = [(one, await registry.badge_for(tx, one), await registry.claim_for(tx, one)) for one in found]
    return ConnectorList(items=[_view(*one) for one in shown])


@router.post("", operation_id="registerConnector", summary="Register a connector", status_code=201)
async def register_connector(runtime: RuntimeParameter, acting: Person, wanted: NewRelease) -> Registered:
    """Make a release the one in use: new immutable versions for what changed; for its owner or an administrator.

    Whoever is no administrator registers what the connector's code declares: it is asked, confined.
    """
    authority = acting.authority(runtime)
    async with runtime.database.reading() as tx:
        await registry.require_registrar(tx, wanted.spec, authority)
        is_asked = await registry.counts_own_word(tx, wanted.spec, authority)
    word = await runtime.executor.declared_by(wanted.spec) if is_asked else None
    async with runtime.database.transaction() as tx:
        if word is None:
            made = await registry.register_connector(tx, wanted.spec, authority, owner_id=wanted.owner_id)
        else:
            made = await registry.register_as_declared(tx, wanted.spec, word, authority)
    return Registered(new_versions=[_version(one) for one in made])


def _view(spec: ConnectorSpec, badge: Badge | None, claim: Badge | None) -> ConnectorView:
    return ConnectorView(
        name=spec.name,
        version=spec.version,
        title=spec.title,
        description=spec.description,
        runs=spec.runs,
        artefact_digest=spec.artefact_digest,
        secret_fields=list(spec.auth.secret_fields),
        operations=[operation.name for operation in spec.operations],
        badge=None if badge is None else badge_view(badge),
        reported=None if claim is None else badge_view(claim),
    )


def _version(version: ToolVersion) -> VersionView:
    return VersionView(
        id=version.id, tool_id=version.tool_id, name=version.spec.name, number=version.number, digest=version.digest
    )
