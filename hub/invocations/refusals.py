"""Refusals of people: that somebody wanted to decide about a call and was not let, and why, on record."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.audit import Event, EventKind, append
from hub.core.errors import HubError, NotFound
from hub.invocations.journal import load
from hub.invocations.refuse import told_of
from hub.invocations.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What somebody (`by`) wanted with a call, and how that is called on record."""

    kind: EventKind
    invocation_id: str
    by: str
    facts: Mapping[str, str]


async def record_refusal(attempt: Attempt, refusal: HubError, runtime: Runtime) -> None:
    """Put on record that an attempt was refused, and why; nothing, where there is no such call."""
    async with runtime.database.transaction() as tx:
        try:
            standing = await load(tx, attempt.invocation_id)
        except NotFound:
            return
        said, kept = told_of(refusal)
        event = Event(
            kind=attempt.kind,
            subject=standing.id,
            actor=attempt.by,
            agent=standing.agent_id,
            on_behalf_of=standing.on_behalf_of_id,
            trace_id=standing.trace_id,
            run_id=standing.claims.run,
            facts={**attempt.facts, "environment": standing.environment, **said},
            private=kept,
        )
        await append(tx, event, runtime.keys)
