"""What the tools of the test upstream are made of: answers, or questions to the client, and how to go on with replies.

A tool says what it needs once. In the newer protocol the questions are the result, and the client calls again; in the
older one the server sends them while the call lasts. Either way the same `Tool.answer` goes on with the replies.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import mcp_types as types

Json = Any

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
"""A red PNG of one pixel."""
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA="
"""A WAV file without a sample."""
NOTHING: Json = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What a tool has to ask before it can go on, by name; `state` comes back with the replies."""

    asked: Mapping[str, types.InputRequest]
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a tool is called with: its arguments, and what the client has replied so far."""

    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])
    replies: Mapping[str, types.InputResponse] = field(default_factory=dict[str, types.InputResponse])
    state: str | None = None
    can: types.ClientCapabilities = field(default_factory=types.ClientCapabilities)

    def form(self, name: str) -> Mapping[str, Json] | None:
        """Return what somebody filled in; None if they did not, or were not asked."""
        reply = self.replies.get(name)
        return (reply.content or {}) if isinstance(reply, types.ElicitResult) and reply.action == "accept" else None


Content = list[types.ContentBlock]
Answer = Content | Questions


class Tells(Protocol):
    """What a tool may say while it works."""

    async def log(self, text: str) -> None:
        """Send a line of log."""

    async def progress(self, done: float, total: float) -> None:
        """Tell how far the work is, if the client wants to know."""

    async def hang_up(self) -> None:
        """End the stream, so that the client has to come back for the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool: what clients read of it, and what it does."""

    name: str
    description: str
    answer: Callable[[Given, Tells], Awaitable[Answer]]
    schema: Json = field(default_factory=lambda: NOTHING)

    @property
    def described(self) -> types.Tool:
        """Return the tool as it is listed."""
        return types.Tool(name=self.name, description=self.description, input_schema=self.schema)


def text(said: str) -> types.TextContent:
    """Return a block of text."""
    return types.TextContent(text=said)


def form(message: str, properties: Mapping[str, Json], required: list[str] | None = None) -> types.ElicitRequest:
    """Return a request that somebody fill a form in."""
    schema = {"type": "object", "properties": dict(properties), "required": required or []}
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def completion(prompt: str, *, longest: int = 100) -> types.CreateMessageRequest:
    """Return a request that the client's model say something."""
    message = types.SamplingMessage(role="user", content=text(prompt))
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=longest))
