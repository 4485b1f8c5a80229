"""Marks: ids of events by which a client that has lost the stream of a call asks for its answer (2025-11-25, SEP-1699).

A mark says which call it is of, sealed for the session that the call was made in; that session's id is sealed for one
pair of principals at one server. So any process can go on with the answer, nothing is kept for it, and a mark without
the token and the session is good for nothing. The name of the call is chosen before anything is on record of it.
"""

import time
from dataclasses import dataclass, field
from typing import Any, Final

from hub.core.errors import Malformed
from hub.core.ids import new_id
from hub.keys import Keyring
from hub.mcp.event_streams import event
from hub.mcp.sessions import ClientSession

HEADER: Final = "last-event-id"
SECONDS: Final = 600
"""How long a mark is good; how a call stands that takes longer is asked with `hub_invocation_get`."""
PROTOCOL: Final = "2025-11-25"
"""Clients of earlier protocols cannot read an event without a message; in the later one who hangs up calls off."""
_LONGEST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a mark says: which request it was, what the call is called on record, and when it began (Unix time)."""

    call_id: str
    request_id: str | int
    began: float


@dataclass(slots=True, kw_only=True)
class Marks:
    """The marks of one request in a session."""

    session: ClientSession
    request_id: str | int
    keys: Keyring
    call_id: str = field(default_factory=lambda: new_id("inv"))
    """What the call that is made now is to be called on record."""

    def event(self) -> bytes:
        """Return the event that carries the mark of the call that is made now."""
        said = {"call": self.call_id, "request": self.request_id, "began": int(time.time())}
        sealed = self.keys.seal(said, purpose=_purpose(self.session), seconds=SECONDS)
        return event(None, sealed)

    def make_next(self) -> None:
        """Name the next call: a read that has asked its client is made again."""
        self.call_id = new_id("inv")


def opened(given: str, session: ClientSession, keys: Keyring) -> Mark:
    """Return what the mark says that a client gives.

    Raises:
        Malformed: it is forged, of another session, or too old.
    """
    if len(given) > _LONGEST:
        raise Malformed("This is the id of no event of this session.")
    said: dict[str, Any] = keys.unseal(given, purpose=_purpose(session))
    return Mark(call_id=said["call"], request_id=said["request"], began=said["began"])


def _purpose(session: ClientSession) -> str:
    return f"mcp-mark:{session.id}"
