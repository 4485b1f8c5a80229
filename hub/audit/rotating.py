"""Rotating a key on record: the log itself announces every key that may sign it from then on."""

from sqlalchemy import select

from hub.audit.events import Event, append
from hub.audit.kinds import EventKind
from hub.audit.notes import NoteKey, public_bytes
from hub.audit.sequencer import origin_of
from hub.keys import Keyring, KeyRow, RotatableKey
from hub.storage import Tx


async def rotate_key(tx: Tx, keys: Keyring, purpose: RotatableKey, *, by: str | None = None) -> str:
    """Replace the current key of `purpose`, with its event; return the new key's id.

    A new checkpoint key is announced with its verifier key: without that, `toolhub audit verify` does not take it.
    """
    key_id = await keys.rotate(tx, purpose)
    facts = {"purpose": purpose, "key": key_id}
    public = await tx.scalar(select(KeyRow.public).where(KeyRow.id == key_id))
    if purpose == "checkpoints" and public is not None:
        facts["verifier"] = str(NoteKey(name=origin_of(keys), public=public_bytes(public)))
    await append(tx, Event(kind=EventKind.KEY_ROTATED, subject=key_id, actor=by, facts=facts), keys)
    return key_id
