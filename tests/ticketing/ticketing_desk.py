"""A service desk that speaks the ticket API: tickets with versions, conditions, keys, and a way to lose an answer."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

from world import World

from hub.identity.principals import Caller
from hub.invocations.values import Invocation

Json = Any

_runs = count()
TOKEN = "desk-account-token"


@dataclass(slots=True)
class Desk:
    """What the desk holds, and how often something was changed in it."""

    url: str = ""
    tickets: dict[str, dict[str, Json]] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    effects: int = 0
    loses_next_answer: bool = False
    _by_key: dict[str, str] = field(default_factory=dict)

    def put(self, **members: Json) -> str:
        """Open a ticket by hand and return its number."""
        number = f"INC{len(self.tickets) + 1:07}"
        ticket = {"number": number, "title": "", "priority": "normal", "assignee": "", "state": "new", "version": 1}
        self.tickets[number] = {**ticket, **members}
        return number

    def empty(self) -> None:
        """Forget everything."""
        for held in (self.tickets, self.comments, self._by_key):
            held.clear()
        self.effects, self.loses_next_answer = 0, False

    def edit(self, number: str, **members: Json) -> None:
        """Change a ticket, by hand or by whoever was allowed to."""
        ticket = self.tickets[number]
        ticket.update(members, version=ticket["version"] + 1)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: Json) -> tuple[int, Json]:
        """Carry a request out, and return status and answer."""
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"detail": "Who are you?"}
        url = urlsplit(target)
        match method, url.path.split("/")[2:]:
            case "GET", []:
                return 200, {"tickets": self._found(parse_qs(url.query))}
            case _, []:
                return self._open(headers.get("idempotency-key", ""), body)
            case _, [number, *_] if number not in self.tickets:
                return 404, {"detail": f"There is no ticket {number}."}
            case "GET", [number, *_]:
                return 200, self.tickets[number]
            case _, [number, *action]:
                return self._change(number, headers.get("if-match"), action, body)

    def _found(self, query: Mapping[str, list[str]]) -> list[dict[str, Json]]:
        states = query.get("state", ["new,in_progress,resolved,cancelled"])[0].split(",")
        words = query.get("words", [""])[0]
        return [one for one in self.tickets.values() if one["state"] in states and words in one["title"]]

    def _open(self, key: str, body: Json) -> tuple[int, Json]:
        if key not in self._by_key:
            self.effects += 1
            self._by_key[key] = self.put(**body)
        return 201, self.tickets[self._by_key[key]]

    def _change(self, number: str, condition: str | None, action: list[str], body: Json) -> tuple[int, Json]:
        if action == ["comments"]:
            self.effects += 1
            self.comments.append(f"{number}: {body['text']}")
            return 201, {}
        if condition != f'"{self.tickets[number]["version"]}"':
            return 412, {"detail": "Somebody has changed the ticket."}
        if action and self.tickets[number]["state"] == "resolved":
            return 422, {"detail": "A resolved ticket cannot be cancelled."}
        self.effects += 1
        self.edit(number, **({"state": "cancelled"} if action else body))
        return 200, self.tickets[number]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, unless its answer is to be lost."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = first.split(" ")
        status, answer = self.answer(method, target.removeprefix("/api"), headers, json.loads(content or b"null"))
        if not (self.loses_next_answer and method != "GET"):
            etag = f'etag: "{answer["version"]}"\r\n' if "version" in answer else ""
            written = json.dumps(answer).encode()
            writer.write(
                f"HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n{etag}connection: close\r\n"
                f"content-length: {len(written)}\r\n\r\n".encode()
                + written
            )
            await writer.drain()
        else:
            self.loses_next_answer = False
        writer.close()


@asynccontextmanager
async def open_desk() -> AsyncGenerator[Desk]:
    """Yield a desk on a loopback port."""
    desk = Desk()
    server = await asyncio.start_server(desk.serve, "127.0.0.1", 0)
    desk.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
    async with server:
        yield desk


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDesk:
    """A desk, and an agent that may do there what the overlay exposes."""

    desk: Desk
    world: World
    caller: Caller

    async def call(self, tool: str, **arguments: Json) -> Invocation:
        """Invoke `tool` as the agent, in a run of its own."""
        return await self.world.call(tool, arguments, caller=self.caller, run=f"run-{next(_runs)}")
