"""What can be put on a server: its environment's tools to choose from, searched by words, and which were chosen."""

from dataclasses import dataclass
from typing import Final

from hub.core.errors import InputError, NotFound
from hub.identity.principals import Caller
from hub.registry import Catalog, PublishedTool, ServerDefinition
from hub.registry.names import built_in
from hub.web.forms import Form
from hub.web.inert import Inert, inert_name
from hub.web.wording import TIERS, Word, effect_word

MOST_SHOWN: Final = 40
"""How many tools are shown to choose from; the others are found by words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOffer:
    """One tool of one connection that can be put on the server."""

    value: str
    tool: str
    connection: str
    title: Inert
    tier: Word
    effect: Word
    is_chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What there is to choose from, as far as it is shown, and what was typed and ticked so far."""

    shown: tuple[ToolOffer, ...] = ()
    found: int = 0
    """How many there are for these words; without words, of all."""
    more: int = 0
    """How many of them are not shown."""
    words: str = ""
    name: str = ""
    reason: str = ""
    needs_tasks: bool = False


async def offers_for(server: ServerDefinition, catalog: Catalog, caller: Caller, form: Form) -> Offers:
    """Return the tools that are not on `server` yet and fit what was looked for, those ticked before first."""
    words, ticked = form.one("find").strip()[:200], form.all("tools")
    there = {(one.connection, one.tool) for one in server.tools}
    try:
        entries = await catalog.entries(server=built_in(server.environment), caller=caller)
    except NotFound:  # before the first connection there
        return Offers(words=words)
    every = {_value(one): one for entry in entries if entry.is_offered and _key(one := entry.published()) not in there}
    chosen = [every[value] for value in dict.fromkeys(ticked) if value in every]
    fitting = [*every.values()]
    if words:
        named = [one for one in fitting if words.casefold() in _names(one)]
        ranked = await catalog.search(words, caller=caller, server=built_in(server.environment), limit=len(entries))
        fitting = [*{_value(one): one for one in (*named, *ranked) if _value(one) in every}.values()]
    others = [one for one in fitting if _value(one) not in ticked]
    return Offers(
        shown=(*(_offer(one, is_chosen=True) for one in chosen), *map(_offer, others[:MOST_SHOWN])),
        found=len(fitting),
        more=max(0, len(others) - MOST_SHOWN),
        words=words,
        name=form.one("name").strip(),
        reason=form.one("reason"),
        needs_tasks=form.one("needs_tasks") == "yes",
    )


def chosen_tools(form: Form) -> list[dict[str, object]]:
    """Return what was ticked, as a server's definition has it.

    Raises:
        InputError: nothing was, or several, and one name for all of them.
    """
    ticked, name = [*dict.fromkeys(form.all("tools"))], form.one("name").strip()
    if not ticked:
        raise InputError("Tick what is to be put on it. Nothing was changed.")
    if name and len(ticked) > 1:
        raise InputError("Another name is for one tool; tick one, or leave the name empty. Nothing was changed.")
    needs_tasks = form.one("needs_tasks") == "yes"
    pairs = (value.partition(" ") for value in ticked)
    return [
        {"tool": tool, "connection": connection, "name": name, "needs_tasks": needs_tasks}
        for connection, _, tool in pairs
    ]


def _key(tool: PublishedTool) -> tuple[str, str]:
    return tool.connection.name, tool.operation.name


def _value(tool: PublishedTool) -> str:
    return " ".join(_key(tool))


def _names(tool: PublishedTool) -> str:
    return f"{tool.operation.name} {tool.connection.name} {tool.title}".casefold()


def _offer(tool: PublishedTool, *, is_chosen: bool = False) -> ToolOffer:
    return ToolOffer(
        value=_value(tool),
        tool=tool.operation.name,
        connection=tool.connection.name,
        title=inert_name(tool.title),
        tier=TIERS[tool.tier],
        effect=effect_word(tool.operation),
        is_chosen=is_chosen,
    )
