"""The contract kit on a mail server that nobody here wrote: promises are kept, and no undo is claimed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from connectors.sdk.harness import Case, Contents
from connectors.smtp import relay
from hub.invocations.proving.session import check_live
from hub.registry import BadgeVerdict, Promise

pytestmark = pytest.mark.anyio

Json = Any


class Postbox:
    """A mail server to try the connector on: the mails it has taken are all that it holds."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.system, self.base_url = "aiosmtpd", ""
        self.secret: dict[str, str] = {}
        mail = {
            "to": ["ann@example.com"],
            "bcc": ["bob@example.com"],
            "subject": "Your order",
            "text": "It left today.",
        }
        self.cases = [Case(operation="send", arguments=mail, effects=self.count)]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's own signature
        """Keep the mail."""
        del server, session
        self.mails.append(envelope)
        return "250 2.0.0 kept"

    async def contents(self) -> Contents:
        """Return every mail."""
        return {f"mail/{at}": {"to": mail.rcpt_tos} for at, mail in enumerate(self.mails)}

    async def count(self) -> int:
        """Return how many mails it has taken."""
        return len(self.mails)


@asynccontextmanager
async def opened() -> AsyncGenerator[Postbox]:
    box = Postbox()
    listener = await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", 0)
    box.base_url = f"smtp://localhost:{listener.sockets[0].getsockname()[1]}/billing@example.com"
    try:
        yield box
    finally:
        listener.close()


@pytest.mark.more
async def test_mail_keeps_what_it_promises_and_promises_neither_undo_nor_a_second_attempt() -> None:
    async with opened() as box:
        badge = await check_live(relay.spec, box)

    lines = {line.promise: line for line in badge.lines}
    assert {promise for promise, line in lines.items() if line.verdict is BadgeVerdict.PASSED} == {
        Promise.FENCE,
        Promise.UNTOUCHED,
        Promise.DIGEST,
        Promise.PERMIT,
        Promise.THROTTLING,
        Promise.UNKNOWN_FIELDS,
        Promise.ERRORS,
    }
    assert badge.is_clean
    assert lines[Promise.UNDO].reason == "It declares no undo."
    assert "never repeats it" in lines[Promise.ONCE].reason
    assert len(box.mails) == 1
