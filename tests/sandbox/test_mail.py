"""Mail through the broker: the fence, what each of the server's answers is worth, and what no message may smuggle."""

import asyncio
import base64
import json
import ssl
from collections.abc import Mapping
from typing import Any

import pytest
from sandbox_broker import fates, granted
from sandbox_mail import DROP, MailScript, mail_server

from connectors.sdk.auth import AuthSpec
from connectors.sdk.errors import Fenced, Unavailable, Unknown
from connectors.sdk.spec import ConnectorSpec, SafeRule
from connectors.sdk.wire import WireRequest
from sandbox.broker import Bounds, Channel, ChannelKind, Permit, Stopped
from sandbox.mail import MailWay
from sandbox.reach import Reach
from sandbox.requests import BadBaseUrl
from sandbox.transcript import Fate

pytestmark = pytest.mark.anyio

Json = Any
SENDER, ANN, BOB = "hub@example.com", "ann@example.com", "bob@example.com"
BASIC = AuthSpec(kind="basic", secret_fields=("username", "password"))
PASSWORD = "a-very-secret-password"
MAIL = ConnectorSpec(
    name="mail",
    version="1.0.0",
    title="Mail",
    description="Mail.",
    entry="mail:connector",
    artefact_digest="0" * 64,
    speaks="smtp",
    safe=(SafeRule(method="GET", path="/sender"), SafeRule(method="POST", path="/recipients", preview_only=True)),
    operations=(),
)
TEXT = f"From: {SENDER}\r\nTo: {ANN}\r\nSubject: Hello\r\n\r\nHello Ann.\r\n"


def way_to(server: MailScript, host: str = "127.0.0.1", auth: AuthSpec | None = None, **more: Json) -> MailWay:
    async def secrets() -> Mapping[str, str]:
        return {"username": "hub", "password": PASSWORD}

    return MailWay(f"smtp://{host}:{server.port}/{SENDER}", auth or AuthSpec(), secrets, **more)


def channel_to(way: MailWay, kind: ChannelKind = ChannelKind.WRITE, permit: Permit = granted) -> Channel:
    return Channel(upstream=way, spec=MAIL, kind=kind, permit=permit, bounds=Bounds(unsafe_requests=1, pauses=()))


def message(text: str = TEXT, *recipients: str) -> WireRequest:
    body = {"recipients": recipients or [ANN], "message": text}
    return WireRequest(
        method="POST", path="/messages", headers={"content-type": "application/json"}, body=json.dumps(body)
    )


def check(*recipients: str) -> WireRequest:
    body = json.dumps({"recipients": recipients})
    return WireRequest(method="POST", path="/recipients", headers={"content-type": "application/json"}, body=body)


# -- the fence --------------------------------------------------------------------------------------------------


async def test_a_message_leaves_after_its_permit() -> None:
    async with mail_server() as server:

        async def permit() -> None:
            assert "DATA" not in server.words

        answer = await channel_to(way_to(server), permit=permit).send(message())

        assert answer.status == 200
        assert json.loads(answer.body) == {"accepted": 1, "reply": "250 2.0.0 queued as 7"}
        assert server.words == ["EHLO", "MAIL", "RCPT", "DATA"]
        assert server.contents == [TEXT.encode() + b".\r\n"]


async def test_a_refused_permit_lets_nothing_leave() -> None:
    async def permit() -> None:
        raise RuntimeError("the lease is lost")

    async with mail_server() as server:
        with pytest.raises(Stopped):
            await channel_to(way_to(server), permit=permit).send(message())

        assert server.heard == []


@pytest.mark.parametrize("kind", [ChannelKind.READ, ChannelKind.PREVIEW])
async def test_no_other_channel_than_write_carries_a_message(kind: ChannelKind) -> None:
    async with mail_server() as server:
        with pytest.raises(Stopped):
            await channel_to(way_to(server), kind).send(message())

        assert server.heard == []


