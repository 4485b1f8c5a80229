"""Permissions: which role may do what, as one table; what is not in it, nobody may (governance, section 11)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from hub.core.errors import Forbidden
from hub.identity.principals import Principal, Role


class Permission(StrEnum):
    """What a role can allow. Voting and owning are no roles: groups and ownership decide them, record by record."""

    SEE_CATALOG = "see the catalog"
    TRY_TOOLS = "try reads as oneself"
    MANAGE_ACCOUNTS = "manage accounts, groups and agents"
    MANAGE_REGISTRY = "register connectors, connections and servers"
    MANAGE_POLICY = "propose and publish policy"
    SEE_POLICY = "read the rules in force"
    STOP_THINGS = "quarantine tools and disable connections"
    SEE_HEALTH = "see how the hub is"
    SEE_WAITING = "look at everything that waits"
    RESOLVE_DOUBTS = "say what became of a write in doubt"
    BREAK_GLASS = "let a write go without approval"
    SEE_AUDIT = "read, export and verify the audit log"
    SEE_METRICS = "see everybody's numbers"
    MANAGE_COSTS = "open, change and close cost centres"
    ASK_ERASURE = "ask for an erasure"
    GRANT_ERASURE = "grant erasures and set legal holds"


ROLES: Final[Mapping[Permission, frozenset[Role]]] = {
    Permission.SEE_CATALOG: frozenset({Role.MEMBER}),
    Permission.TRY_TOOLS: frozenset({Role.MEMBER}),
    Permission.MANAGE_ACCOUNTS: frozenset({Role.ADMINISTRATOR}),
    Permission.MANAGE_REGISTRY: frozenset({Role.ADMINISTRATOR}),
    Permission.MANAGE_POLICY: frozenset({Role.ADMINISTRATOR}),
    Permission.SEE_POLICY: frozenset({Role.ADMINISTRATOR, Role.AUDITOR}),
    Permission.STOP_THINGS: frozenset({Role.ADMINISTRATOR, Role.OPERATOR}),
    Permission.SEE_HEALTH: frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
    Permission.SEE_WAITING: frozenset({Role.OPERATOR}),
    Permission.RESOLVE_DOUBTS: frozenset({Role.OPERATOR}),
    Permission.BREAK_GLASS: frozenset({Role.OPERATOR}),
    Permission.SEE_AUDIT: frozenset({Role.AUDITOR}),
    Permission.SEE_METRICS: frozenset({Role.OPERATOR, Role.AUDITOR}),
    Permission.MANAGE_COSTS: frozenset({Role.ADMINISTRATOR}),
    Permission.ASK_ERASURE: frozenset({Role.ADMINISTRATOR, Role.AUDITOR}),
    Permission.GRANT_ERASURE: frozenset({Role.AUDITOR}),
}


def may(principal: Principal, permission: Permission) -> bool:
    """Return whether one of the principal's roles allows it; a suspended principal may nothing."""
    return any(principal.has_role(role) for role in ROLES.get(permission, frozenset()))


def demand(principal: Principal, permission: Permission) -> None:
    """Let the principal pass if one of its roles allows it.

    Raises:
        Forbidden: none does; the message names the roles that would.
    """
    if not may(principal, permission):
        roles = " or ".join(sorted(ROLES.get(permission, frozenset())))
        raise Forbidden(f"Only the role {roles or 'of nobody'} may {permission.value}.")
