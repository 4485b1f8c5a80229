"""The way to an MCP server while a connector meets it for itself."""

from sandbox.mcp.hearing import members, parsed
from sandbox.mcp.http import LEGACY, SESSION, McpWay, Session
from sandbox.sign_in import Proof
from sandbox.upstream import Around, Exchange, Received


class Visit:
    """The way to a server while a connector meets it: the sessions that it opens there by itself end with the visit."""

    def __init__(self, way: McpWay) -> None:
        self._way = way
        self.sign_in, self.pace = way.sign_in, way.pace
        self.around: Around = way.around
        self.keeps_sessions = way.keeps_sessions
        self._opened: list[tuple[Session, Proof]] = []

    async def exchange(self, exchange: Exchange) -> Received:
        """Carry an exchange on, and take note of a handshake."""
        received = await self._way.exchange(exchange)
        named = received.response.headers.get(SESSION)
        if named is not None and SESSION not in exchange.request.headers:
            version = members(parsed(received.response.body).get("result")).get("protocolVersion", LEGACY)
            self._opened.append((Session(named, str(version)[:32]), exchange.proof))
        return received

    async def probe(self) -> int:
        """Probe the server."""
        return await self._way.probe()

    async def close(self) -> None:
        """End the sessions, and wait for nothing; the way stays open."""
        for session, proof in self._opened:
            self._way.end(session, proof)