async def test_a_preview_asks_for_recipients_and_takes_it_back() -> None:
    async with mail_server(**{f"RCPT TO:<{BOB}>": "550 no such user"}) as server:
        channel = channel_to(way_to(server), ChannelKind.PREVIEW)

        fine, refused = await channel.send(check(ANN)), await channel.send(check(ANN, BOB))

        assert fine.status == 200
        assert refused.status == 422
        assert json.loads(refused.body)["refused"] == [BOB]
        assert server.words == ["EHLO", "MAIL", "RCPT", "RSET", "EHLO", "MAIL", "RCPT", "RCPT"]


async def test_a_read_learns_the_sender_and_nothing_else() -> None:
    async with mail_server() as server:
        channel = channel_to(way_to(server), ChannelKind.READ)

        answer = await channel.send(WireRequest(method="GET", path="/sender"))

        assert json.loads(answer.body) == {"sender": SENDER}
        assert server.heard == []
        with pytest.raises(Stopped):
            await channel.send(check(ANN))


# -- what an answer is worth ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replies", "status"),
    [
        ({"MAIL": "553 not yours"}, 422),
        ({"MAIL": "452 full"}, 429),
        ({f"RCPT TO:<{BOB}>": "550 no such user"}, 422),
        ({f"RCPT TO:<{BOB}>": "451 later"}, 429),
        ({f"RCPT TO:<{ANN}>": "451 later", f"RCPT TO:<{BOB}>": "550 no such user"}, 422),
        ({"DATA": "554 no"}, 422),
        ({"CONTENT": "552 too much"}, 422),
        ({"CONTENT": "451 later"}, 429),
    ],
    ids=str,
)
async def test_a_refusal_is_definite_and_nobody_has_got_it(replies: dict[str, str], status: int) -> None:
    async with mail_server(**replies) as server:
        channel = channel_to(way_to(server))

        answer = await channel.send(message(TEXT, ANN, BOB))

        assert answer.status == status
        (entry,) = channel.transcript.left
        assert entry.answer is not None
        assert entry.answer.says_no
        assert len(server.contents) == (1 if "CONTENT" in replies else 0)


@pytest.mark.parametrize("said", [DROP, "421 going away", "354 more", "what?", "25", "250-and so on"], ids=repr)
async def test_a_lost_or_unclear_answer_to_the_message_is_unknown(said: str) -> None:
    async with mail_server(CONTENT=said) as server:
        channel = channel_to(way_to(server))

        with pytest.raises((Unknown, TimeoutError)):
            async with asyncio.timeout(1):
                await channel.send(message())

        assert fates(channel) == [Fate.UNKNOWN]


@pytest.mark.parametrize("step", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("said", [DROP, "garbage", "x" * 50_000], ids=["gone", "garbage", "endless"])
async def test_what_breaks_before_the_message_leaves_it_unsent(step: str, said: str) -> None:
    async with mail_server(**{step: said}) as server:
        channel = channel_to(way_to(server))

        with pytest.raises(Unavailable, match="nothing was sent"):
            await channel.send(message())

        assert fates(channel) == [Fate.NOT_SENT]
        assert server.contents == []


# -- what no message may smuggle --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\r\n", "\n"),
        TEXT + "\n.\nMAIL FROM:<x@example.com>\n",
        TEXT + "\r.\r\nMAIL FROM:<x@example.com>\r\n",
        TEXT + "\r\n.\r\r\n",
        TEXT + "\0",
        TEXT + "ä",
        TEXT + "a" * 999,
        TEXT.replace(SENDER, "boss@example.com"),
        TEXT.replace(f"From: {SENDER}\r\n", ""),
        f"From: {SENDER}\r\n" + TEXT,
        TEXT.replace("Subject", f"Bcc: {BOB}\r\nSubject"),
        TEXT.replace("Subject", f"Cc: {BOB}\r\nSubject"),
        TEXT.replace("Subject", f"Resent-To: {BOB}\r\nSubject"),
        TEXT.replace("Subject: Hello", "Subject: Hello\r\n\r\nnot a header").replace("From: ", "From "),
    ],
    ids=repr,
)
async def test_a_message_that_two_servers_read_differently_is_not_sent(text: str) -> None:
    async with mail_server() as server:
        channel = channel_to(way_to(server))

        with pytest.raises(Fenced):
            await channel.send(message(text))

        assert server.heard == []
        assert channel.transcript.left == []


