"""Under whose authority an account changes, and what every such change does: an event and a new generation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import select, text

from hub.audit import Event, EventKind, append, append_many
from hub.identity.tables import IdentityGenerationRow
from hub.keys import Keyring
from hub.storage import Database, Tx

IDENTITY_CHANNEL = "identity"
"""Signalled whenever a caller that somebody has cached may be wrong."""

PERSONAL = frozenset({"name", "display_name", "source", "reason", "because", "problem"})
"""Facts that tell who or where somebody is, or that a person or a system said: commitments, with encrypted values."""

Json = str | list[str] | None
"""The JSON that facts about accounts are made of."""
Fact = str | Sequence[str] | None
"""What is told of a change."""

_AT_ONCE = 200
"""Events that are written at once; nobody else has a turn meanwhile, which takes some milliseconds."""

_BUMP = text(
    "INSERT INTO identity_generation (id, generation) VALUES (1, 1)"
    " ON CONFLICT (id) DO UPDATE SET generation = identity_generation.generation + 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Who makes a change (`by`, None for the hub itself and its console), and what it is recorded with."""

    database: Database
    keys: Keyring
    by: str | None = None
    trace_id: str | None = None

    async def record(self, tx: Tx, kind: EventKind, subject: str, **facts: Fact) -> None:
        """Append the event that `subject` was changed so; facts about a person are kept so that they can be erased."""
        await append(tx, self._event(kind, subject, facts), self.keys)

    async def record_many(self, tx: Tx, kind: EventKind, changed: Iterable[tuple[str, Mapping[str, Fact]]]) -> None:
        """Append the same event of each subject with its facts, some at a time, so that thousands take no time each."""
        ahead = (self._event(kind, subject, facts) for subject, facts in changed)
        while some := list(islice(ahead, _AT_ONCE)):
            await append_many(tx, some, self.keys)

    def _event(self, kind: EventKind, subject: str, facts: Mapping[str, Fact]) -> Event:
        plain, private = dict[str, Json](), dict[str, Json]()
        for name, fact in facts.items():
            value = fact if fact is None or isinstance(fact, str) else list(fact)
            (private if name in PERSONAL else plain)[name] = value
        return Event(kind=kind, subject=subject, actor=self.by, trace_id=self.trace_id, facts=plain, private=private)

    async def outdate_callers(self, tx: Tx) -> None:
        """Make every cached caller be read again, in every process, once `tx` has committed."""
        await tx.execute(_BUMP)
        await self.database.signal(tx, IDENTITY_CHANNEL)


async def generation_of(tx: Tx) -> int:
    """Return the number that has grown whenever a cached caller may have become wrong."""
    return await tx.scalar(select(IdentityGenerationRow.generation)) or 0
