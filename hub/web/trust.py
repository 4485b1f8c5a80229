"""Trust on pages: how far each agent is trusted with a tool and why, and whether a tool is vouched for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from hub.core.errors import InputError, NotFound
from hub.identity import directory
from hub.identity.permissions import Permission, may
from hub.identity.principals import Principal, Role
from hub.invocations.trust import STEPS, Bond, Looked, Trust, bonds_of_agent, bonds_of_tool, restore, trust_of
from hub.registry import Tool, get_tool, reading, set_trust
from hub.storage import Tx
from hub.web.inert import Inert, inert_name
from hub.web.visits import Shown, Visit, redirect_telling, show
from hub.web.wording import Word

_LEVELS: Final = (
    Word(label="level 0 of 2", meaning="Not trusted more than any other.", tone="neutral"),
    Word(label="level 1 of 2", meaning=f"{STEPS[0]} writes came out as previewed.", tone="info"),
    Word(label="level 2 of 2", meaning=f"{STEPS[1]} writes came out as previewed.", tone="good"),
)
_LOST: Final = Word(label="trust lost", meaning="Until whoever answers for the tool has looked.", tone="bad")
_VERSIONS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustLine:
    """How far one agent is trusted with one version of a tool."""

    who: Inert
    tool: str
    version: str
    level: Word
    proven: int
    of: int
    why: str
    evidence: str = ""
    """The page of the write that took the trust away."""
    look_url: str = ""
    """Where to say that one has looked; empty for whoever may not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouching:
    """Whether no stranger can have written what a tool brings back, and where to say so."""

    is_trusted: bool
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPage:
    """Trust in one agent, tool by tool, or in all agents with one tool."""

    subject: Inert
    back_url: str
    lines: tuple[TrustLine, ...]
    vouching: Vouching | None = None
    problem: str = ""


async def show_agent_trust(visit: Visit) -> Response:
    """Show how far an agent is trusted, to its owner and those who manage accounts."""
    agent_id = visit.request.path_params["agent_id"]
    async with visit.runtime.database.reading() as tx:
        agent = await directory.get(tx, agent_id)
        if agent.owner_id != visit.person.id and not may(visit.person, Permission.MANAGE_ACCOUNTS):
            raise NotFound("There is no such agent.")
        bonds = await bonds_of_agent(tx, agent_id)
        tools = {bond.tool_id: await get_tool(tx, bond.tool_id) for _, bond in bonds}
        lines = [
            _line(inert_name(name), name, await trust_of(tx, bond), _look(visit.person, tools[bond.tool_id], bond))
            for name, bond in bonds
        ]
    page = TrustPage(subject=inert_name(agent.display_name), back_url=f"/people/{agent_id}", lines=tuple(lines))
    return show(visit, Shown(template="trust.html", title="Trust", page=page, here="people"))


async def show_tool_trust(visit: Visit) -> Response:
    """Show whether a tool's results are vouched for, and its agents, to whoever answers for it."""
    return await _tool_page(visit)


async def vouch(visit: Visit) -> Response:
    """Say whether no stranger can have written what a tool brings back."""
    tool = await _mine(visit)
    is_trusted = visit.form.one("vouch") == "yes"
    async with visit.runtime.database.transaction() as tx:
        await set_trust(tx, tool.id, visit.own_authority, is_trusted=is_trusted)
    told = "Its results are trusted from now on." if is_trusted else "Its results are not trusted any more."
    return redirect_telling(visit, f"/tools/{tool.id}/trust", told)


async def look(visit: Visit) -> Response:
    """Say that one has looked at what took an agent's trust with a tool away."""
    tool = await _mine(visit)
    looked = Looked(agent_id=visit.request.path_params["agent_id"], tool_id=tool.id, reason=visit.form.one("reason"))
    try:
        async with visit.runtime.database.transaction() as tx:
            await restore(tx, looked, visit.own_authority)
    except InputError as error:
        return await _tool_page(visit, problem=error.message)
    return redirect_telling(visit, f"/tools/{tool.id}/trust", "It is on record that you looked. Trust is earned anew.")


def answers_for(person: Principal, tool: Tool) -> bool:
    """Return whether somebody answers for a tool: its owner, or an administrator."""
    return not person.is_suspended and (tool.owner_id == person.id or person.has_role(Role.ADMINISTRATOR))


async def _mine(visit: Visit) -> Tool:
    async with visit.runtime.database.reading() as tx:
        tool = await get_tool(tx, visit.request.path_params["tool_id"])
    if not answers_for(visit.person, tool):
        raise NotFound("There is no such tool.")
    return tool


async def _tool_page(visit: Visit, *, problem: str = "") -> Response:
    tool = await _mine(visit)
    async with visit.runtime.database.reading() as tx:
        bonds = await _bonds(tx, tool)
        agents = await directory.get_many(tx, [bond.agent_id for _, bond in bonds])
        trusts = [await trust_of(tx, bond) for _, bond in bonds]
    page = TrustPage(
        subject=inert_name(tool.name),
        back_url="/",
        lines=tuple(_tool_lines(visit.person, tool, zip(bonds, trusts, strict=True), agents)),
        vouching=Vouching(is_trusted=tool.is_trusted, action=f"/tools/{tool.id}/trust"),
        problem=problem,
    )
    shown = Shown(template="trust.html", title="Trust", page=page, here="tools", status=400 if problem else 200)
    return show(visit, shown)


async def _bonds(tx: Tx, tool: Tool) -> Sequence[tuple[int, Bond]]:
    """Return the agents that have written with one of the latest versions of a tool."""
    latest = (await reading.versions(tx, tool.id))[:_VERSIONS]
    return [(one.number, bond) for one in latest for _, bond in await bonds_of_tool(tx, tool.id, one.digest)]


def _tool_lines(
    person: Principal,
    tool: Tool,
    found: Iterator[tuple[tuple[int, Bond], Trust]],
    agents: Mapping[str, Principal],
) -> Iterator[TrustLine]:
    for (number, bond), trust in found:
        agent = agents.get(bond.agent_id)
        who = inert_name(agent.display_name if agent else bond.agent_id)
        yield _line(who, f"version {number}", trust, _look(person, tool, bond))


def _look(person: Principal, tool: Tool, bond: Bond) -> tuple[str, str]:
    """Return the versions of both, and where somebody who answers for the tool says that they have looked."""
    url = f"/tools/{tool.id}/trust/{bond.agent_id}" if answers_for(person, tool) else ""
    return f"{bond.tool_version_digest[:12]}, agent version {bond.agent_version}", url


def _line(who: Inert, tool: str, trust: Trust, place: tuple[str, str]) -> TrustLine:
    version, look_url = place
    return TrustLine(
        who=who,
        tool=tool,
        version=version,
        level=_LOST if trust.setback else _LEVELS[trust.level],
        proven=trust.proven,
        of=STEPS[min(trust.level, len(STEPS) - 1)],
        why=trust.why,
        evidence=f"/invocations/{trust.invocation_id}" if trust.invocation_id else "",
        look_url=look_url if trust.setback else "",
    )
