"""Mail servers to try the connector on: aiosmtpd on this machine, in the clear or behind TLS and a login.

Those behind TLS show the certificate in `SSL_CERT_FILE`, which is where a check looks for what to trust.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from connectors.sdk.harness import Case, Contents

Json = Any

LOGIN = {"username": "hub", "password": "a-very-secret-password"}


class Postbox:
    """A mail server: the mails it has taken are all that it holds."""

    def __init__(self, secret: Mapping[str, str], system: str) -> None:
        self.mails: list[Envelope] = []
        self.system, self.base_url, self.secret = system, "", dict(secret)
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


def _admitted(server: SMTP, session: Session, envelope: Envelope, mechanism: str, proof: Json) -> AuthResult:
    del server, session, envelope, mechanism
    given = (proof.login.decode(), proof.password.decode()) if isinstance(proof, LoginPassword) else ()
    return AuthResult(success=given == tuple(LOGIN.values()), handled=False)


@asynccontextmanager
async def _listening(
    box: Postbox, scheme: str, conversation: Callable[[], SMTP], tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Postbox]:
    listener = await asyncio.get_running_loop().create_server(conversation, "127.0.0.1", 0, ssl=tls)
    box.base_url = f"{scheme}://localhost:{listener.sockets[0].getsockname()[1]}/billing@example.com"
    try:
        yield box
    finally:
        listener.close()


@asynccontextmanager
async def in_the_clear() -> AsyncGenerator[Postbox]:
    """Yield a server that asks nobody who they are: a relay of this machine."""
    box = Postbox({}, "aiosmtpd")
    async with _listening(box, "smtp", lambda: SMTP(box)) as listening:
        yield listening


@asynccontextmanager
async def by_starttls() -> AsyncGenerator[Postbox]:
    """Yield a server that takes a login and mails only after STARTTLS."""
    box, shown = Postbox(LOGIN, "aiosmtpd after STARTTLS"), _shown()

    def conversation() -> SMTP:
        return SMTP(box, authenticator=_admitted, auth_required=True, tls_context=shown, require_starttls=True)

    async with _listening(box, "smtp", conversation) as listening:
        yield listening


@asynccontextmanager
async def behind_tls() -> AsyncGenerator[Postbox]:
    """Yield a server that speaks TLS from the first byte, and takes mails only after a login."""
    box = Postbox(LOGIN, "aiosmtpd behind TLS")

    def conversation() -> SMTP:  # which knows only TLS of its own making, and so would not see that it is there
        return SMTP(box, authenticator=_admitted, auth_required=True, auth_require_tls=False)

    async with _listening(box, "smtps", conversation, _shown()) as listening:
        yield listening


def _shown() -> ssl.SSLContext:
    certificate = Path(os.environ["SSL_CERT_FILE"])
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shown.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return shown
