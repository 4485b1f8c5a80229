"""Telling people that something waits for them: a line in the operator's log, and in a file if one is named.

A notice names the invocation and the groups, never its contents, and never decides anything.
"""

import json
from pathlib import Path

import anyio
import structlog

from hub.outbox import Message

_log = structlog.get_logger(__name__)


class LogNotifier:
    """Writes one JSON line per notice to the log and, if given, to `file`, where an operator can follow it."""

    def __init__(self, public_url: str, file: Path | None = None) -> None:
        self._public_url = public_url
        self._file = file

    async def approval_requested(self, message: Message) -> None:
        """Say that a question waits, for which groups, and where it can be answered."""
        payload = message.payload
        notice = {
            "notice": "approval requested",
            "invocation": payload["invocation_id"],
            "groups": payload["groups"],
            "link": f"{self._public_url}/approvals/{payload['invocation_id']}",
        }
        _log.info("approval requested", invocation=notice["invocation"], groups=notice["groups"], link=notice["link"])
        if self._file is not None:
            async with await anyio.open_file(self._file, "a", encoding="utf-8") as lines:
                await lines.write(json.dumps(notice) + "\n")
