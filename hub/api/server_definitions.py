"""Servers as documents: what one is, what another would change, and the second person's word where it takes two."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from hub import registry
from hub.api.access import Member, Person, RuntimeParameter
from hub.api.bodies import Body, Id, Reason, Why
from hub.core.errors import InputError, NotFound
from hub.registry import Difference, ProposalState, SecondPerson, ServerDefinition, ServerProposal

router = APIRouter(tags=["servers"])

ServerName = Annotated[str, Path(json_schema_extra={"pattern": "^[a-z][a-z0-9-]{0,47}$"})]


class DifferenceView(BaseModel):
    """One thing that would be another."""

    what: str
    before: str
    after: str


class DefinitionView(BaseModel):
    """A server as it is defined, and what stands for it."""

    definition: ServerDefinition
    digest: str


class ChangeView(BaseModel):
    """What a definition changes, or has changed."""

    changes: list[DifferenceView]


class ProposalView(BaseModel):
    """What somebody wants a server to be."""

    id: str
    server: str
    definition: ServerDefinition
    changes: list[DifferenceView] = Field(description="Compared with the server as it is now.")
    reason: str
    proposed_by: str | None = Field(description="Null: the hub's own console.")
    proposed_at: datetime
    state: ProposalState
    digest: str = Field(description="Stands for the proposal and for what it replaces; send it when you publish it.")


class ProposalList(BaseModel):
    """What waits for a second person, the oldest first."""

    items: list[ProposalView]


class ProposalBody(Body):
    """What a server is to be, and why."""

    definition: ServerDefinition
    reason: Reason


class PublishBody(Body):
    """That somebody has looked at a proposal as this digest says."""

    digest: str = Field(max_length=64)


class RenameBody(Body):
    """Another name for a tool."""

    name: str = Field(min_length=1, max_length=48)


@router.get("/servers/{server}", operation_id="getServer", summary="One server, as a document")
async def get_server(runtime: RuntimeParameter, _: Member, server: ServerName) -> DefinitionView:
    """Return a server as it is defined, with the tools on it whether they are offered now or not; for people."""
    async with runtime.database.reading() as tx:
        found = await registry.definition_of(tx, server)
    if found is None:
        raise NotFound("There is no such server.")
    return DefinitionView(definition=found, digest=found.digest)


@router.put("/servers/{server}", operation_id="defineServer", summary="Make a server what a document says")
async def define(runtime: RuntimeParameter, acting: Person, server: ServerName, wanted: ServerDefinition) -> ChangeView:
    """Make or change a server at once; for those who look after it. In prod it takes two people: propose it instead."""
    _check_name(server, wanted)
    async with runtime.database.transaction() as tx:
        return _changed(await registry.define_server(tx, wanted, acting.authority(runtime)))


@router.post("/servers/{server}/differences", operation_id="compareServer", summary="What a document would change")
async def compare(
    runtime: RuntimeParameter, acting: Person, server: ServerName, wanted: ServerDefinition
) -> ChangeView:
    """Check a definition and return what it would change; nothing is changed. For those who look after the server."""
    _check_name(server, wanted)
    async with runtime.database.reading() as tx:
        return _changed(await registry.check_definition(tx, wanted, acting.authority(runtime)))


@router.post("/servers/{server}/retire", operation_id="retireServer", summary="Retire a server", status_code=204)
async def retire(runtime: RuntimeParameter, acting: Person, server: ServerName, why: Why) -> None:
    """Take a server out of use for good; for those who look after it. Its name stays taken."""
    async with runtime.database.transaction() as tx:
        await registry.retire_server(tx, server, why.reason, acting.authority(runtime))


@router.patch("/servers/{server}/tools/{name}", operation_id="renameTool", summary="Publish a tool under another name")
async def rename(
    runtime: RuntimeParameter, acting: Person, server: ServerName, name: str, wanted: RenameBody
) -> ChangeView:
    """Give a tool another name on a server; the scope `tool:NAME` is for the new one from then on."""
    async with runtime.database.transaction() as tx:
        return _changed(await registry.rename_entry(tx, server, name, wanted.name, acting.authority(runtime)))


@router.get("/server-proposals", operation_id="listServerProposals", summary="What waits for a second person")
async def proposals(runtime: RuntimeParameter, _: Member) -> ProposalList:
    """Return what servers are to be and are not yet; for people."""
    async with runtime.database.reading() as tx:
        return ProposalList(items=[_view(one) for one in await registry.server_proposals(tx)])


@router.post("/server-proposals", operation_id="proposeServer", summary="Propose a server", status_code=201)
async def propose(runtime: RuntimeParameter, acting: Person, wanted: ProposalBody) -> ProposalView:
    """Put on record what a server is to be, for another person to publish; for those who look after it."""
    async with runtime.database.transaction() as tx:
        authority = acting.authority(runtime)
        return _view(await registry.propose_server(tx, wanted.definition, wanted.reason, authority))


@router.post(
    "/server-proposals/{server_proposal_id}/publish", operation_id="publishServerProposal", summary="Publish a proposal"
)
async def publish(runtime: RuntimeParameter, acting: Person, server_proposal_id: Id, seen: PublishBody) -> ProposalView:
    """Make a server what was proposed; for another person who looks after it, after a fresh login."""
    second = SecondPerson(digest=seen.digest, authenticated_at=acting.caller.authenticated_at)
    async with runtime.database.transaction() as tx:
        await registry.publish_server(tx, server_proposal_id, second, acting.authority(runtime))
        return _view(await registry.get_server_proposal(tx, server_proposal_id))


@router.post(
    "/server-proposals/{server_proposal_id}/reject",
    operation_id="rejectServerProposal",
    summary="Reject a proposal, or take it back",
    status_code=204,
)
async def reject(runtime: RuntimeParameter, acting: Person, server_proposal_id: Id, why: Why) -> None:
    """Say no to a proposal; for those who look after the server, its proposer included."""
    async with runtime.database.transaction() as tx:
        await registry.reject_proposal(tx, server_proposal_id, why.reason, acting.authority(runtime))


def _check_name(server: str, wanted: ServerDefinition) -> None:
    if wanted.name != server:
        raise InputError(f"The address names {server!r}, and the document {wanted.name!r}; they have to be the same.")


def _changed(found: Iterable[Difference]) -> ChangeView:
    return ChangeView(changes=[DifferenceView(what=one.what, before=one.before, after=one.after) for one in found])


def _view(one: ServerProposal) -> ProposalView:
    return ProposalView(
        id=one.id,
        server=one.wanted.name,
        definition=one.wanted,
        changes=_changed(one.changes).changes,
        reason=one.reason,
        proposed_by=one.proposed_by,
        proposed_at=one.proposed_at,
        state=one.state,
        digest=one.digest,
    )
