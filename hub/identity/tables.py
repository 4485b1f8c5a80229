"""Tables of principals, groups, clients, secrets, sessions, identities elsewhere and budgets of logins."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment


class PrincipalRow(Base):
    """A user, an agent or a service."""

    __tablename__ = "principals"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(120))
    roles: Mapped[list[str]] = mapped_column(Json)
    owner_id: Mapped[str | None] = mapped_column(String(40), ForeignKey("principals.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    suspended_at: Mapped[datetime | None] = mapped_column(Moment)
    suspended_reason: Mapped[str | None] = mapped_column(String(500))
    email: Mapped[str | None] = mapped_column(String(254))


class GroupRow(Base):
    """A group; policy rules name groups, approvers sit in them."""

    __tablename__ = "groups"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(String(120))


class OpenServerRow(Base):
    """A server that the agents of a group may use, whatever else they are allowed."""

    __tablename__ = "open_servers"

    server: Mapped[str] = mapped_column(String(48), primary_key=True)
    group_name: Mapped[str] = mapped_column(String(64), ForeignKey("groups.name"), primary_key=True, index=True)


class GroupMemberRow(Base):
    """One principal's place in one group."""

    __tablename__ = "group_members"

    group_name: Mapped[str] = mapped_column(String(64), ForeignKey("groups.name"), primary_key=True)
    principal_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), primary_key=True, index=True)


class PasswordRow(Base):
    """A user's password as an argon2id hash."""

    __tablename__ = "passwords"

    principal_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), primary_key=True)
    hash: Mapped[str] = mapped_column(String(200))
    changed_at: Mapped[datetime] = mapped_column(Moment)


class InvitationRow(Base):
    """The one link, as a hash, by which a person sets a password that nobody else knows."""

    __tablename__ = "invitations"

    principal_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    made_by: Mapped[str | None] = mapped_column(String(40))
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class PasskeyRow(Base):
    """A passkey of a person: its public key (COSE, base64url), and how often it says it was used."""

    __tablename__ = "passkeys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    principal_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), index=True)
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    public_key: Mapped[str] = mapped_column(String(4000))
    uses: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(60))
    enrolled_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


class LoginBudgetRow(Base):
    """How much is left of one budget of attempts to log in, told by when it will be full again."""

    __tablename__ = "login_budgets"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    full_at: Mapped[datetime] = mapped_column(Moment, index=True)


class SessionRow(Base):
    """One web session; the cookie's value is kept as a hash only."""

    __tablename__ = "web_sessions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    cookie_hash: Mapped[str] = mapped_column(String(64), unique=True)
    principal_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), index=True)
    authenticated_at: Mapped[datetime] = mapped_column(Moment)
    idle_until: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class LinkedIdentityRow(Base):
    """An account in another system that speaks for a person; each for one person, and one for each person."""

    __tablename__ = "linked_identities"
    __table_args__ = (UniqueConstraint("system", "principal_id"),)

    system: Mapped[str] = mapped_column(String(20), primary_key=True)
    team: Mapped[str] = mapped_column(String(64), primary_key=True)
    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    principal_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), index=True)
    linked_at: Mapped[datetime] = mapped_column(Moment)
    authenticated_at: Mapped[datetime] = mapped_column(Moment)


class LinkCodeRow(Base):
    """A single-use code, as a hash, with which an account elsewhere is linked to the person it was made for."""

    __tablename__ = "link_codes"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    system: Mapped[str] = mapped_column(String(20))
    principal_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), index=True)
    authenticated_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class ClientRow(Base):
    """What an agent or a service may ever be given, and where its codes may be sent."""

    __tablename__ = "oauth_clients"

    principal_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), primary_key=True)
    allowed_scopes: Mapped[list[str]] = mapped_column(Json)
    allowed_servers: Mapped[list[str]] = mapped_column(Json)
    redirect_uris: Mapped[list[str]] = mapped_column(Json)
    authentication: Mapped[str] = mapped_column(String(30))
    jwks: Mapped[dict[str, object] | None] = mapped_column(Json)
    model: Mapped[str] = mapped_column(String(200), default="")
    prompt: Mapped[str] = mapped_column(String(200), default="")
    version: Mapped[int] = mapped_column(Integer, default=0)
    """The number of its newest version."""
    is_newcomer: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether it came by itself: no administrator has registered it."""
    used_at: Mapped[datetime | None] = mapped_column(Moment)
    """When a newcomer got its first token; one that never did goes by itself."""
    needs_bound_tokens: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether it may have no token that is not bound to a key of its own."""


class AgentVersionRow(Base):
    """What was declared of an agent or a service from some moment on; never changed."""

    __tablename__ = "agent_versions"

    agent_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64))
    declaration: Mapped[dict[str, Any]] = mapped_column(Json)
    declared_by: Mapped[str | None] = mapped_column(String(40))
    declared_at: Mapped[datetime] = mapped_column(Moment)


class ClientSecretRow(Base):
    """A client secret as a hash; several may be valid at once, so that they rotate without downtime."""

    __tablename__ = "oauth_client_secrets"
    __table_args__ = (Index("ix_oauth_client_secrets_principal_id_hash", "principal_id", "hash"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    principal_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"))
    hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)
    warned_at: Mapped[datetime | None] = mapped_column(Moment)
    """When its client's owner was told that it ends soon."""


class ClientDocumentRow(Base):
    """A client that is known by its metadata document: where that is, and until when it need not be read again."""

    __tablename__ = "oauth_client_documents"

    principal_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), primary_key=True)
    url: Mapped[str] = mapped_column(String(500), unique=True)
    fresh_until: Mapped[datetime] = mapped_column(Moment)


