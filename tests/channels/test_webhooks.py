"""Webhooks: signed as Standard Webhooks 1.0 has it, sent where the operator said, and never anywhere else."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from pydantic import SecretStr, ValidationError
from questions import wish
from world import PUBLIC_URL, World

from channels.posting import make_due, post, states
from hub.approvals import Choice
from hub.channels.webhooks import Endpoint, WebhookChannel, disabled, enable, signatures
from hub.outbox import given_up
from hub.settings import Settings, WebhookSettings

pytestmark = pytest.mark.anyio

TOPIC = "notice.webhook"
KEY, NEXT_KEY = b"k" * 32, b"n" * 32
CREATED: Final = "201 Created"


@dataclass(kw_only=True)
class Listener:
    """An endpoint that answers as it is told to, and then kindly."""

    port: int = 0
    answers: list[str] = field(default_factory=list[str])
    extra: str = ""
    paths: list[str] = field(default_factory=list[str])
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list[tuple[dict[str, str], bytes]])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Have one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        start, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.paths.append(start.split(" ")[1])
        self.heard.append((headers, await reader.readexactly(int(headers["content-length"]))))
        answer = self.answers.pop(0) if self.answers else CREATED
        writer.write(f"HTTP/1.1 {answer}\r\n{self.extra}content-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def channel(self, world: World, *keys: bytes, events: str = "*") -> WebhookChannel:
        """Return the channel that leads here."""
        url = f"http://127.0.0.1:{self.port}/hooks"
        endpoint = Endpoint(name="ops", url=url, keys=keys or (KEY,), events=frozenset({events}))
        runtime = world.runtime
        return WebhookChannel(runtime.database, [endpoint], runtime.authority, PUBLIC_URL, clock=lambda: 1_700_000_000)


@pytest.fixture
async def listener() -> AsyncGenerator[Listener]:
    heard = Listener()
    server = await asyncio.start_server(heard.serve, "127.0.0.1", 0)
    heard.port = server.sockets[0].getsockname()[1]
    yield heard
    server.close()


def test_signatures_are_those_of_the_example_in_the_specification() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = '{"test": 2432232314}'

    signed = signatures([key], message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=body)

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_an_endpoint_hears_ids_and_states_signed_with_the_old_secret_and_the_new(
    world: World, listener: Listener
) -> None:
    asked = await wish(world)
    await world.vote(asked, world.ann, Choice.REJECT)

    await post(world.runtime.database, listener.channel(world, NEXT_KEY, KEY))

    bodies: dict[str, Any] = {}
    for headers, body in listener.heard:
        signed = f"{headers['webhook-id']}.1700000000.".encode() + body
        expected = [
            base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in (NEXT_KEY, KEY)
        ]
        assert headers["webhook-signature"] == f"v1,{expected[0]} v1,{expected[1]}"
        assert headers["webhook-timestamp"] == "1700000000"
        bodies[json.loads(body)["type"]] = json.loads(body)["data"]
    assert set(bodies) == {"approval.requested", "invocation.rejected"}
    assert bodies["approval.requested"]["link"] == f"{PUBLIC_URL}/approvals/{asked.id}"
    assert bodies["invocation.rejected"]["state"] == "REJECTED"
    assert "too much" not in repr(listener.heard)


async def test_an_endpoint_hears_only_of_the_events_it_is_meant_for(world: World, listener: Listener) -> None:
    asked = await wish(world)
    await world.vote(asked, world.ann, Choice.REJECT)

    await post(world.runtime.database, listener.channel(world, events="invocation.rejected"))

    assert [json.loads(body)["type"] for _, body in listener.heard] == ["invocation.rejected"]


async def test_what_fails_is_sent_again_under_the_same_id(world: World, listener: Listener) -> None:
    listener.answers = ["503 Busy"]
    await wish(world)

    await post(world.runtime.database, listener.channel(world))
    assert await states(world.runtime.database, TOPIC) == ["waiting"]
    await make_due(world.runtime.database)
    await post(world.runtime.database, listener.channel(world))

    assert await states(world.runtime.database, TOPIC) == ["delivered"]
    first, second = (headers["webhook-id"] for headers, _ in listener.heard)
    assert first == second


async def test_a_redirect_is_no_success_and_is_not_followed(world: World, listener: Listener) -> None:
    listener.answers = ["307 Temporary Redirect"]
    listener.extra = f"location: http://127.0.0.1:{listener.port}/elsewhere\r\n"
    await wish(world)

    await post(world.runtime.database, listener.channel(world))

    assert listener.paths == ["/hooks"]
    assert await states(world.runtime.database, TOPIC) == ["waiting"]


async def test_an_endpoint_that_is_gone_hears_nothing_until_it_is_enabled_again(
    world: World, listener: Listener
) -> None:
    listener.answers = ["410 Gone"]
    asked = await wish(world)
    await post(world.runtime.database, listener.channel(world))
    await world.vote(asked, world.ann, Choice.REJECT)
    await post(world.runtime.database, listener.channel(world))

    assert len(listener.heard) == 1
    async with world.runtime.database.transaction() as tx:
        assert [one.name for one in await disabled(tx)] == ["ops"]
        assert len(await given_up(tx)) == 1
        await enable(tx, "ops", world.runtime.authority)
    await world.call("ticket_create", {"title": "a chair"})
    await post(world.runtime.database, listener.channel(world))

    assert len(listener.heard) == 2


@pytest.mark.parametrize(
    ("url", "secret", "why"),
    [
        ("http://hooks.example.org/x", "whsec_" + "A" * 32, "https://"),
        ("https://user:word@hooks.example.org/x", "whsec_" + "A" * 32, "without user"),
        ("https://hooks.example.org/x", "A" * 32, "whsec_"),
        ("https://hooks.example.org/x", "whsec_not base64", "base64"),
        ("https://hooks.example.org/x", "whsec_" + "A" * 8, "24 to 64 bytes"),
    ],
)
def test_an_endpoint_that_is_not_safe_is_refused_without_showing_its_secret(url: str, secret: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        WebhookSettings(name="ops", url=SecretStr(url), secrets=(SecretStr(secret),))

    assert secret not in str(caught.value)
    assert url not in str(caught.value)


def test_mail_without_protection_stays_on_this_machine() -> None:
    with pytest.raises(ValidationError, match="mail_tls"):
        Settings(mail_host="mail.example.org", mail_from="hub@example.org", mail_tls="none")
    with pytest.raises(ValidationError, match="mail_from"):
        Settings(mail_host="mail.example.org", mail_from="hub@example.org\nBcc: eve@example.org")
