"""E-mail: a link for each person who may vote, over a protected way, once; nothing else leaves."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from promotions.stage import DOCUMENTED, open_stage
from questions import add_person, wish
from upstream.certificates import for_localhost
from world import World

from channels.posting import make_due, post, states
from channels.slack_double import Slack, buttons, text_of, tie
from hub.approvals import Choice
from hub.channels.log import LogChannel
from hub.channels.mail import MailChannel, MailServer, Tls
from hub.core.errors import InputError
from hub.identity.accounts import set_email, suspend
from hub.identity.principals import Principal
from hub.outbox import given_up

pytestmark = pytest.mark.anyio

SITE = "https://hub.example.org"
TOPIC = "notice.mail"


@dataclass(kw_only=True)
class Postbox:
    """A mail server that answers DATA as it is told to, and then kindly."""

    trusted: Path
    port: int = 0
    answers: list[str] = field(default_factory=list[str])
    recipient: str = "250 OK"
    tried: list[EmailMessage] = field(default_factory=list[EmailMessage])
    mails: list[EmailMessage] = field(default_factory=list[EmailMessage])

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's own signature
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer as told."""
        del server, session, options
        envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # see above
        """Take the mail, or answer as told."""
        del server, session
        assert isinstance(envelope.content, bytes)
        mail = BytesParser(EmailMessage, policy=default).parsebytes(envelope.content)
        assert [mail["To"]] == envelope.rcpt_tos
        self.tried.append(mail)
        if self.answers:
            return self.answers.pop(0)
        self.mails.append(mail)
        return "250 kept"

    def channel(self, world: World, *, tls: Tls = Tls.STARTTLS, trusts: bool = True) -> MailChannel:
        """Return the channel that leads here."""
        server = MailServer(
            host="localhost",
            port=self.port,
            tls=tls,
            sender="hub@example.org",
            user="hub",
            password="right",
            trusted=self.trusted if trusts else None,
        )
        return MailChannel(world.runtime.database, server, SITE)


def admitted(server: SMTP, session: Session, envelope: Envelope, mechanism: str, proof: object) -> AuthResult:
    del server, session, envelope, mechanism
    return AuthResult(success=isinstance(proof, LoginPassword) and proof.password == b"right", handled=False)


@pytest.fixture
async def postbox(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Postbox]:
    """A mail server that offers STARTTLS and insists on it, unless a test's parameter says `plain`."""
    theirs, _ = for_localhost(tmp_path)
    offered: ssl.SSLContext | None = None if getattr(request, "param", "") == "plain" else theirs
    box = Postbox(trusted=tmp_path / "certificate.pem")

    def conversation() -> SMTP:
        is_plain = offered is None
        return SMTP(
            box,
            authenticator=admitted,
            auth_required=not is_plain,
            auth_require_tls=not is_plain,
            tls_context=offered,
            require_starttls=not is_plain,
        )

    listener = await asyncio.get_running_loop().create_server(conversation, "localhost", 0)
    box.port = listener.sockets[0].getsockname()[1]
    yield box
    listener.close()


async def give_address(world: World, person: Principal, address: str) -> None:
    async with world.runtime.database.transaction() as tx:
        await set_email(tx, person.id, address, world.runtime.authority)


async def test_each_person_who_may_vote_gets_a_link_and_nothing_of_the_call(world: World, postbox: Postbox) -> None:
    gone, silent = await add_person(world, "gone", "approvers"), await add_person(world, "silent", "approvers")
    for person in (world.ann, world.carl, world.rita, gone):
        await give_address(world, person, f"{person.name}@example.org")
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, gone.id, "left", world.runtime.authority)
    asked = await wish(world)

    await post(world.runtime.database, postbox.channel(world))

    assert silent.email is None
    (mail,) = postbox.mails
    assert (mail["To"], mail["From"]) == ("ann@example.org", "hub@example.org")
    assert mail["List-Id"] == "<approvals.hub.example.org>"
    assert mail["References"] == f"<{asked.id}@hub.example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    assert f"{SITE}/approvals/{asked.id}" in text.splitlines()
    assert asked.tool_name not in mail.as_string()
    assert asked.intent_digest not in mail.as_string()


