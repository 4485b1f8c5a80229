"""What a hub says of a call that has not ended: how it is recognised in a result."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

Json = Any

WAITING: Final = frozenset({"running", "pending_approval", "in_doubt"})
LOOK: Final = "hub_invocation_get"
_ABOUT_OTHERS: Final = frozenset({LOOK, "hub_invocation_cancel"})
"""What tells how another call stands, and is none itself that could be waited for."""
_INVOCATION: Final = re.compile(r"inv_[0-9a-z]{26}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A call that is on record and has not ended."""

    invocation_id: str
    status: str
    message: str
    status_url: str
    poll_after_seconds: float

    def as_json(self) -> dict[str, Json]:
        """Return it as JSON."""
        return asdict(self)


def pending_in(structured: Json) -> Pending | None:
    """Return the call that this structured content says is still under way, if it says so."""
    if not isinstance(structured, Mapping) or structured.get("status") not in WAITING:
        return None
    if not _INVOCATION.fullmatch(str(structured.get("invocation_id"))) or "status_url" not in structured:
        return None
    return Pending(
        invocation_id=structured["invocation_id"],
        status=structured["status"],
        message=str(structured.get("message", "")),
        status_url=structured["status_url"],
        poll_after_seconds=float(structured.get("poll_after_seconds", 0)),
    )


def pending_call(tool: str, structured: Json) -> Pending | None:
    """Return the call of `tool` that its answer says is still under way; None: it has ended, or is about another."""
    return None if tool in _ABOUT_OTHERS else pending_in(structured)
