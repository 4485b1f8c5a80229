"""Accounts for the administrator: users, their groups and roles, agents and what they may hold."""

from dataclasses import dataclass

from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.views.catalog import Choice
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLine:
    """One principal in a list."""

    url: str
    name: str
    display_name: Inert
    groups: tuple[str, ...]
    roles: tuple[str, ...]
    state: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLine:
    """One agent or service in a list."""

    url: str
    name: str
    display_name: Inert
    kind: str
    owner: str
    scopes: tuple[str, ...]
    servers: tuple[str, ...]
    state: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLine:
    """One group that rules can ask."""

    name: str
    title: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUserForm:
    """What was typed to make a user, and what stood against it."""

    groups: tuple[Choice, ...]
    roles: tuple[Choice, ...]
    name: str = ""
    display_name: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgentForm:
    """What was typed to make an agent, and what stood against it."""

    owner: str
    """An account name; whose it is unless somebody else is chosen."""
    servers: tuple[Choice, ...]
    name: str = ""
    display_name: str = ""
    scopes: str = ""
    known_scopes: tuple[str, ...] = ()
    """Those of the connectors that there are."""
    redirect_uris: str = ""
    document_url: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGroupForm:
    """What was typed to make a group, and what stood against it."""

    name: str = ""
    title: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeoplePage:
    """Users, agents and groups, and the forms that make more of them."""

    people: tuple[PersonLine, ...]
    agents: tuple[AgentLine, ...]
    groups: tuple[GroupLine, ...]
    new_user: NewUserForm
    new_agent: NewAgentForm
    new_group: NewGroupForm
    more_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewcomerLine:
    """One agent that came by itself."""

    id: str
    url: str
    name: str
    display_name: Inert
    document: str
    """Where its metadata document is; empty: it registered itself."""
    came: At
    used: At | None
    goes: At
    """When it goes, if nobody uses it until then."""
    returns_to: tuple[str, ...]
    scopes: tuple[str, ...]
    state: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class NewcomersPage:
    """The agents that came by themselves, the latest first."""

    lines: tuple[NewcomerLine, ...]
    are_admitted: bool
    """Whether the settings let any more come."""
    more_url: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityLine:
    """A person as one external issuer knows it; only one that the settings still name can be unlinked here."""

    issuer: str
    name: str
    subject: str
    linked: At


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecretPage:
    """An agent has a new secret; its value is shown this once."""

    name: str
    client_id: str
    secret_id: str
    """By which it is revoked."""
    client_secret: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLinkPage:
    """Somebody's link to set a password; it is shown this once."""

    id: str
    name: str
    link: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretLine:
    """One secret that an agent has, never its value."""

    id: str
    issued: At
    ends: At
    state: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentVersionLine:
    """One version of an agent's declaration, and what it declares otherwise than the one before."""

    number: int
    digest: str
    by: Inert
    since: At
    is_newest: bool
    changes: tuple[Inert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPage:
    """One principal, with its groups and roles to change and the switch that suspends it."""

    id: str
    name: str
    display_name: Inert
    kind: str
    state: Word
    is_suspended: bool
    is_user: bool
    groups: tuple[Choice, ...]
    roles: tuple[Choice, ...]
    owner: str
    scopes: tuple[str, ...]
    servers: tuple[str, ...]
    can_have_secrets: bool
    known_by: str = ""
    """Where an agent's metadata document is, if that is what it is known by."""
    secrets: tuple[SecretLine, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    known_scopes: tuple[str, ...] = ()
    unknown_scopes: tuple[str, ...] = ()
    """What an agent may hold, and no connector has."""
    email: str = ""
    server_choices: tuple[Choice, ...] = ()
    model: str = ""
    prompt: str = ""
    versions: tuple[AgentVersionLine, ...] = ()
    invited_until: At | None = None
    """Until when a person's invitation works, if it has one that does."""
    passkeys: int = 0
    """How many passkeys a person has enrolled."""
    is_newcomer: bool = False
    needs_bound_tokens: bool = False
    identities: tuple[IdentityLine, ...] = ()
    linkable: tuple[Choice, ...] = ()
    """The issuers that do not know this person yet."""
    may_manage: bool = False
    """Whether the viewer manages accounts; else the viewer is the owner of this agent."""
    problem: str = ""
