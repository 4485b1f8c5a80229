"""A double of Slack: its Web API as far as the hub calls it, and its side of signed requests.

From Slack's documentation: methods are POSTs with JSON and a bearer token; `ok` tells whether it was done; a busy one
answers 429 with Retry-After. Requests to an app are forms, signed (v0) over timestamp and body.
"""

import asyncio
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2
from starlette.applications import Starlette
from world import World

from hub.channels.slack import SLACK, SlackChannel, Tell
from hub.channels.slack_api import SlackApi, SlackApp
from hub.channels.slack_requests import signature
from hub.identity.linked import Elsewhere, link, offer_code
from hub.identity.principals import Principal
from hub.storage import now
from hub.web import SlackDoor, telling, web_routes

TOKEN, SECRET, TEAM = "xoxb-double", "8f742231b10e8888abcd99yyyzzz85a5", "T1DC2JH3J"
SITE = "https://hub.example.org"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(kw_only=True)
class Slack:
    """A workspace that remembers what it is told, and answers as it is told to, and then kindly."""

    port: int = 0
    answers: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    refused: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    """What the clock of the API's client says."""
    _names: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Have one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        start, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        method = start.split(" ")[1].removeprefix("/api/")
        self.calls.append((method, body))
        status, told = self.answers.pop(0) if self.answers else ("200 OK", self._done(method, body))
        if headers["authorization"] != f"Bearer {TOKEN}":
            self.refused.append(method)
            told = {"ok": False, "error": "invalid_auth"}
        content = json.dumps(told).encode()
        more = f"content-type: application/json\r\ncontent-length: {len(content)}\r\nconnection: close\r\n\r\n"
        writer.write(f"HTTP/1.1 {status}\r\n{more}".encode() + content)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def _done(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        if method == "chat.postMessage":
            return {"ok": True, "channel": f"D{body['channel']}", "ts": f"1700000000.{next(self._names):06}"}
        return {"ok": True}

    def told(self, method: str) -> list[dict[str, Any]]:
        """Return what a method was called with, one after the other."""
        return [body for name, body in self.calls if name == method]

    @property
    def app(self) -> SlackApp:
        """The app that was made for the hub."""
        return SlackApp(token=TOKEN, signing_secret=SECRET, web_api=f"http://127.0.0.1:{self.port}/api")

    def channel(self, world: World, words: Tell | None = None) -> SlackChannel:
        """Return the channel that leads here."""
        api = SlackApi(self.app, clock=lambda: self.seconds)
        return SlackChannel(world.runtime.authority, api, words or telling(world.runtime), SITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Slack's side of requests to the hub."""

    client: httpx2.AsyncClient
    _presses: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def send(self, path: str, fields: dict[str, str], **headers: str) -> httpx2.Response:
        """Send a form, signed as Slack signs, unless `headers` say otherwise."""
        body = urlencode(fields).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        at = given.setdefault("x-slack-request-timestamp", str(int(time.time())))
        given.setdefault("x-slack-signature", signature(SECRET, at, body))
        return await self.client.post(path, content=body, headers={**FORM, **given})

    async def press(
        self, account: str, button: dict[str, Any], *, trigger: str = "", **headers: str
    ) -> httpx2.Response:
        """Press a button of a message; the same `trigger` makes it the same press."""
        payload = {
            "type": "block_actions",
            "user": {"id": account},
            "team": {"id": TEAM},
            "channel": {"id": f"D{account}"},
            "trigger_id": trigger or self._trigger(),
            "actions": [{"action_id": button["action_id"], "value": button.get("value", "")}],
        }
        return await self.send("/slack/interactions", {"payload": json.dumps(payload)}, **headers)

    async def give_reason(self, account: str, view: dict[str, Any], reason: str) -> httpx2.Response:
        """Send the modal that asks for a reason."""
        state = {"values": {"reason": {"reason": {"type": "plain_text_input", "value": reason}}}}
        sent = {"callback_id": view["callback_id"], "private_metadata": view["private_metadata"], "state": state}
        payload = {"type": "view_submission", "user": {"id": account}, "team": {"id": TEAM}, "view": sent}
        return await self.send("/slack/interactions", {"payload": json.dumps(payload)})

    def _trigger(self) -> str:
        """Return what Slack gives each press of its own, so that no two are the same."""
        return f"13345224609.738474920.{next(self._presses)}"

    async def command(self, account: str, text: str) -> str:
        """Send the command, and return what is answered to the one who sent it."""
        fields = {
            "command": "/toolhub",
            "text": text,
            "user_id": account,
            "team_id": TEAM,
            "trigger_id": self._trigger(),
        }
        answer = await self.send("/slack/commands", fields)
        told = answer.json()
        assert told["response_type"] == "ephemeral"
        return str(told["text"])


def sender_to(world: World, slack: Slack) -> Sender:
    """Return Slack, sending to this hub."""
    door = SlackDoor(runtime=world.runtime, app=slack.app, api=SlackApi(slack.app))
    app = Starlette(routes=web_routes(world.runtime, door))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return Sender(client=httpx2.AsyncClient(transport=transport, base_url=world.runtime.public_url))


async def tie(world: World, person: Principal, account: str) -> None:
    """Link an account in Slack to a person."""
    runtime = world.runtime
    async with runtime.database.transaction() as tx:
        code = await offer_code(tx, person, SLACK, authenticated_at=await now(tx))
        await link(tx, code, Elsewhere(system=SLACK, team=TEAM, account=account), runtime.authority)


def buttons(message: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the buttons of a message by their labels."""
    actions = [block["elements"] for block in message["blocks"] if block["type"] == "actions"]
    return {one["text"]["text"]: one for elements in actions for one in elements}


def text_of(message: dict[str, Any]) -> str:
    """Return everything that a message says, and make sure that none of it is markup."""
    said: list[str] = []
    for block in message["blocks"]:
        parts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        for part in parts:
            if part is not None and part["type"] != "button":
                assert part["type"] == "plain_text"
                said.append(part["text"])
    return "\n".join(said)
