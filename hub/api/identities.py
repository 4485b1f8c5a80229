"""How external issuers know a person: which subject of which issuer, tied and untied by whoever manages accounts."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from hub.api.access import AccountManager, RuntimeParameter
from hub.api.bodies import Body, Id
from hub.core.errors import NotFound
from hub.identity import foreign_people
from hub.identity.directory import get
from hub.identity.issuers import Issuer
from hub.identity.principals import PrincipalKind
from hub.invocations.runtime import Runtime

router = APIRouter(prefix="/users/{user_id}/identities", tags=["users"])


IssuerName = Annotated[str, Path(json_schema_extra={"pattern": "^[a-z0-9][a-z0-9-]{0,30}$"})]


class IdentityView(BaseModel):
    """A person as one issuer knows it."""

    issuer: str = Field(examples=["https://login.example.org"])
    subject: str
    linked_at: datetime


class Identities(BaseModel):
    """How every issuer knows a person, one identity for each."""

    items: list[IdentityView]


class SubjectBody(Body):
    """Who the person is there."""

    subject: str = Field(min_length=1, max_length=255, description="The claim that names a subject, never an address.")


@router.get("", operation_id="listIdentities", summary="How issuers know a person")
async def list_identities(runtime: RuntimeParameter, _acting: AccountManager, user_id: Id) -> Identities:
    """Return the subjects by which external issuers know a person."""
    async with runtime.database.reading() as tx:
        if (await get(tx, user_id)).kind is not PrincipalKind.USER:
            raise NotFound(f"There is no user {user_id!r}.")
        return Identities(items=[_view(one) for one in await foreign_people.identities_of(tx, user_id)])


@router.put("/{issuer}", operation_id="linkIdentity", summary="Link a person with an issuer's subject")
async def link_identity(
    runtime: RuntimeParameter, acting: AccountManager, user_id: Id, issuer: IssuerName, wanted: SubjectBody
) -> IdentityView:
    """Let a subject of an issuer, by the issuer's name in the settings, be this person from now on."""
    named = _issuer(runtime, issuer)
    async with runtime.database.transaction() as tx:
        return _view(await foreign_people.link(tx, user_id, named, wanted.subject, acting.authority(runtime)))


@router.delete("/{issuer}", operation_id="unlinkIdentity", summary="Untie an issuer's subject", status_code=204)
async def unlink_identity(runtime: RuntimeParameter, acting: AccountManager, user_id: Id, issuer: IssuerName) -> None:
    """Let the issuer speak for this person no longer; its tokens stop at once, a session ends by itself."""
    named = _issuer(runtime, issuer)
    async with runtime.database.transaction() as tx:
        await foreign_people.unlink(tx, user_id, named.issuer, acting.authority(runtime))


def _issuer(runtime: Runtime, name: str) -> Issuer:
    found = runtime.issuers.find(name)
    if found is None:
        raise NotFound(f"TOOLHUB_ISSUERS names no issuer {name!r}.")
    return found.issuer


def _view(one: foreign_people.ExternalIdentity) -> IdentityView:
    return IdentityView(issuer=one.issuer, subject=one.subject, linked_at=one.linked_at)