@pytest.mark.parametrize(
    "recipient",
    [
        *("", "ann", "ann@", "@example.com", "ann@example.com>\r\nRCPT TO:<bob@example.com", "ann@example.com\n"),
        *("ann@example.com> ORCPT=x", '"a b"@example.com', "<ann@example.com>", "ann@exa mple.com", "änn@example.com"),
    ],
    ids=repr,
)
async def test_a_recipient_is_one_address(recipient: str) -> None:
    async with mail_server() as server:
        with pytest.raises(Fenced):
            await channel_to(way_to(server)).send(message(TEXT, ANN, recipient))
        with pytest.raises(Fenced):
            await channel_to(way_to(server), ChannelKind.PREVIEW).send(check(recipient))

        assert server.heard == []


async def test_a_line_with_a_dot_alone_does_not_end_the_message() -> None:
    async with mail_server() as server:
        await channel_to(way_to(server)).send(message(TEXT + ".\r\n..\r\nMAIL FROM:<x@example.com>\r\n"))

        assert server.contents[0].endswith(b"\r\n..\r\n...\r\nMAIL FROM:<x@example.com>\r\n.\r\n")
        assert server.words.count("MAIL") == 1


# -- privacy and credentials ------------------------------------------------------------------------------------


async def test_without_tls_nothing_is_sent_to_another_machine() -> None:
    async def resolve(host: str) -> list[str]:
        del host
        return ["127.0.0.1"]

    async with mail_server() as server:
        channel = channel_to(way_to(server, "mail.internal", BASIC, reach=Reach(resolve=resolve)))

        with pytest.raises(Unavailable, match="STARTTLS"):
            await channel.send(message())

        assert server.words == ["EHLO"]


@pytest.mark.parametrize("is_injected", [False, True])
async def test_the_conversation_turns_private_before_anything_is_said(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], *, is_injected: bool
) -> None:
    theirs, ours = tls
    extra = "\r\n235 welcome\r\n250 ok" if is_injected else ""
    replies = {"EHLO": "250-mail.test\r\n250-STARTTLS\r\n250 AUTH PLAIN", "STARTTLS": f"220 ready{extra}"}
    async with mail_server(theirs, **replies) as server:
        channel = channel_to(way_to(server, "localhost", BASIC, tls=ours))

        if is_injected:
            with pytest.raises(Unavailable) as caught:
                await channel.send(message())
            assert "spoke on before the conversation was private" in str(caught.value.__cause__)
            assert server.contents == []
        else:
            assert (await channel.send(message())).status == 200
            assert server.words == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"]


async def test_a_certificate_that_nobody_vouches_for_is_refused(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    theirs, _ = tls
    replies = {"EHLO": "250-mail.test\r\n250 STARTTLS", "STARTTLS": "220 ready"}
    async with mail_server(theirs, **replies) as server:
        with pytest.raises(Unavailable, match="nothing was sent"):
            await channel_to(way_to(server, "localhost", BASIC)).send(message())

        assert server.words == ["EHLO", "STARTTLS"]


async def test_a_refused_login_is_not_repeated_and_shows_no_secret() -> None:
    proof = base64.b64encode(f"\0hub\0{PASSWORD}".encode()).decode()
    async with mail_server(AUTH=f"535 {proof} {PASSWORD} is wrong") as server:
        way = way_to(server, auth=BASIC)
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                await channel_to(way).send(message())
            assert PASSWORD not in repr(caught.value) + str(caught.value.__cause__)
            assert proof not in repr(caught.value) + str(caught.value.__cause__)

        assert server.words.count("AUTH") == 1


@pytest.mark.parametrize(
    "url",
    [
        *("https://mail.example.com/hub@example.com", "smtp://mail.example.com", "smtp://mail.example.com/hub"),
        *("smtp://hub@example.com@mail.example.com/", "smtp://0x7f.1/hub@example.com", "smtp://a/b/hub@example.com"),
        *("smtp://mail.example.com/hub@example.com?x", "smtp://mail.example.com/hub%0d%0a@example.com"),
    ],
)
def test_a_base_url_names_a_server_and_a_sender(url: str) -> None:
    with pytest.raises(BadBaseUrl):
        MailWay(url, AuthSpec(), pytest.fail)
