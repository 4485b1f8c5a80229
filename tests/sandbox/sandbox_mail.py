"""A mail server in the test's own process that answers each command as it is told, and remembers what it heard."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

DROP = ""
"""Instead of a reply: the connection ends."""
POLITE: Mapping[str, str] = {
    "GREETING": "220 mail.test ready",
    "EHLO": "250-mail.test\r\n250-SIZE 1000000\r\n250 AUTH PLAIN LOGIN",
    "AUTH": "235 welcome",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    "CONTENT": "250 2.0.0 queued as 7",
    "RSET": "250 ok",
}


@dataclass(kw_only=True)
class MailScript:
    """What it answers by command (a whole line counts before its first word), and what it heard."""

    replies: dict[str, str] = field(default_factory=dict[str, str])
    tls: ssl.SSLContext | None = None
    port: int = 0
    heard: list[str] = field(default_factory=list[str])
    contents: list[bytes] = field(default_factory=list[bytes])

    @property
    def words(self) -> list[str]:
        """Return the first word of each line heard."""
        return [line.split(" ")[0] for line in self.heard]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Have one conversation."""
        try:
            await self._say("GREETING", writer)
            while line := (await reader.readline()).decode("latin-1").rstrip("\r\n"):
                self.heard.append(line)
                said = await self._say(line, writer)
                if line == "STARTTLS" and said.startswith("220") and self.tls is not None:
                    await writer.start_tls(self.tls)
                if line == "DATA" and said.startswith("354"):
                    self.contents.append(await reader.readuntil(b"\r\n.\r\n"))
                    await self._say("CONTENT", writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        writer.close()

    async def _say(self, line: str, writer: asyncio.StreamWriter) -> str:
        word = line.partition(" ")[0]
        said = next(
            (found[key] for found in (self.replies, POLITE) for key in (line, word) if key in found), "500 what"
        )
        if said == DROP:
            raise ConnectionResetError
        writer.write(f"{said}\r\n".encode("latin-1"))
        await writer.drain()
        return said


@asynccontextmanager
async def mail_server(tls: ssl.SSLContext | None = None, **replies: str) -> AsyncGenerator[MailScript]:
    """Serve on a loopback port while the block lasts."""
    script = MailScript(replies=replies, tls=tls)
    listener = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.port = listener.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        listener.close()
        await asyncio.sleep(0)
