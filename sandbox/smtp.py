"""Speaking SMTP as a client, one message per connection, so that at each step it is known what may have happened.

Source: RFC 5321; RFC 3207 (STARTTLS); RFC 4954 (AUTH).
"""

import base64
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from sandbox.line import CONNECT_SECONDS, Dropped, NoAnswer, Progress
from sandbox.reach import Reach, literal_address

_LONGEST_REPLY: Final = 16 * 1024
_CHUNK: Final = 4096
_LONGEST_TEXT: Final = 500
_BROKEN: Final = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError, OSError)
_CLOSING: Final = 421
"""The server goes away; of what it had been sent before it says nothing."""


class Reply(NamedTuple):
    """What the server said: a code of three digits, and text for people."""

    code: int
    text: str

    @property
    def is_yes(self) -> bool:
        """Return whether it did what it was asked."""
        return 200 <= self.code < 300  # noqa: PLR2004  # RFC 5321 section 4.2.1

    @property
    def is_no(self) -> bool:
        """Return whether it definitely did not."""
        return 400 <= self.code < 600 and self.code != _CLOSING  # noqa: PLR2004  # RFC 5321 section 4.2.1


class SaidNo(Exception):
    """The server said no to a step before any of the message had left."""

    def __init__(self, step: str, reply: Reply) -> None:
        super().__init__(f"{step}: {reply.code} {reply.text}")
        self.step = step
        self.reply = reply


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where the server is, and how to come to it: `smtps` speaks TLS at once, `smtp` turns to it by STARTTLS."""

    scheme: str
    host: str
    port: int
    reach: Reach
    tls: ssl.SSLContext

    @property
    def is_here(self) -> bool:
        """Return whether nobody is on the way, because it is this machine."""
        literal = literal_address(self.host)
        return self.host == "localhost" if literal is None else literal.is_loopback


@dataclass(slots=True)
class Session:
    """One conversation."""

    server: MailServer
    stream: ByteStream
    is_private: bool = False
    offers: dict[str, str] = field(default_factory=dict[str, str])
    _received: bytes = b""

    async def greet(self) -> None:
        """Hear the greeting, and make the conversation private.

        Raises:
            SaidNo: the server does not want to talk, or not privately.
        """
        if self.server.scheme == "smtps":
            await self._secure()
        _yes("the connection", await self.reply())
        await self._introduce()
        if self.is_private:
            return
        if "STARTTLS" in self.offers:
            _yes("STARTTLS", await self.command("STARTTLS"))
            if self._received:
                raise Dropped("The mail server spoke on before the conversation was private.")
            await self._secure()
            await self._introduce()
        elif not self.server.is_here:
            raise SaidNo("STARTTLS", Reply(502, "The server does not offer it, and nothing is sent for all to read."))

    async def log_in(self, username: str, password: str) -> None:
        """Show who we are.

        Raises:
            SaidNo: the server does not accept it.
        """
        if "PLAIN" not in self.offers.get("AUTH", "").upper().split():
            raise SaidNo("AUTH", Reply(504, "The server does not offer AUTH PLAIN."))
        proof = base64.b64encode(f"\0{username}\0{password}".encode()).decode("ascii")
        _yes("AUTH", await self.command(f"AUTH PLAIN {proof}"))

    async def address(self, sender: str, recipients: list[str], size: int) -> dict[str, Reply]:
        """Say from whom and to whom, and return the recipients that the server refuses.

        Raises:
            SaidNo: it refuses the sender, or so large a message.
        """
        sized = f" SIZE={size}" if "SIZE" in self.offers else ""
        _yes("MAIL FROM", await self.command(f"MAIL FROM:<{sender}>{sized}"))
        replies = {one: await self.command(f"RCPT TO:<{one}>") for one in recipients}
        return {one: reply for one, reply in replies.items() if not reply.is_yes}

    async def hand_over(self, message: bytes, progress: Progress) -> Reply:
        """Send the message and return what the server says once it has it, which is a clear yes or no.

        Raises:
            SaidNo: it does not want the message; nothing of it has left.
            NoAnswer: nothing clear came back. Once `progress` has begun, the message may have been taken.
        """
        reply = await self.command("DATA")
        if reply.code != 354:  # noqa: PLR2004  # RFC 5321 section 4.1.1.4
            raise SaidNo("DATA", reply)
        stuffed = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]  # RFC 5321 section 4.5.2
        progress.begin()
        await self._send(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        taken = await self.reply()
        if not (taken.is_yes or taken.is_no):
            raise NoAnswer(f"The mail server answered {taken.code}, which does not say whether it has the message.")
        return taken

    async def command(self, line: str) -> Reply:
        """Send one line and return the reply."""
        if not (line.isascii() and line.isprintable()):
            raise ValueError("a command is one line of printable ASCII")
        await self._send(f"{line}\r\n".encode("ascii"))
        return await self.reply()

    async def reply(self) -> Reply:
        """Return the next reply."""
        texts: list[str] = []
        while True:
            line = await self._line()
            code, is_last, text = line[:3], line[3:4] != "-", line[4:]
            if not (code.isdecimal() and code.isascii() and len(code) == 3 and line[3:4] in {"", " ", "-"}):  # noqa: PLR2004  # digits
                raise Dropped("What the mail server answered is no SMTP.")
            texts.append(text)
            if is_last:
                return Reply(int(code), _plain("\n".join(texts)))

    async def _introduce(self) -> None:
        reply = _yes("EHLO", await self.command("EHLO [127.0.0.1]"))
        keywords = [line.partition(" ") for line in reply.text.splitlines()[1:]]
        self.offers = {name.upper(): values for name, _, values in keywords}

    async def _secure(self) -> None:
        try:
            self.stream = await TLSStream.wrap(
                self.stream,
                hostname=self.server.host,
                ssl_context=self.server.tls,
                server_side=False,
                standard_compatible=False,
            )
        except _BROKEN as error:
            raise Dropped(f"The mail server could not be talked to privately ({type(error).__name__}).") from error
        self.is_private = True

    async def _line(self) -> str:
        while b"\n" not in self._received:
            if len(self._received) > _LONGEST_REPLY:
                raise Dropped("The mail server's answer has no end.")
            try:
                self._received += await self.stream.receive(_CHUNK)
            except _BROKEN as error:
                raise Dropped(f"The connection to the mail server failed ({type(error).__name__}).") from error
        line, _, self._received = self._received.partition(b"\n")
        return line.removesuffix(b"\r").decode("utf-8", "replace")

    async def _send(self, data: bytes) -> None:
        try:
            await self.stream.send(data)
        except _BROKEN as error:
            raise Dropped(f"The connection to the mail server failed ({type(error).__name__}).") from error


@asynccontextmanager
async def talking_to(server: MailServer) -> AsyncGenerator[Session]:
    """Yield a conversation that has not begun.

    Raises:
        NoAnswer: nobody is there.
        OutOfReach: it leads where it may not.
    """
    stream = await _connected(server)
    session = Session(server=server, stream=stream)
    try:
        yield session
    finally:
        await anyio.aclose_forcefully(session.stream)


async def _connected(server: MailServer) -> ByteStream:
    failure: Exception | None = None
    try:
        with anyio.fail_after(CONNECT_SECONDS):
            for address in await server.reach.addresses(server.host):
                try:
                    return await anyio.connect_tcp(str(address), server.port)
                except OSError as error:
                    failure = error
    except (TimeoutError, OSError) as error:
        failure = error
    raise Dropped("The mail server cannot be reached.") from failure


def _yes(step: str, reply: Reply) -> Reply:
    if not reply.is_yes:
        raise SaidNo(step, reply)
    return reply


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text[:_LONGEST_REPLY])
