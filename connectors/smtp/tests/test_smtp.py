"""The connector against a mail server that nobody here wrote: aiosmtpd, on this machine."""

import asyncio
import email.policy
import ssl
from collections.abc import AsyncGenerator, Mapping
from email.parser import BytesParser
from typing import Any, NamedTuple

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from connectors.sdk import Connector
from connectors.sdk.run import Done, Failed, PhaseCall, PhaseResult, Previewed, run_phase
from connectors.sdk.vocabulary import Fidelity, Phase, Reversal, Tier, UpstreamClass
from connectors.smtp import connector, relay
from sandbox.broker import Bounds, Channel, ChannelKind
from sandbox.mail import MailWay

pytestmark = pytest.mark.anyio

Json = Any
MAIL: dict[str, Json] = {
    "to": ["ann@example.com"],
    "cc": ["bob@example.com"],
    "bcc": ["cid@example.com"],
    "reply_to": "sales@example.com",
    "subject": "Grüße für Ann, und das ist eine lange Zeile, die der Kopf einer Mail umbrechen muss, weil sie lang ist",
    "text": "Hallo Ann,\n.\n..\nFrom here on: " + "ä" * 300 + "\n",
}


class Server(NamedTuple):
    """Where the server listens, and who vouches for it."""

    port: int
    trust: ssl.SSLContext


class Postbox:
    """What arrived; nobody called nobody lives here."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's own signature
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take everybody but nobody."""
        del server, session, options
        if address.startswith("nobody"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # see above
        """Keep the mail."""
        del server, session
        self.mails.append(envelope)
        return "250 2.0.0 kept"


def admitted(server: SMTP, session: Session, envelope: Envelope, mechanism: str, proof: Json) -> AuthResult:
    del server, session, envelope, mechanism
    return AuthResult(success=isinstance(proof, LoginPassword) and proof.password == b"right", handled=False)


@pytest.fixture
async def postbox(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], anyio_backend: str
) -> AsyncGenerator[tuple[Postbox, Server]]:
    del anyio_backend
    box, (theirs, ours) = Postbox(), tls

    def conversation() -> SMTP:
        return SMTP(box, authenticator=admitted, auth_required=True, tls_context=theirs, require_starttls=True)

    listener = await asyncio.get_running_loop().create_server(conversation, "127.0.0.1", 0)
    yield box, Server(listener.sockets[0].getsockname()[1], ours)
    listener.close()


async def run(server: Server, phase: Phase, arguments: Mapping[str, Json], *, password: str = "right") -> PhaseResult:  # noqa: S107  # not secret
    async def secrets() -> Mapping[str, str]:
        return {"username": "hub", "password": password}

    async def permit() -> None:
        """Let it pass."""

    url = f"smtp://localhost:{server.port}/billing@example.com"
    way = MailWay(url, connector.spec.auth, secrets, tls=server.trust)
    kind = ChannelKind.WRITE if phase is Phase.COMMIT else ChannelKind.PREVIEW
    channel = Channel(upstream=way, spec=connector.spec, kind=kind, permit=permit, bounds=Bounds(unsafe_requests=1))
    key = "key-1" if phase is Phase.COMMIT else None
    call = PhaseCall(operation="send", phase=phase, arguments=arguments, idempotency_key=key)
    return await run_phase(connector, call, channel)


async def test_what_is_sent_is_what_the_preview_shows(postbox: tuple[Postbox, Server]) -> None:
    box, server = postbox
    previewed = await run(server, Phase.PREVIEW, MAIL)
    assert box.mails == []

    sent = await run(server, Phase.COMMIT, MAIL)

    assert isinstance(previewed, Previewed)
    assert isinstance(sent, Done), sent
    (envelope,) = box.mails
    shown = previewed.preview.changes[0].after or {}
    assert isinstance(envelope.content, bytes)
    arrived = BytesParser(policy=email.policy.default).parsebytes(envelope.content)
    assert envelope.mail_from == arrived["From"] == shown["from"] == "billing@example.com"
    assert envelope.rcpt_tos == [*shown["to"], *shown["cc"], *shown["bcc"]]
    assert [arrived["To"], arrived["Cc"], arrived["Bcc"]] == ["ann@example.com", "bob@example.com", None]
    assert arrived["Subject"] == shown["subject"] == MAIL["subject"]
    assert arrived["Reply-To"] == shown["reply_to"]
    assert arrived.get_content().replace("\r\n", "\n") == shown["text"] == MAIL["text"]
    assert sent.output["message_id"] == arrived["Message-ID"]
    assert sent.output | {"message_id": ""} == {"message_id": "", "recipients": 3, "reply": "250 2.0.0 kept"}
    assert previewed.preview.changes[0].unknown == ("message_id", "date")


async def test_the_preview_says_whom_it_reaches_and_how_sure_it_is(postbox: tuple[Postbox, Server]) -> None:
    previewed = await run(postbox[1], Phase.PREVIEW, MAIL)

    assert isinstance(previewed, Previewed)
    preview = previewed.preview
    assert (preview.blast.rows, preview.blast.parties) == (1, 3)
    assert [effect.recipient for effect in preview.side_effects] == [*MAIL["to"], *MAIL["cc"], *MAIL["bcc"]]
    assert {effect.reversal for effect in preview.side_effects} == {Reversal.NONE}
    assert preview.fidelity is Fidelity.VALIDATED
    assert any("arrives" in one for one in preview.not_covered)


