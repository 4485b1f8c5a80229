"""Erasing private values: value and salt are deleted, every proof still holds, and the log says what was erased."""

from collections.abc import Collection

from sqlalchemy import delete, select

from hub.audit.events import Event, append
from hub.audit.kinds import EventKind
from hub.audit.tables import ValueRow
from hub.core.errors import NotFound
from hub.keys import Keyring
from hub.storage import Tx


async def erase_values(tx: Tx, keys: Keyring, event_id: str, fields: Collection[str], *, by: str | None = None) -> str:
    """Delete these private values of an event, and return the id of the event that says so.

    The caller has made sure that `by` may. Without that event, whoever verifies an export finds the values missing.

    Raises:
        NotFound: the event has no such value (any more); nothing was erased.
    """
    which = (ValueRow.event_id == event_id, ValueRow.field.in_(fields))
    kept = set(await tx.scalars(select(ValueRow.field).where(*which)))
    if missing := set(fields) - kept or (not fields and {"(none named)"}):
        raise NotFound(f"Event {event_id} keeps no value {', '.join(sorted(missing))}.")
    await tx.execute(delete(ValueRow).where(*which))
    facts = {"event": event_id, "fields": sorted(kept)}
    return await append(tx, Event(kind=EventKind.VALUES_ERASED, subject=event_id, actor=by, facts=facts), keys)
