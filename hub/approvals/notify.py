"""Telling people that something waits for them: a line in the operator's log, and in a file if one is named.

A notice names the invocation and the groups, never its contents, and never decides anything.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import structlog

from hub.outbox import Message

_log = structlog.get_logger(__name__)


class LogNotifier:
    """Writes one JSON line per notice to the log and, if given, to `file`, where an operator can follow it."""

    def __init__(self, public_url: str, file: Path | None = None) -> None:
        self._public_url = public_url
        self._file = file

    async def glass_broken(self, message: Message) -> None:
        """Say that an operator let a write go without approval, and to whom that matters."""
        payload = message.payload
        notice = {
            "notice": "glass broken",
            "invocation": payload["invocation_id"],
            "by": payload["by"],
            "owners": payload["owners"],
            "link": f"{self._public_url}/invocations/{payload['invocation_id']}",
        }
        _log.warning("a write went without approval", **{key: notice[key] for key in ("invocation", "by", "owners")})
        await self._keep(notice)

    async def approval_requested(self, message: Message) -> None:
        """Say that a question waits, for which groups, and where it can be answered."""
        await self._note("approval requested", message.payload)

    async def approval_reminded(self, message: Message) -> None:
        """Say that half of the time for a question is over."""
        await self._note("approval still waiting", message.payload)

    async def approval_escalated(self, message: Message) -> None:
        """Say, to those above or to the owner of the tool, that most of the time for a question is over."""
        await self._note("approval about to expire", message.payload)

    async def _note(self, what: str, payload: Mapping[str, Any]) -> None:
        link = f"{self._public_url}/approvals/{payload['invocation_id']}"
        notice = {"notice": what, "invocation": payload["invocation_id"], "groups": payload["groups"], "link": link}
        if payload.get("people"):
            notice["people"] = payload["people"]
        _log.info(what, **{name: value for name, value in notice.items() if name != "notice"})
        await self._keep(notice)

    async def _keep(self, notice: Mapping[str, Any]) -> None:
        if self._file is not None:
            async with await anyio.open_file(self._file, "a", encoding="utf-8") as lines:
                await lines.write(json.dumps(notice) + "\n")