def test_it_promises_no_more_than_mail_can_keep() -> None:
    operation = connector.spec.operation("send")

    assert operation.upstream_class is UpstreamClass.D
    assert operation.reversal is Reversal.NONE
    assert operation.tier is Tier.HIGH


@pytest.mark.parametrize("phase", [Phase.PREVIEW, Phase.COMMIT])
async def test_if_one_is_refused_nobody_gets_it(phase: Phase, postbox: tuple[Postbox, Server]) -> None:
    box, server = postbox

    result = await run(server, phase, {**MAIL, "cc": ["nobody@example.com"]})

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"
    assert "nobody@example.com: 550" in result.message
    assert box.mails == []


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "Hello\r\nBcc: eve@example.com"},
        {"subject": "Hello\n"},
        {"subject": "Hello\u2028Bcc: eve@example.com"},
        {"to": ["ann@example.com\r\nBcc: eve@example.com"]},
        {"to": ["ann@example.com\n"]},
        {"to": ["Ann <ann@example.com>"]},
        {"to": ["ann@example.com, eve@example.com"]},
        {"reply_to": "ann@example.com\r\nBcc: eve@example.com"},
        {"cc": ["ann@example.com"]},
        {"bcc": ["ANN@example.com"]},
        {"to": []},
    ],
    ids=str,
)
async def test_nothing_can_be_put_in_beside_what_is_shown(changed: Json, postbox: tuple[Postbox, Server]) -> None:
    box, server = postbox

    results = [await run(server, phase, {**MAIL, **changed}) for phase in (Phase.PREVIEW, Phase.COMMIT)]

    assert all(isinstance(result, Failed) for result in results), results
    assert box.mails == []


async def test_a_wrong_password_sends_nothing(postbox: tuple[Postbox, Server]) -> None:
    box, server = postbox

    result = await run(server, Phase.COMMIT, MAIL, password="wrong-password")

    assert isinstance(result, Failed)
    assert result.code == "upstream_unavailable"
    assert "wrong-password" not in result.message
    assert box.mails == []


@pytest.fixture
async def open_postbox(anyio_backend: str) -> AsyncGenerator[tuple[Postbox, int]]:
    """A server for its own machine, which asks nobody who they are."""
    del anyio_backend
    box = Postbox()
    listener = await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", 0)
    yield box, listener.sockets[0].getsockname()[1]
    listener.close()


async def run_without_login(port: int, phase: Phase, declared: Connector = relay) -> PhaseResult:
    async def no_secrets() -> Mapping[str, str]:
        return {}

    async def permit() -> None:
        """Let it pass."""

    way = MailWay(f"smtp://localhost:{port}/billing@example.com", declared.spec.auth, no_secrets)
    kind = ChannelKind.WRITE if phase is Phase.COMMIT else ChannelKind.PREVIEW
    channel = Channel(upstream=way, spec=declared.spec, kind=kind, permit=permit, bounds=Bounds(unsafe_requests=1))
    key = "key-1" if phase is Phase.COMMIT else None
    return await run_phase(
        declared, PhaseCall(operation="send", phase=phase, arguments=MAIL, idempotency_key=key), channel
    )


async def test_a_server_without_a_login_is_asked_and_sent_to_without_one(open_postbox: tuple[Postbox, int]) -> None:
    box, port = open_postbox

    previewed = await run_without_login(port, Phase.PREVIEW)
    assert box.mails == []
    sent = await run_without_login(port, Phase.COMMIT)

    assert isinstance(previewed, Previewed), previewed
    assert isinstance(sent, Done), sent
    assert [mail.rcpt_tos for mail in box.mails] == [[*MAIL["to"], *MAIL["cc"], *MAIL["bcc"]]]


async def test_a_login_that_was_forgotten_is_never_left_out(open_postbox: tuple[Postbox, int]) -> None:
    box, port = open_postbox

    result = await run_without_login(port, Phase.COMMIT, connector)

    assert isinstance(result, Failed)
    assert "password, username" in result.message
    assert box.mails == []


async def test_a_server_that_wants_a_login_refuses_who_has_none(postbox: tuple[Postbox, Server]) -> None:
    box, server = postbox

    async def no_secrets() -> Mapping[str, str]:
        return {}

    way = MailWay(f"smtp://localhost:{server.port}/billing@example.com", relay.spec.auth, no_secrets, tls=server.trust)
    channel = Channel(
        upstream=way, spec=relay.spec, kind=ChannelKind.PREVIEW, permit=way.close, bounds=Bounds(unsafe_requests=0)
    )
    call = PhaseCall(operation="send", phase=Phase.PREVIEW, arguments=MAIL)
    result = await run_phase(relay, call, channel)

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"
    assert box.mails == []


def test_with_and_without_a_login_the_mail_is_the_same() -> None:
    assert relay.spec.operations == connector.spec.operations
    assert relay.spec.auth.kind == "none"
