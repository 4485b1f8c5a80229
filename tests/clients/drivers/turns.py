"""How the matrix talks with one client: an order per line comes in, what its model was offered and shown goes out.

    out  {"versions": {PACKAGE: VERSION}}                                     once
    in   {"hub": URL, "client_id": ID, "client_secret": SECRET, "calls": [[TOOL, ARGUMENTS], ...], "patience": SECONDS}
    out  {"offered": [TOOL, ...], "shown": [TEXT, ...], "raised": MESSAGE}    for each order

One order is one run of an agent whose model makes these calls, one after the other, and then ends. This file and the
drivers beside it run in the clients' environments, so they use nothing of the hub.
"""

import asyncio
import base64
import json
import os
import sys
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, TextIO

Json = Any

_TOKEN_SECONDS = 60


@dataclass(kw_only=True)
class Turn:
    """One run of an agent: which calls its model makes, and what that model sees."""

    hub: str
    client_id: str
    client_secret: str
    calls: list[tuple[str, dict[str, Json]]]
    patience: float | None = None
    """After how many seconds the client gives up on a call; None: when it does so by itself."""
    offered: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    _made: int = 0

    @property
    def endpoint(self) -> str:
        """Where the MCP server is."""
        return f"{self.hub}/mcp"

    def next(self, offered: Iterable[str], shown: str) -> tuple[str, dict[str, Json]] | None:
        """Return the call that the model makes now, if any: it was offered these tools, and shown this answer."""
        self.offered = self.offered or sorted(offered)
        if self._made:
            self.shown.append(shown)
        if self._made == len(self.calls):
            return None
        self._made += 1
        tool, arguments = self.calls[self._made - 1]
        return tool, arguments

    @property
    def call_id(self) -> str:
        """What the model calls its newest call."""
        return f"call_{self._made}"

    def bearer(self) -> dict[str, str]:
        """Return the header with a token, for clients that cannot get one by themselves."""
        scope = "upstream:read upstream:write"
        form = {"grant_type": "client_credentials", "resource": self.endpoint, "scope": scope}
        request = urllib.request.Request(f"{self.hub}/oauth/token", data=urllib.parse.urlencode(form).encode())  # noqa: S310  # our own hub
        credentials = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        request.add_header("Authorization", f"Basic {credentials}")
        with urllib.request.urlopen(request, timeout=_TOKEN_SECONDS) as answer:  # noqa: S310  # see above
            return {"Authorization": f"Bearer {json.load(answer)['access_token']}"}


def take_turns(play: Callable[[Turn], Awaitable[None]], *packages: str) -> None:
    """Let `play` take one turn after the other until standard input ends."""
    take_turns_with(play, {name: version(name) for name in packages})


def take_turns_with(play: Callable[[Turn], Awaitable[None]], versions: dict[str, str]) -> None:
    """Do the same for what is not a Python package."""
    out = os.fdopen(os.dup(1), "w")  # frameworks print, too: what they print goes to the log
    os.dup2(2, 1)
    _tell(out, versions=versions)
    for line in sys.stdin:
        turn = Turn(**json.loads(line))
        raised = None
        try:
            asyncio.run(_played(play, turn))
        except Exception as error:  # noqa: BLE001  # whatever the framework raises is what its user gets
            raised = f"{type(error).__name__}: {error}"
        _tell(out, offered=turn.offered, shown=turn.shown, raised=raised)


async def _played(play: Callable[[Turn], Awaitable[None]], turn: Turn) -> None:
    await play(turn)


def _tell(out: TextIO, **event: Json) -> None:
    out.write(json.dumps(event) + "\n")
    out.flush()
