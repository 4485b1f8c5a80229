"""What the pages of servers show, made of the registry's values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from hub.identity.principals import Principal
from hub.identity.resources import resource_of
from hub.registry import EVERYTHING, MOST_LISTED, Difference, Listing, Server, ServerProposal
from hub.registry.entries import Entry
from hub.web.inert import inert, inert_name
from hub.web.views.catalog import Choice, DifferenceLine, EntryLine, ServerLine, ServerProposalCard

LISTINGS: Final[Mapping[Listing, str]] = {
    Listing.AUTOMATIC: f"Every tool, up to {MOST_LISTED}; above, a search",
    Listing.ALL: "Every tool",
    Listing.SEARCH: "A search: one tool that finds others, and one that calls them",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Who looks at a proposal: whether it may publish it, or say no to it."""

    may_publish: bool
    may_reject: bool


def server_line(server: Server, owners: Mapping[str, Principal], *, default: str, public_url: str) -> ServerLine:
    """Return a server as a line of the list; `default` is the one at `/mcp`."""
    return ServerLine(
        name=server.name,
        title=inert_name(server.title),
        environment=server.environment.value,
        address=resource_of(EVERYTHING if server.name == default else server.name, public_url),
        owner=owner_name(server.owner_id, owners),
        catalog_url=f"/?server={server.name}",
        url=f"/servers/{server.name}",
    )


def owner_name(owner_id: str | None, owners: Mapping[str, Principal]) -> str:
    """Return who looks after a server or a connection."""
    if owner_id is None:
        return "the hub"
    return owners[owner_id].display_name if owner_id in owners else "nobody any more"


def entry_line(entry: Entry) -> EntryLine:
    """Return a tool as it stands on its server."""
    return EntryLine(
        name=entry.name,
        url=f"/servers/{entry.server.name}/tools/{entry.name}" if entry.is_offered else "",
        tool=entry.tool.name,
        connection=entry.connection.name,
        why_not=inert(entry.why_not_offered) if entry.why_not_offered else None,
        needs_tasks=entry.needs_tasks,
    )


def listing_choices(chosen: Listing) -> tuple[Choice, ...]:
    """Return what a server can list."""
    return tuple(Choice(value=one.value, label=said, is_chosen=one is chosen) for one, said in LISTINGS.items())


def group_choices(known: Mapping[str, str], chosen: Iterable[str]) -> tuple[Choice, ...]:
    """Return the groups to choose from."""
    held = set(chosen)
    return tuple(Choice(value=name, label=title, is_chosen=name in held) for name, title in sorted(known.items()))


def proposal_card(proposal: ServerProposal, people: Mapping[str, Principal], looking: Looking) -> ServerProposalCard:
    """Return a proposal as it is shown to somebody."""
    return ServerProposalCard(
        id=proposal.id,
        server=proposal.wanted.name,
        reason=inert(proposal.reason),
        proposed_by=owner_name(proposal.proposed_by, people) if proposal.proposed_by else "the console",
        digest=proposal.digest,
        changes=tuple(map(_difference, proposal.changes)),
        may_publish=looking.may_publish,
        may_reject=looking.may_reject,
    )


def _difference(one: Difference) -> DifferenceLine:
    return DifferenceLine(what=inert_name(one.what), before=inert(one.before), after=inert(one.after))
