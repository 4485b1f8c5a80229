"""Agents and services: what their tokens may hold, and their secrets, each shown once."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hub import registry
from hub.api.access import AccountManager, Acting, Person, RuntimeParameter
from hub.api.bodies import Body, Id, Why
from hub.api.paging import DEFAULT_LIMIT, CursorParameter, LimitParameter, Page, seal, unseal
from hub.core.errors import InputError, NotFound
from hub.identity import accounts, client_documents, clients, declarations, directory, expiring, owners
from hub.identity.permissions import Permission, may
from hub.identity.principals import Principal, PrincipalKind
from hub.invocations.runtime import Runtime
from hub.storage import Tx

router = APIRouter(prefix="/agents", tags=["agents"])

PLACE = "agents"


class AgentView(BaseModel):
    """An agent or a service; its id is its OAuth `client_id`."""

    id: str = Field(examples=["agt_06dvh3x5m8qk2v7c1n4pz9tbwr"])
    kind: Literal["agent", "service"]
    name: str
    display_name: str
    owner_id: str | None
    allowed_scopes: list[str] = Field(examples=[["tryton:read", "tryton:write"]])
    allowed_servers: list[str] = Field(examples=[["everything"]])
    needs_bound_tokens: bool = Field(description="Only tokens that are bound to a key of its own count (RFC 9449).")
    is_suspended: bool


class SecretView(BaseModel):
    """A client secret, at the one moment when its value is known."""

    id: str
    client_secret: str
    expires_at: datetime


class HeldSecretView(BaseModel):
    """A secret that an agent has: when it was issued and when it ends, never what it is."""

    id: str
    issued_at: datetime
    expires_at: datetime
    ends_soon: bool = Field(description="Within two weeks, and no other one lives longer: issue the next one now.")


class HeldSecrets(BaseModel):
    """The secrets that are good now, the one that ends first first."""

    items: list[HeldSecretView]


class NewAgentView(BaseModel):
    """An agent that has just been registered, with its secret if it has one."""

    agent: AgentView
    secret: SecretView | None


class Limits(Body):
    """What an agent's tokens may ever hold, and at which servers."""

    allowed_scopes: frozenset[str] = Field(default=frozenset(), examples=[["tryton:read", "tryton:write"]])
    allowed_servers: frozenset[str] = Field(default=frozenset(), examples=[["everything"]])


class KeySet(Body):
    """The public keys by which an agent proves itself (`private_key_jwt`, RFC 7517 section 5)."""

    keys: list[dict[str, str | list[str]]] = Field(min_length=1, max_length=10)


class NewAgentBody(Limits):
    """An agent or a service to register."""

    kind: Literal["agent", "service"] = "agent"
    name: str = Field(max_length=64, examples=["sales-assistant"])
    display_name: str = Field(max_length=120, examples=["Sales assistant"])
    owner_id: str | None = Field(default=None, max_length=40, description="Who answers for it; the caller unless said.")
    redirect_uris: list[str] = Field(default=[], max_length=20, examples=[["http://127.0.0.1/callback"]])
    is_public: bool = Field(default=False, description="It cannot keep a secret and proves itself by PKCE alone.")
    jwks: KeySet | None = Field(default=None, description="It proves itself by one of these keys, and gets no secret.")

    needs_bound_tokens: bool = Field(default=False, description="Only tokens bound to a key count (DPoP, RFC 9449).")
    document_url: str | None = Field(
        default=None,
        max_length=500,
        description="It is known by its metadata document, which says where its codes go and how it proves itself.",
        examples=["https://agents.example.org/oauth/client.json"],
    )

    def authentication(self) -> clients.ClientAuthentication:
        """Return how it proves who it is.

        Raises:
            InputError: two ways that exclude each other, or none for a service.
        """
        if self.document_url is not None:
            if self.kind == "service" or self.is_public or self.jwks is not None or self.redirect_uris:
                raise InputError("Its document says all that; leave out jwks, is_public and redirect_uris.")
            return clients.ClientAuthentication.NONE
        if self.is_public and self.jwks is not None:
            raise InputError("Either it proves itself by keys, or it is public: send jwks or is_public.")
        if self.is_public and self.kind == "service":
            raise InputError("A service acts for nobody, so PKCE proves nothing of it; leave out is_public.")
        if self.jwks is not None:
            return clients.ClientAuthentication.KEY
        return clients.ClientAuthentication.NONE if self.is_public else clients.ClientAuthentication.SECRET


