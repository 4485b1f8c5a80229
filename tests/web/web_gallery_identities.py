"""Examples of people whom external issuers know, and of agents that came by themselves."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.web.inert import inert_name
from hub.web.moments import at
from hub.web.views.catalog import Choice
from hub.web.views.people import IdentityLine, NewcomerLine, NewcomersPage, PersonPage
from hub.web.wording import Word

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
ACTIVE = Word(label="active", meaning="May act.", tone="good")
SUSPENDED = Word(label="suspended", meaning="Refused everywhere.", tone="bad")
ACME, OTHER = Choice(value="acme", label="Acme"), Choice(value="partner", label="Partner's directory")
KNOWN = IdentityLine(
    issuer="Acme",
    name="acme",
    subject="248289761001-83692-8f3a-9dc5-c0ffee",
    linked=at(NOW - timedelta(days=9), now=NOW),
)
FORMER = IdentityLine(
    issuer="https://login.former.example/tenants/0f3a", name="", subject="s-7", linked=at(NOW, now=NOW)
)

_AGENT: dict[str, Any] = {"is_user": False, "kind": "agent", "owner": "Olive Owner", "scopes": ("tryton:read",)}
_PEOPLE: dict[str, dict[str, Any]] = {
    "person-document": {**_AGENT, "known_by": "https://agents.example.org/oauth/client.json"},
    "person-redirects": {**_AGENT, "redirect_uris": ("http://127.0.0.1/callback", "https://agents.example.org/done")},
    "person-passkeys": {"passkeys": 2},
    "person-newcomer": {**_AGENT, "is_newcomer": True},
    "person-bound": {**_AGENT, "needs_bound_tokens": True},
    "person-unlinked": {"linkable": (ACME, OTHER)},
    "person-linked": {"identities": (KNOWN, FORMER), "linkable": (OTHER,)},
    "person-linking-refused": {
        "linkable": (ACME,),
        "problem": "This subject is somebody here already; unlink that person first.",
    },
}

TRAVELLER = NewcomerLine(
    id="agt_traveller",
    url="/people/agt_traveller",
    name="agents.example.org-0123456789abcdef",
    display_name=inert_name("Traveller"),
    document="https://agents.example.org/oauth/client.json",
    came=at(NOW - timedelta(days=3), now=NOW),
    used=at(NOW - timedelta(days=2), now=NOW),
    goes=at(NOW + timedelta(days=27), now=NOW),
    returns_to=("agents.example.org", "127.0.0.1"),
    scopes=("tryton:read",),
    state=ACTIVE,
)
REGISTERED = NewcomerLine(
    id="agt_registered",
    url="/people/agt_registered",
    name="registered-06dvh3x5m8qk2v7c1n4pz9tbwr",
    display_name=inert_name("Approve me\u202eeruces ,"),
    document="",
    came=at(NOW - timedelta(hours=5), now=NOW),
    used=None,
    goes=at(NOW + timedelta(days=29), now=NOW),
    returns_to=("com.example.app:/done",),
    scopes=("tryton:read",),
    state=SUSPENDED,
)
_LISTS = {
    "newcomers": NewcomersPage(
        lines=(REGISTERED, TRAVELLER), are_admitted=True, more_url="/people/newcomers?before=agt_x"
    ),
    "newcomers-none": NewcomersPage(lines=(), are_admitted=False),
    "newcomers-gone": NewcomersPage(
        lines=(TRAVELLER,), are_admitted=True, problem="There is no newcomer 'agt_registered'."
    ),
}


def identity_pages(person: PersonPage) -> Iterator[tuple[str, str, PersonPage | NewcomersPage]]:
    """Yield the name, the template and the page of each example; those of one account are like `person`."""
    for name, changed in _PEOPLE.items():
        yield name, "person.html", replace(person, **changed)
    for name, shown in _LISTS.items():
        yield name, "newcomers.html", shown
