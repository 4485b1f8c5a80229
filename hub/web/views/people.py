"""Accounts for the administrator: users, their groups and roles, agents and what they may hold."""

from dataclasses import dataclass

from hub.web.inert import Inert
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
class NewUserForm:
    """What was typed to make a user, and what stood against it."""

    name: str = ""
    display_name: str = ""
    groups: str = ""
    roles: tuple[Choice, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgentForm:
    """What was typed to make an agent, and what stood against it."""

    name: str = ""
    display_name: str = ""
    owner: str = ""
    scopes: str = ""
    servers: str = ""
    redirect_uris: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeoplePage:
    """Users, agents, and the two forms that make more of them."""

    people: tuple[PersonLine, ...]
    agents: tuple[AgentLine, ...]
    new_user: NewUserForm
    new_agent: NewAgentForm


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClientPage:
    """An agent has been made; its secret is shown this once."""

    name: str
    client_id: str
    client_secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPage:
    """One principal, with its groups to change and the switch that suspends it."""

    id: str
    name: str
    display_name: Inert
    kind: str
    state: Word
    is_suspended: bool
    is_user: bool
    groups: str
    roles: tuple[str, ...]
    owner: str
    scopes: tuple[str, ...]
    servers: tuple[str, ...]
    problem: str = ""