class AgentVersionView(BaseModel):
    """One version of an agent's declaration; it never changes."""

    number: int
    digest: str
    declaration: dict[str, Any] = Field(description="Among it what its owner states: `model` and `prompt`.")
    declared_by: str | None
    declared_at: datetime


class AgentVersions(BaseModel):
    """The versions of an agent, the newest first."""

    items: list[AgentVersionView]


class StatementBody(Body):
    """What its owner states of an agent; it is shown as a claim, and makes another version."""

    model: str = Field(default="", max_length=200)
    prompt: str = Field(default="", max_length=200, description="Which one it runs with, say its digest.")


class Redirects(Body):
    """Where an agent's codes may be sent; loopback addresses fit any port."""

    redirect_uris: list[str] = Field(max_length=20, examples=[["http://127.0.0.1/callback"]])


class Binding(Body):
    """Whether only tokens count that are bound to a key of the agent's own."""

    needs_bound_tokens: bool


class OwnerBody(Body):
    """Who answers for an agent."""

    owner_id: str = Field(max_length=40, description="A user who is not suspended.")


class SecretLifetime(Body):
    """How long a new secret is good for."""

    days: int = Field(default=90, ge=1, le=366)


@router.get("", operation_id="listAgents", summary="List agents and services")
async def list_agents(
    runtime: RuntimeParameter,
    acting: AccountManager,
    kind: Literal["agent", "service"] = "agent",
    cursor: CursorParameter = None,
    limit: LimitParameter = DEFAULT_LIMIT,
) -> Page[AgentView]:
    """Return agents, or services, in the order of their names."""
    place = f"{PLACE}:{kind}"
    after = unseal(runtime, acting, place, cursor)
    async with runtime.database.reading() as tx:
        found = await directory.page(tx, kind=PrincipalKind(kind), after=after, limit=limit + 1)
    more = seal(runtime, acting, place, found[limit - 1].name) if len(found) > limit else None
    return Page(items=[view(one) for one in found[:limit]], next_cursor=more)


@router.post("", operation_id="createAgent", summary="Register an agent or a service", status_code=201)
async def create_agent(runtime: RuntimeParameter, acting: AccountManager, wanted: NewAgentBody) -> NewAgentView:
    """Register an agent or a service. Its secret is in this answer and nowhere else."""
    authority = acting.authority(runtime)
    async with runtime.database.transaction() as tx:
        await registry.check_servers(tx, wanted.allowed_servers)
        agent = await _create(tx, wanted, acting, runtime)
        if wanted.authentication() is not clients.ClientAuthentication.SECRET:
            return NewAgentView(agent=view(agent), secret=None)
        secret = await clients.issue_secret(tx, agent.id, authority)
    return NewAgentView(agent=view(agent), secret=_secret_view(secret))


@router.get("/{agent_id}", operation_id="getAgent", summary="One agent")
async def get_agent(runtime: RuntimeParameter, acting: Person, agent_id: Id) -> AgentView:
    """Return an agent to its owner or an administrator."""
    async with runtime.database.reading() as tx:
        return view(await _answerable(tx, acting, agent_id))


@router.put("/{agent_id}/limits", operation_id="setAgentLimits", summary="Set what an agent may ever hold")
async def set_limits(runtime: RuntimeParameter, acting: AccountManager, agent_id: Id, wanted: Limits) -> AgentView:
    """Set what the agent's tokens may ever hold and where; those already out are narrowed at once."""
    async with runtime.database.transaction() as tx:
        await registry.check_servers(tx, wanted.allowed_servers)
        changed = await clients.limit_client(
            tx,
            agent_id,
            scopes=wanted.allowed_scopes,
            servers=wanted.allowed_servers,
            authority=acting.authority(runtime),
        )
        return view(changed)


@router.get("/{agent_id}/versions", operation_id="listAgentVersions", summary="The versions of an agent")
async def list_versions(runtime: RuntimeParameter, acting: Person, agent_id: Id) -> AgentVersions:
    """Return what was declared of an agent over time, to its owner or an administrator."""
    async with runtime.database.reading() as tx:
        await _answerable(tx, acting, agent_id)
        return AgentVersions(items=[_version(one) for one in await declarations.agent_versions(tx, agent_id)])


