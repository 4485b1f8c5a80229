"""The pages before anybody is known: login, the first administrator, a fresh login, consent."""

from dataclasses import dataclass

from hub.identity.passkeys import Ceremony
from hub.web.inert import Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginWay:
    """Another place to sign in at: where its button leads, and what it is called."""

    action: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """The login form. `form_token` ties the form to this browser; `next` is where to go afterwards, on this hub."""

    form_token: str
    next: str
    name: str = ""
    problem: str = ""
    ways: tuple[LoginWay, ...] = ()
    is_first_visit: bool = False
    """Whether a password has just been set by an invitation."""
    is_empty_hub: bool = False
    """Whether there are no accounts yet, so that nobody can sign in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationPage:
    """The form behind the link by which somebody sets a password."""

    form_token: str
    link_token: str
    name: str
    display_name: str
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAdministratorPage:
    """The form behind the one-time link that makes the first administrator."""

    form_token: str
    link_token: str
    name: str = ""
    display_name: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshLoginPage:
    """A passkey, the password again, or the issuer's login, for what asks for a login younger than the session's."""

    name: str
    next: str
    why: str
    problem: str = ""
    ways: tuple[LoginWay, ...] = ()
    by_password: bool = True
    by_passkey: bool = False
    ceremony: Ceremony | None = None
    """What a passkey is asked for; without one, browsers know no passkeys for this hub's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordPage:
    """One's own password, to change it."""

    name: str
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeLine:
    """One scope that is asked for, and what it lets the agent do."""

    scope: str
    meaning: str
    is_write: bool
    given_before: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentPage:
    """An agent asks to act for the person who looks at the page."""

    request_id: str
    agent: Inert
    agent_name: str
    agent_owner: str
    server: str
    scopes: tuple[ScopeLine, ...]
    returns_to: str
    """Place that the browser is sent to after either answer."""
    is_more: bool = False
    """Whether some of it was allowed before, so that the rest is new."""
    known_by: str = ""
    """The host whose word the agent's name is, if nobody here registered it."""
    knows_itself_alone: bool = False
    """Whether it registered itself, so that its name is its own word."""
    returns_here: bool = False
    """Whether the answer goes to a program on the person's own computer."""
