"""Who acts: principals with their roles and groups, and the caller of one request."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class PrincipalKind(StrEnum):
    """What kind of actor a principal is."""

    USER = "user"
    AGENT = "agent"
    SERVICE = "service"


class Role(StrEnum):
    """What a principal may do beside what its groups and ownership give it (governance, section 11)."""

    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    MEMBER = "member"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A user, an agent or a service, as it stands at one moment.

    `allowed_scopes` and `allowed_servers` bound what tokens of an agent or a service can ever hold; both are empty for
    users, who hold no tokens of their own. Empty means nothing, never everything.
    """

    id: str
    kind: PrincipalKind
    name: str
    display_name: str
    groups: frozenset[str]
    roles: frozenset[Role]
    owner_id: str | None
    is_suspended: bool
    email: str | None = None
    """Where a person hears that something waits; None: nowhere."""
    allowed_scopes: frozenset[str] = frozenset()
    allowed_servers: frozenset[str] = frozenset()
    group_servers: frozenset[str] = frozenset()
    """Servers that are open to a group of the agent's or service's; its declaration says nothing of them."""
    agent_version: int = 0
    """Of an agent or a service: the newest version of its declaration, or the one its token is bound to."""
    needs_bound_tokens: bool = False
    """Of an agent or a service: whether only tokens count that are bound to a key of its own."""

    @property
    def usable_servers(self) -> frozenset[str]:
        """Every server that an agent or a service may use."""
        return self.allowed_servers | self.group_servers

    def has_role(self, role: Role) -> bool:
        """Return whether the principal holds `role` now; a suspended one holds none."""
        return role in self.roles and not self.is_suspended


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The principals and scopes of one request: who asks, for whom, and with what.

    `actor` is the agent or service that sent the request or, at the web and the API, the user itself. `scopes` are
    those of the token at hand (empty for a web session); `authenticated_at` is when the person last proved who it is.
    """

    actor: Principal
    on_behalf_of: Principal | None = None
    scopes: frozenset[str] = frozenset()
    client_id: str | None = None
    token_id: str | None = None
    resource: str | None = None
    authenticated_at: datetime | None = None
    passed_on_by: tuple[str, ...] = ()
    """Through whose hands the person's leave came to the actor, the latest first: it is bound by theirs as well."""
    issuer: str | None = None
    """The external issuer on whose word the actor acts for the person, if not on the person's own."""
    leave_from: datetime | None = None
    """When the leave began by which the actor acts for the person: of its grant, or of the issuer's token. It does not
    depend on when who looked: leave that ended since is this one, whoever had not heard of it yet."""
    verified_at: datetime | None = field(default=None, compare=False)
    """The database's time when the token of this request was found good, if it came by one: not too early (but for the
    millisecond that SQLite rounds off), and too late by no more than the database took to answer. What is taken back
    later is taken back from this very request."""

    @property
    def subject(self) -> Principal:
        """The principal whose work this is: the user acted for or, without one, the actor itself."""
        return self.on_behalf_of or self.actor

    @property
    def visible_key(self) -> str:
        """What cursors and handles are bound to: the same pair of principals has the same key, others never."""
        return f"{self.actor.id}:{self.on_behalf_of.id if self.on_behalf_of else ''}"