@router.put("/{agent_id}/statement", operation_id="stateAgent", summary="State model and prompt")
async def state_agent(
    runtime: RuntimeParameter, acting: Person, agent_id: Id, wanted: StatementBody
) -> AgentVersionView:
    """Say which model and prompt an agent runs with, as a new version; tokens that are out keep theirs."""
    statement = declarations.Statement(model=wanted.model, prompt=wanted.prompt)
    async with runtime.database.transaction() as tx:
        await _answerable(tx, acting, agent_id)
        return _version(await declarations.state(tx, agent_id, statement, acting.authority(runtime)))


@router.get("/{agent_id}/redirects", operation_id="getAgentRedirects", summary="Where an agent's codes may be sent")
async def get_redirects(runtime: RuntimeParameter, acting: Person, agent_id: Id) -> Redirects:
    """Return the redirect addresses of an agent, to its owner or an administrator."""
    async with runtime.database.reading() as tx:
        await _answerable(tx, acting, agent_id)
        client = await clients.find_client(tx, agent_id)
    return Redirects(redirect_uris=list(client.redirect_uris) if client else [])


@router.put("/{agent_id}/redirects", operation_id="setAgentRedirects", summary="Set where an agent's codes may be sent")
async def set_redirects(
    runtime: RuntimeParameter, acting: AccountManager, agent_id: Id, wanted: Redirects
) -> Redirects:
    """Replace the redirect addresses of an agent; logins through it that are under way begin anew."""
    async with runtime.database.transaction() as tx:
        uris = await clients.set_redirects(tx, agent_id, tuple(wanted.redirect_uris), acting.authority(runtime))
    return Redirects(redirect_uris=list(uris))


@router.put("/{agent_id}/binding", operation_id="setAgentBinding", summary="Demand tokens that are bound to a key")
async def set_binding(runtime: RuntimeParameter, acting: AccountManager, agent_id: Id, wanted: Binding) -> AgentView:
    """Let an agent have only tokens that are bound to a key of its own (DPoP), or others, too; theirs stop at once."""
    authority = acting.authority(runtime)
    async with runtime.database.transaction() as tx:
        return view(await clients.set_binding(tx, agent_id, authority, is_needed=wanted.needs_bound_tokens))


@router.put("/{agent_id}/owner", operation_id="setAgentOwner", summary="Give an agent to another owner")
async def set_owner(runtime: RuntimeParameter, acting: AccountManager, agent_id: Id, wanted: OwnerBody) -> AgentView:
    """Give an agent to another owner, who from then on decides none of what it asks for nobody, waiting or not."""
    async with runtime.database.transaction() as tx:
        return view(await owners.give_client(tx, agent_id, wanted.owner_id, acting.authority(runtime)))


@router.get("/{agent_id}/secrets", operation_id="listAgentSecrets", summary="Which secrets an agent has")
async def list_secrets(runtime: RuntimeParameter, acting: Person, agent_id: Id) -> HeldSecrets:
    """Return the secrets that are good now, without their values, to the agent's owner or an administrator."""
    async with runtime.database.reading() as tx:
        await _answerable(tx, acting, agent_id)
        found = await expiring.held_secrets(tx, agent_id)
    return HeldSecrets(items=[HeldSecretView.model_validate(asdict(one)) for one in found])


@router.post("/{agent_id}/secrets", operation_id="issueAgentSecret", summary="Issue a secret", status_code=201)
async def issue_secret(runtime: RuntimeParameter, acting: Person, agent_id: Id, wanted: SecretLifetime) -> SecretView:
    """Give an agent one more secret, valid beside those it has; for its owner or an administrator."""
    async with runtime.database.transaction() as tx:
        await _answerable(tx, acting, agent_id)
        lifetime = timedelta(days=wanted.days)
        return _secret_view(await clients.issue_secret(tx, agent_id, acting.authority(runtime), lifetime=lifetime))


@router.delete(
    "/{agent_id}/secrets/{secret_id}", operation_id="revokeAgentSecret", summary="Revoke a secret", status_code=204
)
async def revoke_secret(runtime: RuntimeParameter, acting: Person, agent_id: Id, secret_id: Id) -> None:
    """Make one secret of an agent useless; for its owner or an administrator."""
    async with runtime.database.transaction() as tx:
        await _answerable(tx, acting, agent_id)
        await clients.revoke_secret(tx, agent_id, secret_id, acting.authority(runtime))


