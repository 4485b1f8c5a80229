"""The channel that is always there: a line in the operator's log, and in a file if one is named."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio
import structlog

from hub.channels.notices import Notice
from hub.identity.expiring import SECRET_ENDS_SOON
from hub.invocations.alarming import AGENT_SUSPENDED
from hub.invocations.approve import APPROVAL_REQUESTED
from hub.invocations.break_glass import GLASS_BROKEN
from hub.invocations.reminders import APPROVAL_ESCALATED, APPROVAL_REMINDED
from hub.pins import PIN_WAITS
from hub.promotions import PROMOTION_WAITS
from hub.storage import Tx

_WORDS: Final = {
    APPROVAL_REQUESTED: "approval requested",
    APPROVAL_REMINDED: "approval still waiting",
    APPROVAL_ESCALATED: "approval about to expire",
    GLASS_BROKEN: "glass broken",
    AGENT_SUSPENDED: "agent suspended",
    SECRET_ENDS_SOON: "secret of an agent ends soon",
    PROMOTION_WAITS: "promotion waits for its second person",
    PIN_WAITS: "server says otherwise than was accepted",
}
"""What is told here, and how. What became of a question is in the audit log."""
_WARNINGS: Final = frozenset({GLASS_BROKEN, AGENT_SUSPENDED, SECRET_ENDS_SOON, PIN_WAITS})
_WHAT: Final = {SECRET_ENDS_SOON: "secret", PROMOTION_WAITS: "promotion", PIN_WAITS: "pin"}
_WHOM: Final = ("groups", "people", "by", "owners", "deciders", "connector", "signs")

_log = structlog.get_logger(__name__)


class LogChannel:
    """Writes one JSON line per notice to the log and, if given, to `file`, where an operator can follow it."""

    name = "log"

    def __init__(self, public_url: str, file: Path | None = None) -> None:
        self._public_url = public_url
        self._file = file

    async def recipients(self, tx: Tx, notice: Notice) -> Sequence[str]:  # noqa: ARG002  # every channel is asked alike
        """Return the log, of what people have to do or look at."""
        return ["log"] if notice.event in _WORDS else []

    async def deliver(self, notice: Notice, recipient: str) -> None:  # noqa: ARG002  # there is one log
        """Say what waits, whom it matters to, and where it can be looked at."""
        whom = {name: notice.facts[name] for name in _WHOM if notice.facts.get(name)}
        what = _WHAT.get(notice.event, "invocation")
        line = {what: notice.about, **whom, "link": f"{self._public_url}{notice.page}"}
        tell = _log.warning if notice.event in _WARNINGS else _log.info
        tell(_WORDS[notice.event], **line)
        if self._file is not None:
            async with await anyio.open_file(self._file, "a", encoding="utf-8") as lines:
                await lines.write(json.dumps({"notice": _WORDS[notice.event], **line}) + "\n")