class ClientRegistrationRow(Base):
    """A client that registered itself, and the hash of the token by which it may read and end its registration."""

    __tablename__ = "oauth_client_registrations"

    principal_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    registered_at: Mapped[datetime] = mapped_column(Moment, index=True)


class ExternalIdentityRow(Base):
    """A person as another issuer knows it: by that issuer's own subject, never by a name or an address."""

    __tablename__ = "external_identities"
    __table_args__ = (UniqueConstraint("issuer", "principal_id"),)

    issuer: Mapped[str] = mapped_column(String(500), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    principal_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), index=True)
    linked_at: Mapped[datetime] = mapped_column(Moment)


class UsedAssertionRow(Base):
    """An assertion or challenge by which somebody has proved itself, as a hash, for as long as it could come again."""

    __tablename__ = "oauth_used_assertions"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class UsedProofRow(Base):
    """A proof that a key is held, as a hash, for as long as it could be sent again."""

    __tablename__ = "oauth_used_proofs"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class IdentityGenerationRow(Base):
    """One row whose number grows with every change that could make a cached caller wrong."""

    __tablename__ = "identity_generation"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    generation: Mapped[int] = mapped_column(Integer)


class BootstrapRow(Base):
    """The one-time link that makes the first administrator, as a hash."""

    __tablename__ = "bootstrap_links"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


class AuthorizationRequestRow(Base):
    """A checked authorization request that waits for its person's answer; the first who sees it owns it."""

    __tablename__ = "oauth_requests"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    issuer: Mapped[str] = mapped_column(String(500))
    client_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"))
    redirect_uri: Mapped[str] = mapped_column(String(2000))
    state: Mapped[str | None] = mapped_column(String(2000))
    code_challenge: Mapped[str] = mapped_column(String(128))
    scopes: Mapped[list[str]] = mapped_column(Json)
    resource: Mapped[str] = mapped_column(String(600))
    server: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[str | None] = mapped_column(String(40), ForeignKey("principals.id"))
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    key_thumbprint: Mapped[str | None] = mapped_column(String(43))
    """Of the key that its code is bound to (`dpop_jkt`), if it was asked for so."""


class ConsentRow(Base):
    """What one person once let one client do at one server; a later answer is a new row."""

    __tablename__ = "oauth_consents"
    __table_args__ = (Index("ix_oauth_consents_user_id_client_id", "user_id", "client_id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"))
    client_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"))
    resource: Mapped[str] = mapped_column(String(600))
    scopes: Mapped[list[str]] = mapped_column(Json)
    given_at: Mapped[datetime] = mapped_column(Moment)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Moment)


class LeaveEndRow(Base):
    """When somebody last took back, or a theft ended, all leave of one client to act for one person."""

    __tablename__ = "oauth_leave_ends"

    user_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The empty text: any person; that client was put out altogether."""
    client_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The empty text: any client; that person was put out altogether."""
    ended_at: Mapped[datetime] = mapped_column(Moment)


class GrantRow(Base):
    """The permission a family of tokens stands on; revoking it stops all of them at once."""

    __tablename__ = "oauth_grants"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(60))
    client_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"), index=True)
    user_id: Mapped[str | None] = mapped_column(String(40), ForeignKey("principals.id"), index=True)
    scopes: Mapped[list[str]] = mapped_column(Json)
    resource: Mapped[str] = mapped_column(String(600))
    server: Mapped[str] = mapped_column(String(64))
    authenticated_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    parent_id: Mapped[str | None] = mapped_column(String(40), ForeignKey("oauth_grants.id"), index=True)
    """The grant whose token was exchanged for this one; when it ends, this one does."""
    actors: Mapped[list[str]] = mapped_column(Json, default=list)
    """Who acted for the person before the client, the latest first."""
    issuer: Mapped[str | None] = mapped_column(String(500))
    """The external issuer on whose word it stands, if it does."""
    key_thumbprint: Mapped[str | None] = mapped_column(String(43))
    """Of the key that its tokens are bound to, if they are."""
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_reason: Mapped[str | None] = mapped_column(String(200))


class AuthorizationCodeRow(Base):
    """A single-use code, as a hash; once used it names the grant that a replay revokes."""

    __tablename__ = "oauth_codes"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"))
    user_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"))
    redirect_uri: Mapped[str] = mapped_column(String(2000))
    code_challenge: Mapped[str] = mapped_column(String(128))
    scopes: Mapped[list[str]] = mapped_column(Json)
    resource: Mapped[str] = mapped_column(String(600))
    server: Mapped[str] = mapped_column(String(64))
    authenticated_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    used_at: Mapped[datetime | None] = mapped_column(Moment)
    grant_id: Mapped[str | None] = mapped_column(String(40), ForeignKey("oauth_grants.id"))
    key_thumbprint: Mapped[str | None] = mapped_column(String(43))
    """Of the key by whose holder alone it can be redeemed, if it was asked for so."""


class RefreshTokenRow(Base):
    """One refresh token of a grant, as a hash; a used one is kept, so that its reuse is noticed."""

    __tablename__ = "oauth_refresh_tokens"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    grant_id: Mapped[str] = mapped_column(String(40), ForeignKey("oauth_grants.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    used_at: Mapped[datetime | None] = mapped_column(Moment)
