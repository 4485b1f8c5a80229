"""One tool: what it does, what it takes and gives, and how it is governed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from connectors.sdk.vocabulary import Effect
from hub.identity.directory import get_many
from hub.identity.permissions import Permission, demand
from hub.identity.scopes import sufficient_scopes
from hub.registry import PublishedTool, ToolVersion, claim_for, reading, steps_of
from hub.storage import now
from hub.web.badge import badge_of, claim_of
from hub.web.inert import Inert, inert, inert_name, inert_prose
from hub.web.own_limits import PATH as OWN_LIMITS
from hub.web.schema_words import schema_fields
from hub.web.trust import answers_for
from hub.web.views.catalog import ConditionLine, StepLine, ToolPage, VersionLine
from hub.web.visits import Shown, Visit, show
from hub.web.wording import FIDELITIES, TIERS, UPSTREAM_CLASSES, effect_word, undo_word

Json = Any
"""Any JSON value."""


async def show_tool(visit: Visit) -> Response:
    """Show one tool as a server publishes it."""
    demand(visit.person, Permission.SEE_CATALOG)
    return await tool_page(visit)


async def tool_shown(visit: Visit) -> PublishedTool:
    """Return the tool that the address names.

    Raises:
        NotFound: there is none, or the visitor may not see it.
    """
    path = visit.request.path_params
    return await visit.runtime.catalog.resolve(path["name"], server=path["server"], caller=visit.session.caller)


async def tool_page(visit: Visit, *, problem: str = "") -> Response:
    """Show the tool as it stands now, and what stood against the change that was asked for."""
    tool, server = await tool_shown(visit), visit.request.path_params["server"]
    async with visit.runtime.database.reading() as tx:
        versions = await reading.versions(tx, tool.tool.id)
        moment = await now(tx)
        claim = claim_of(await claim_for(tx, tool.connector), tool.operation.name, now=moment)
        owners = await get_many(tx, [tool.tool.owner_id] if tool.tool.owner_id else [])
    owner = owners[tool.tool.owner_id].display_name if tool.tool.owner_id in owners else "nobody yet"
    trust_url = f"/tools/{tool.tool.id}/trust" if answers_for(visit.person, tool.tool) else ""
    page = replace(
        _page(tool, versions, server=server, owner=owner),
        badge=badge_of(tool, now=moment),
        claim=claim,
        trust_url=trust_url,
        limits_url=f"{OWN_LIMITS}?of={tool.tool.id}" if tool.tool.owner_id == visit.person.id else "",
        owner_url=f"/servers/{server}/tools/{tool.name}/owner" if answers_for(visit.person, tool.tool) else "",
        problem=problem,
    )
    status = 400 if problem else 200
    return show(visit, Shown(template="tool.html", title=tool.title, page=page, here="tools", status=status))


def _steps(tool: PublishedTool) -> Iterator[StepLine]:
    for step in steps_of(tool.operation):
        yield StepLine(
            name=step.name,
            tool=step.tool,
            connection=step.connection,
            arguments=json_text(dict(step.arguments)),
            is_final=not step.can_be_taken_back,
            is_read=step.is_read,
        )


def json_text(value: Json) -> Inert:
    """Return a JSON value as people read it: indented, its own characters, the hidden ones visible."""
    return inert(json.dumps(value, indent=2, ensure_ascii=False))


def _page(tool: PublishedTool, versions: Sequence[ToolVersion], *, server: str, owner: str) -> ToolPage:
    operation = tool.operation
    return ToolPage(
        name=tool.name,
        title=inert_name(tool.title),
        description=inert_prose(tool.description),
        server=server,
        environment=tool.environment.value,
        connector=inert_name(tool.connector.title),
        connector_version=tool.connector.version,
        connection=tool.connection.name,
        owner=owner,
        tier=TIERS[tool.tier],
        tier_reason=inert(_tier_reason(tool)),
        conditions=tuple(_conditions(tool)),
        steps=tuple(_steps(tool)),
        effect=effect_word(operation),
        reversal=undo_word(operation.reversal, is_proven=tool.undo_proven),
        residue=tuple(inert_prose(item) for item in operation.residue),
        undo_tool=operation.compensation.tool if operation.compensation else "",
        fidelity=FIDELITIES[operation.fidelity],
        fidelity_rank=operation.fidelity.rank,
        upstream_class=UPSTREAM_CLASSES[operation.upstream_class],
        scopes=sufficient_scopes(tool.tool.connector, tool.name, tool.effect),
        data_classes=operation.data_classes,
        inputs=schema_fields(operation.input_schema),
        outputs=schema_fields(operation.output_schema),
        input_json=json_text(operation.input_schema),
        output_json=json_text(operation.output_schema),
        examples=tuple(json_text(example) for example in operation.examples),
        versions=tuple(
            VersionLine(
                number=version.number,
                digest=version.digest,
                used_in=tuple(one.value for one in version.used_in),
                withdrawn=version.withdrawn or "",
            )
            for version in versions
        ),
        promotions_url=f"/promotions?connector={tool.connector.name}",
        is_read=tool.effect is Effect.READ,
    )


def _conditions(tool: PublishedTool) -> Iterator[ConditionLine]:
    for tier, condition in tool.operation.tier_when.items():
        says = inert(f"The tier of a call is {TIERS[tier].label.lower()} when")
        yield ConditionLine(says=says, condition=inert_name(condition))
    for rule in tool.tool.rules:
        yield ConditionLine(says=inert(f"{rule.message} Every call must keep"), condition=inert_name(rule.condition))


def _tier_reason(tool: PublishedTool) -> str:
    declared = f"The connector declares {tool.operation.tier.value}."
    if tool.tool.raised_tier is tool.tier and tool.tier is not tool.operation.tier:
        return f"{declared} The hub raised it, and its owner can settle that. {tool.tool.raised_reason or ''}"
    if tool.tool.owner_tier is tool.tier and tool.tier is not tool.operation.tier:
        return f"{declared} Its owner set it higher."
    return ""
