"""Principals as the people pages show them."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from hub.identity.declarations import AgentVersion
from hub.identity.expiring import HeldSecret
from hub.identity.foreign_people import ExternalIdentity
from hub.identity.foreign_tokens import ForeignIssuers
from hub.identity.principals import Principal, PrincipalKind, Role
from hub.web.inert import Inert, inert, inert_name
from hub.web.moments import at
from hub.web.views.catalog import Choice
from hub.web.views.people import AgentLine, AgentVersionLine, IdentityLine, PersonLine, PersonPage, SecretLine
from hub.web.wording import Word

_ACTIVE: Final = Word(label="active", meaning="May act.", tone="good")
_GOOD: Final = Word(label="good", meaning="The agent may prove itself by it.", tone="good")
_ENDS_SOON: Final = Word(label="ends soon", meaning="No other one is good for longer.", tone="warn")
_ROLES: Final = {
    Role.ADMINISTRATOR: "makes accounts, agents, connections and servers, sets limits, proposes and publishes policy.",
    Role.OPERATOR: "sees health and all that waits, settles writes in doubt, stops things, breaks the glass.",
    Role.AUDITOR: "reads the log, everybody's calls and the rules, grants erasures; sees no tools by this role.",
    Role.MEMBER: "sees tools and servers, and tries reads as oneself; what most people are, beside other roles, too.",
}
_SUSPENDED: Final = Word(label="suspended", meaning="Refused everywhere.", tone="bad")


def person_line(user: Principal) -> PersonLine:
    """Return a user as a line of the list."""
    return PersonLine(
        url=f"/people/{user.id}",
        name=user.name,
        display_name=inert_name(user.display_name),
        groups=tuple(sorted(user.groups)),
        roles=tuple(sorted(user.roles)),
        state=state_of(user),
    )


def agent_line(client: Principal, owners: Mapping[str, Principal]) -> AgentLine:
    """Return an agent or a service as a line of the list."""
    return AgentLine(
        url=f"/people/{client.id}",
        name=client.name,
        display_name=inert_name(client.display_name),
        kind=client.kind.value,
        owner=_owner(client, owners),
        scopes=tuple(sorted(client.allowed_scopes)),
        servers=tuple(sorted(client.allowed_servers)),
        state=state_of(client),
    )


def person_page(principal: Principal, owners: Mapping[str, Principal], titles: Mapping[str, str]) -> PersonPage:
    """Return a principal in full."""
    return PersonPage(
        id=principal.id,
        name=principal.name,
        display_name=inert_name(principal.display_name),
        kind=principal.kind.value,
        state=state_of(principal),
        is_suspended=principal.is_suspended,
        is_user=principal.kind is PrincipalKind.USER,
        groups=choices(titles, principal.groups),
        roles=role_choices(principal.roles),
        owner=_owner(principal, owners),
        scopes=tuple(sorted(principal.allowed_scopes)),
        servers=tuple(sorted(principal.allowed_servers)),
        can_have_secrets=False,
        email=principal.email or "",
    )


def identity_lines(
    identities: Sequence[ExternalIdentity], issuers: ForeignIssuers, moment: datetime
) -> tuple[IdentityLine, ...]:
    """Return how external issuers know a person; one that the settings name no more is told by its identifier."""
    known = {link.issuer.issuer: link.issuer for link in issuers}
    return tuple(
        IdentityLine(
            issuer=known[one.issuer].title if one.issuer in known else one.issuer,
            name=known[one.issuer].name if one.issuer in known else "",
            subject=one.subject,
            linked=at(one.linked_at, now=moment),
        )
        for one in identities
    )


def linkable_issuers(
    principal: Principal, identities: Sequence[ExternalIdentity], issuers: ForeignIssuers
) -> tuple[Choice, ...]:
    """Return the issuers that a person can still be linked with."""
    if principal.kind is not PrincipalKind.USER:
        return ()
    taken = {one.issuer for one in identities}
    return tuple(
        Choice(value=link.issuer.name, label=link.issuer.title) for link in issuers if link.issuer.issuer not in taken
    )


def secret_lines(held: Sequence[HeldSecret], moment: datetime) -> tuple[SecretLine, ...]:
    """Return the secrets that an agent has now, the one that ends first first."""
    return tuple(
        SecretLine(
            id=one.id,
            issued=at(one.issued_at, now=moment),
            ends=at(one.expires_at, now=moment),
            state=_ENDS_SOON if one.ends_soon else _GOOD,
        )
        for one in held
    )


def version_lines(
    versions: Sequence[AgentVersion], people: Mapping[str, Principal], moment: datetime
) -> tuple[AgentVersionLine, ...]:
    """Return the versions of an agent, the newest first, each with what it changed."""
    before = [*versions[1:], None][: len(versions)]  # people have no versions, and so nothing before them
    return tuple(
        AgentVersionLine(
            number=one.number,
            digest=one.digest,
            by=inert_name(_declarer(one.declared_by, people)),
            since=at(one.declared_at, now=moment),
            is_newest=one is versions[0],
            changes=_changes(one, former),
        )
        for one, former in zip(versions, before, strict=True)
    )


def _declarer(principal_id: str | None, people: Mapping[str, Principal]) -> str:
    if principal_id is None:
        return "the hub's console"
    return people[principal_id].display_name if principal_id in people else principal_id


def _changes(one: AgentVersion, former: AgentVersion | None) -> tuple[Inert, ...]:
    if former is None:
        return ()
    changed = one.changed_from(former)
    return tuple(inert(f"{name}: {json.dumps(old)} -> {json.dumps(new)}") for name, (old, new) in changed.items())


def choices(titles: Mapping[str, str], chosen: frozenset[str] = frozenset()) -> tuple[Choice, ...]:
    """Return the groups as options."""
    return tuple(
        Choice(value=name, label=f"{title} ({name})", is_chosen=name in chosen) for name, title in titles.items()
    )


def server_choices(titles: Mapping[str, str], chosen: frozenset[str]) -> tuple[Choice, ...]:
    """Return what an agent may be allowed as options."""
    return tuple(
        Choice(value=name, label=f"{name}: {title}", is_chosen=name in chosen) for name, title in titles.items()
    )


def unknown_scopes(principal: Principal, known: Sequence[str]) -> tuple[str, ...]:
    """Return which scopes of whole connectors somebody may hold that no connector has, now at least."""
    return tuple(
        scope for scope in sorted(principal.allowed_scopes) if scope not in known and not scope.startswith("tool:")
    )


def role_choices(chosen: frozenset[Role]) -> tuple[Choice, ...]:
    """Return the roles as options."""
    return tuple(
        Choice(value=role.value, label=role.value, is_chosen=role in chosen, meaning=_ROLES[role]) for role in Role
    )


def _owner(principal: Principal, owners: Mapping[str, Principal]) -> str:
    owner = owners.get(principal.owner_id or "")
    return owner.display_name if owner else "nobody"


def state_of(principal: Principal) -> Word:
    """Return whether a principal may act, in words."""
    return _SUSPENDED if principal.is_suspended else _ACTIVE