@router.put("/{agent_id}/keys", operation_id="setAgentKeys", summary="Exchange an agent's keys", status_code=204)
async def set_keys(runtime: RuntimeParameter, acting: Person, agent_id: Id, wanted: KeySet) -> None:
    """Exchange the public keys by which an agent proves itself; for its owner or an administrator.

    Send old and new ones together, and later the new ones alone, to rotate without a moment in which none is good.
    """
    async with runtime.database.transaction() as tx:
        await _answerable(tx, acting, agent_id)
        await clients.set_client_keys(tx, agent_id, wanted.model_dump(), acting.authority(runtime))


@router.put("/{agent_id}/suspension", operation_id="suspendAgent", summary="Suspend an agent")
async def suspend(runtime: RuntimeParameter, acting: Person, agent_id: Id, why: Why) -> AgentView:
    """Stop an agent at once: its tokens are revoked; for its owner or an administrator."""
    async with runtime.database.transaction() as tx:
        await _answerable(tx, acting, agent_id)
        return view(await accounts.suspend(tx, agent_id, why.reason, acting.authority(runtime)))


@router.delete("/{agent_id}/suspension", operation_id="resumeAgent", summary="Let an agent act again")
async def resume(runtime: RuntimeParameter, acting: AccountManager, agent_id: Id) -> AgentView:
    """Let a suspended agent get new tokens; for administrators, whoever suspended it."""
    async with runtime.database.transaction() as tx:
        await _answerable(tx, acting, agent_id)
        return view(await accounts.resume(tx, agent_id, acting.authority(runtime)))


def view(agent: Principal) -> AgentView:
    """Return an agent or a service as the API shows it."""
    return AgentView(
        id=agent.id,
        kind="service" if agent.kind is PrincipalKind.SERVICE else "agent",
        name=agent.name,
        display_name=agent.display_name,
        owner_id=agent.owner_id,
        allowed_scopes=sorted(agent.allowed_scopes),
        allowed_servers=sorted(agent.allowed_servers),
        needs_bound_tokens=agent.needs_bound_tokens,
        is_suspended=agent.is_suspended,
    )


async def _create(tx: Tx, wanted: NewAgentBody, acting: Acting, runtime: Runtime) -> Principal:
    if wanted.kind == "service":
        service = clients.NewService(
            name=wanted.name,
            display_name=wanted.display_name,
            owner_id=wanted.owner_id or acting.principal.id,
            allowed_scopes=wanted.allowed_scopes,
            allowed_servers=wanted.allowed_servers,
            authentication=wanted.authentication(),
            jwks=None if wanted.jwks is None else wanted.jwks.model_dump(),
            needs_bound_tokens=wanted.needs_bound_tokens,
        )
        return await clients.create_service(tx, service, acting.authority(runtime))
    agent = clients.NewAgent(
        name=wanted.name,
        display_name=wanted.display_name,
        owner_id=wanted.owner_id or acting.principal.id,
        allowed_scopes=wanted.allowed_scopes,
        allowed_servers=wanted.allowed_servers,
        redirect_uris=tuple(wanted.redirect_uris),
        authentication=wanted.authentication(),
        jwks=None if wanted.jwks is None else wanted.jwks.model_dump(),
        needs_bound_tokens=wanted.needs_bound_tokens,
    )
    made = await clients.create_agent(tx, agent, acting.authority(runtime))
    if wanted.document_url is not None:
        await client_documents.register_document(tx, made, wanted.document_url)
    return made


async def _answerable(tx: Tx, acting: Acting, agent_id: str) -> Principal:
    """Return the agent if whoever asks answers for it: its owner, or who manages accounts."""
    agent = await directory.get(tx, agent_id)
    answers = agent.owner_id == acting.principal.id or may(acting.principal, Permission.MANAGE_ACCOUNTS)
    if agent.kind is PrincipalKind.USER or not answers:
        raise NotFound(f"There is no agent {agent_id!r}.")
    return agent


def _version(one: declarations.AgentVersion) -> AgentVersionView:
    return AgentVersionView(
        number=one.number,
        digest=one.digest,
        declaration=dict(one.declaration),
        declared_by=one.declared_by,
        declared_at=one.declared_at,
    )


def _secret_view(secret: clients.NewSecret) -> SecretView:
    return SecretView(id=secret.id, client_secret=secret.value, expires_at=secret.expires_at)
