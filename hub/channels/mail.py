"""The channel of e-mail: a link for each person whom a notice is for, over SMTP; never what the call is about."""

import hashlib
import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as MAIL_POLICY
from email.utils import format_datetime
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import anyio.to_thread

from hub.channels.audience import audience
from hub.channels.notices import Notice
from hub.identity.expiring import SECRET_ENDS_SOON
from hub.invocations.alarming import AGENT_SUSPENDED
from hub.invocations.approve import APPROVAL_REQUESTED
from hub.invocations.break_glass import GLASS_BROKEN
from hub.invocations.reminders import APPROVAL_ESCALATED, APPROVAL_REMINDED
from hub.outbox import Undeliverable
from hub.pins import PIN_WAITS
from hub.promotions import PROMOTION_WAITS
from hub.storage import Database, Tx

_SECONDS: Final = 8.0
"""For each answer of the mail server; the outbox gives a handler thirty."""
_PERMANENT: Final = 500

_SUBJECTS: Final = {
    APPROVAL_REQUESTED: "A decision waits for you",
    APPROVAL_REMINDED: "A decision still waits for you",
    APPROVAL_ESCALATED: "A decision is about to be missed",
    GLASS_BROKEN: "A write went without approval",
    AGENT_SUSPENDED: "An agent of yours was suspended",
    SECRET_ENDS_SOON: "A secret of an agent of yours ends soon",
    PROMOTION_WAITS: "A promotion waits for a second person",
    PIN_WAITS: "An MCP server says otherwise than was accepted",
}
_TEXT: Final = """\
{subject}. Read what it is about here:

{link}

This message decides nothing, and its link only leads to the page, where you log in as always.
"""


class Tls(StrEnum):
    """How the way to the mail server is protected."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


class MailNotSent(Exception):
    """The mail server could not be reached, did not prove who it is, or did not take the message this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail leaves, and as whom."""

    host: str
    port: int
    tls: Tls
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    trusted: Path | None = None
    """A file of certificates to believe instead of the system's."""


class MailChannel:
    """Tells each person who may vote or decide, is told above, or owns what went without approval."""

    name = "mail"

    def __init__(self, database: Database, server: MailServer, public_url: str) -> None:
        self._database = database
        self._server = server
        self._public_url = public_url

    async def recipients(self, tx: Tx, notice: Notice) -> Sequence[str]:
        """Return the ids of those whom it is for and who have an address."""
        return [one.id for one in await audience(tx, notice) if one.email]

    async def deliver(self, notice: Notice, recipient: str) -> None:
        """Send the link, unless it is not for the recipient any more.

        Raises:
            MailNotSent: this time; another attempt may go better.
            Undeliverable: the mail server refuses the message for good.
        """
        async with self._database.reading() as tx:
            addresses = {one.id: one.email for one in await audience(tx, notice)}
        address = addresses.get(recipient)
        if address is not None:
            mail = self._mail(notice, recipient, address)
            await anyio.to_thread.run_sync(self._send, mail, address, abandon_on_cancel=True)

    def _mail(self, notice: Notice, recipient: str, address: str) -> EmailMessage:
        """Return the message, the same for the same notice and recipient; no header holds what others wrote."""
        name = hashlib.sha256(f"{notice.id}:{recipient}".encode()).hexdigest()[:32]
        subject, link = _SUBJECTS[notice.event], f"{self._public_url}{notice.page}"
        mail = EmailMessage(policy=MAIL_POLICY)
        mail["From"] = self._server.sender
        mail["To"] = address
        mail["Subject"] = subject
        mail["Date"] = format_datetime(notice.at)
        mail["Message-ID"] = f"<{name}@{self._site}>"
        mail["References"] = f"<{notice.about}@{self._site}>"
        mail["List-Id"] = f"<approvals.{self._site}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(_TEXT.format(subject=subject, link=link))
        return mail

    @property
    def _site(self) -> str:
        host = urlsplit(self._public_url).hostname or "localhost"
        try:
            return f"[{ip_address(host)}]"
        except ValueError:
            return host

    def _send(self, mail: EmailMessage, address: str) -> None:
        """Hand the message over; the words of a mail server, which may quote addresses, go no further."""
        try:
            self._hand_over(mail, address)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused("the recipient", max(code for code, _ in error.recipients.values())) from error
        except smtplib.SMTPDataError as error:
            raise _refused("the message", error.smtp_code) from error
        except (smtplib.SMTPException, OSError) as error:
            code = getattr(error, "smtp_code", None)
            raise MailNotSent(f"{type(error).__name__}{'' if code is None else f', answer {code}'}") from error

    def _hand_over(self, mail: EmailMessage, address: str) -> None:
        server, trusted = self._server, self._server.trusted
        context = ssl.create_default_context(cafile=None if trusted is None else str(trusted))
        if server.tls is Tls.IMPLICIT:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, self._site, timeout=_SECONDS, context=context
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, self._site, timeout=_SECONDS)
        try:
            if server.tls is Tls.STARTTLS:
                smtp.starttls(context=context)
            if server.user is not None:
                smtp.login(server.user, server.password or "")
            smtp.send_message(mail, server.sender, [address])
            with suppress(smtplib.SMTPException, OSError):  # it has the message: however it says goodbye
                smtp.quit()
        finally:
            smtp.close()


def _refused(what: str, code: int) -> Exception:
    words = f"the mail server refuses {what}, answer {code}"
    return Undeliverable(words) if code >= _PERMANENT else MailNotSent(words)
