"""What owners and the hub do to tools: tiers, quarantine, withdrawal of versions, ownership."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, select

from connectors.sdk.rules import Rule
from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Tier
from hub.audit import EventKind
from hub.core.errors import InputError, NotFound
from hub.identity.authority import Authority
from hub.registry.reading import highest, tier_of, tool_of, tool_row
from hub.registry.stewardship import Stewards, Touched, checked_owner, outdate_catalog, require_steward
from hub.registry.tables import ToolRow, ToolVersionRow, VersionInUseRow
from hub.registry.values import Tool
from hub.storage import Tx

MOST_RULES: Final = 20
_LONGEST_REASON: Final = 500


async def set_owner_tier(tx: Tx, tool_id: str, tier: Tier | None, authority: Authority) -> Tool:
    """Set the tier its owner gives a tool; the tier that applies is never below what the connector declares.

    Raises:
        NotFound: there is no such tool.
        Forbidden: it is neither the owner nor an administrator.
    """
    row = await _owned(tx, tool_id, authority)
    before, row.owner_tier = row.owner_tier, None if tier is None else tier.value
    await tx.flush()
    facts = {"tool": row.name, "changed": "owner_tier", "before": before, "after": row.owner_tier}
    await authority.record(tx, EventKind.TOOL_CHANGED, row.id, **facts)
    return tool_of(row)


async def set_rules(tx: Tx, tool_id: str, rules: Sequence[Rule], authority: Authority) -> Tool:
    """Replace the business rules that every call of a tool must keep; what waits is held to them too.

    Raises:
        InputError: there are too many.
        NotFound: there is no such tool.
        Forbidden: it is neither the owner nor an administrator.
    """
    if len(rules) > MOST_RULES:
        raise InputError(f"A tool has at most {MOST_RULES} business rules; these are {len(rules)}.")
    row = await _owned(tx, tool_id, authority)
    before, after = tool_of(row).rules, tuple(rules)
    row.rules = [rule.model_dump() for rule in rules]
    await tx.flush()
    facts = {"before": [rule.condition for rule in before], "after": [rule.condition for rule in after]}
    await authority.record(tx, EventKind.TOOL_CHANGED, row.id, tool=row.name, changed="rules", **facts)
    return tool_of(row)


async def set_trust(tx: Tx, tool_id: str, authority: Authority, *, is_trusted: bool) -> Tool:
    """Set whether its owner vouches for what a tool brings back; what it showed before keeps its label.

    Raises:
        NotFound: there is no such tool.
        Forbidden: it is neither the owner nor an administrator.
    """
    row = await _owned(tx, tool_id, authority)
    before, row.is_trusted = row.is_trusted, is_trusted
    await tx.flush()
    facts = {"tool": row.name, "changed": "is_trusted", "before": str(before), "after": str(is_trusted)}
    await authority.record(tx, EventKind.TOOL_CHANGED, row.id, **facts)
    return tool_of(row)


async def set_tool_owner(tx: Tx, tool_id: str, owner_id: str, authority: Authority) -> Tool:
    """Give a tool to another owner.

    Raises:
        NotFound: there is no such tool.
        Forbidden: it is neither the owner nor an administrator.
        InputError: the new owner is no user.
    """
    row = await _owned(tx, tool_id, authority)
    before, row.owner_id = row.owner_id, await checked_owner(tx, owner_id)
    await tx.flush()
    facts = {"tool": row.name, "changed": "owner", "before": before, "after": owner_id}
    await authority.record(tx, EventKind.TOOL_CHANGED, row.id, **facts)
    return tool_of(row)


async def raise_tier(tx: Tx, tool_id: str, reason: str, authority: Authority) -> Tool:
    """Put a tool one tier higher until its owner has looked; one that is raised already stays as it is.

    Raises:
        NotFound: there is no such tool.
        Forbidden: it is neither the owner nor an administrator nor an operator.
    """
    row = await _owned(tx, tool_id, authority, operators_may=True)
    if row.raised_tier is None:
        declared = await _declared_tier(tx, row)
        row.raised_tier = _above(highest(declared, tier_of(row.owner_tier))).value
        row.raised_reason = reason[:_LONGEST_REASON]
        await tx.flush()
        facts = {"tool": row.name, "tier": row.raised_tier, "reason": row.raised_reason}
        await authority.record(tx, EventKind.TOOL_TIER_RAISED, row.id, **facts)
    return tool_of(row)


async def settle_tier(tx: Tx, tool_id: str, authority: Authority) -> Tool:
    """Take back a raised tier: its owner has looked.

    Raises:
        NotFound: there is no such tool.
        Forbidden: it is neither the owner nor an administrator.
    """
    row = await _owned(tx, tool_id, authority)
    if row.raised_tier is not None:
        facts = {"tool": row.name, "changed": "raised_tier", "before": row.raised_tier, "after": None}
        row.raised_tier = row.raised_reason = None
        await tx.flush()
        await authority.record(tx, EventKind.TOOL_CHANGED, row.id, **facts)
    return tool_of(row)


async def quarantine(tx: Tx, tool_id: str, reason: str, authority: Authority) -> Tool:
    """Hold a tool back: it is not listed, calls are refused with `reason`, and nothing that waits is committed.

    Raises:
        NotFound: there is no such tool.
        Forbidden: it is neither the owner nor an administrator nor an operator.
    """
    row = await _owned(tx, tool_id, authority, operators_may=True)
    if row.quarantined is None:
        row.quarantined = reason[:_LONGEST_REASON] or "no reason given"
        await tx.flush()
        facts = {"tool": row.name, "reason": row.quarantined}
        await authority.record(tx, EventKind.TOOL_QUARANTINED, row.id, **facts)
    return tool_of(row)


async def release(tx: Tx, tool_id: str, authority: Authority) -> Tool:
    """Let a quarantined tool be called again: its owner has looked.

    Raises:
        NotFound: there is no such tool.
        Forbidden: it is neither the owner nor an administrator.
    """
    row = await _owned(tx, tool_id, authority)
    if row.quarantined is not None:
        facts = {"tool": row.name, "reason": row.quarantined}
        row.quarantined = None
        await tx.flush()
        await authority.record(tx, EventKind.TOOL_RELEASED, row.id, **facts)
    return tool_of(row)


async def withdraw_version(tx: Tx, version_id: str, reason: str, authority: Authority) -> Tool:
    """Withdraw one version for good: what waits for it is not committed, and it is not offered again.

    Raises:
        NotFound: there is no such version.
        Forbidden: it is neither the owner nor an administrator.
    """
    version = await tx.get(ToolVersionRow, version_id, populate_existing=True)
    if version is None:
        raise NotFound(f"There is no tool version {version_id!r}.")
    row = await _owned(tx, version.tool_id, authority)
    if version.withdrawn is None:
        version.withdrawn = reason[:_LONGEST_REASON] or "no reason given"
        await tx.execute(delete(VersionInUseRow).where(VersionInUseRow.version_id == version.id))
        await tx.flush()
        facts = {"tool": row.name, "changed": "version withdrawn", "version": version.id, "reason": version.withdrawn}
        await authority.record(tx, EventKind.TOOL_CHANGED, row.id, **facts)
    return tool_of(row)


async def _owned(tx: Tx, tool_id: str, authority: Authority, *, operators_may: bool = False) -> ToolRow:
    await outdate_catalog(tx, authority, Touched(tools=frozenset({tool_id})))
    row = await tool_row(tx, tool_id)
    what = f"the tool {row.name!r}"
    await require_steward(tx, authority, Stewards(owner_id=row.owner_id, what=what, operators_may=operators_may))
    return row


async def _declared_tier(tx: Tx, tool: ToolRow) -> Tier | None:
    """Return the highest tier that a version in use declares, wherever that is; None if none is in use."""
    query = select(ToolVersionRow.spec).join(VersionInUseRow, VersionInUseRow.version_id == ToolVersionRow.id)
    specs = (await tx.scalars(query.where(VersionInUseRow.tool_id == tool.id))).all()
    return highest(*(OperationSpec.model_validate_json(spec).tier for spec in specs)) if specs else None


def _above(tier: Tier) -> Tier:
    tiers = list(Tier)
    return tiers[min(tier.rank + 1, len(tiers) - 1)]