@pytest.mark.parametrize("postbox", ["plain"], indirect=True)
async def test_no_mail_leaves_where_the_server_offers_no_protection(world: World, postbox: Postbox) -> None:
    await give_address(world, world.ann, "ann@example.org")
    await wish(world)

    await post(world.runtime.database, postbox.channel(world))

    assert postbox.tried == []
    assert await states(world.runtime.database, TOPIC) == ["waiting"]


async def test_no_mail_leaves_to_a_server_that_nobody_vouches_for(world: World, postbox: Postbox) -> None:
    await give_address(world, world.ann, "ann@example.org")
    await wish(world)

    await post(world.runtime.database, postbox.channel(world, trusts=False))

    assert postbox.tried == []
    assert await states(world.runtime.database, TOPIC) == ["waiting"]


async def test_what_is_refused_for_now_is_sent_later_as_the_same_message(world: World, postbox: Postbox) -> None:
    postbox.answers = ["451 busy"]
    await give_address(world, world.ann, "ann@example.org")
    await wish(world)

    await post(world.runtime.database, postbox.channel(world))
    assert postbox.mails == []
    await make_due(world.runtime.database)
    await post(world.runtime.database, postbox.channel(world))

    assert len(postbox.mails) == 1
    first, second = postbox.tried
    assert first["Message-ID"] == second["Message-ID"]


async def test_what_is_refused_for_good_is_given_up_at_once_without_the_words_of_the_server(
    world: World, postbox: Postbox
) -> None:
    postbox.recipient = "550 ann@example.org is unknown"
    await give_address(world, world.ann, "ann@example.org")
    await wish(world)

    await post(world.runtime.database, postbox.channel(world))

    assert await states(world.runtime.database, TOPIC) == ["given_up"]
    async with world.runtime.database.reading() as tx:
        ((_, error),) = await given_up(tx)
    assert "550" in error
    assert "example.org" not in error


async def test_nobody_gets_a_late_mail_about_what_has_been_decided(world: World, postbox: Postbox) -> None:
    postbox.answers = ["451 busy"]
    other = await add_person(world, "omar", "approvers")
    await give_address(world, other, "omar@example.org")
    asked = await wish(world)
    await post(world.runtime.database, postbox.channel(world))
    await world.vote(asked, world.ann, Choice.REJECT)

    await make_due(world.runtime.database)
    await post(world.runtime.database, postbox.channel(world))

    assert postbox.mails == []
    assert await states(world.runtime.database, TOPIC) == ["delivered"]


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.org\r\nBcc: eve@example.org",
        "ann@example.org\n",
        "ann@example.org, eve@example.org",
        "Ann <ann@example.org>",
        "ann @example.org",
        "ann@[127.0.0.1]",
        "ann@",
        "änn@example.org",
        f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 63}.org",
    ],
)
async def test_an_address_that_could_be_more_than_one_address_is_refused(world: World, address: str) -> None:
    with pytest.raises(InputError, match="NAME@DOMAIN"):
        await give_address(world, world.ann, address)


async def test_whoever_may_decide_on_a_promotion_gets_a_link_to_it_on_every_way(
    world: World, postbox: Postbox, slack: Slack, tmp_path: Path
) -> None:
    await give_address(world, world.ann, "ann@example.org")
    await tie(world, world.ann, "UANN")
    stage = await open_stage(world)
    await stage.call("item_put", {"id": 7, "name": "ruler", "quantity": 3})
    await stage.release(DOCUMENTED)
    await stage.badge(DOCUMENTED)
    promotion = await stage.ask()
    log = LogChannel(SITE, tmp_path / "notices")

    for _ in range(2):
        await post(world.runtime.database, postbox.channel(world), slack.channel(world), log)

    link = f"{SITE}/promotions/{promotion.id}"
    (mail,) = [one for one in postbox.mails if one["Subject"] == "A promotion waits for a second person"]
    assert link in mail.get_content()
    (said,) = slack.told("chat.postMessage")
    assert buttons(said)["Open the page"]["url"] == link
    assert promotion.reason not in text_of(said)
    (line,) = [json.loads(one) for one in (tmp_path / "notices").read_text().splitlines()]
    assert (line["promotion"], line["link"], line["deciders"]) == (promotion.id, link, "approvers")
