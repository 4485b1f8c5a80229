"""Mail by the real executor: confined code, the broker's conversation, and what is said of its end."""

import sys
from pathlib import Path

import pytest
from execution_house import House, Permits, order

sys.path.append(str(Path(__file__).parent.parent / "sandbox"))  # its mail server

from sandbox_mail import DROP, mail_server

from connectors.smtp import connector
from hub.execution import Failed, Previewed, Reachable, Succeeded, Unknown

pytestmark = pytest.mark.anyio

SMTP = connector.spec
MAIL = {"to": ["ann@example.com"], "cc": ["bob@example.com"], "subject": "Hello", "text": "Hello Ann and Bob."}
SECRET = {"username": "hub", "password": "a-very-secret-password"}


async def test_a_mail_is_previewed_and_then_sent_once(house: House) -> None:
    async with mail_server() as server:
        await house.connect(f"smtp://127.0.0.1:{server.port}/hub@example.com", SECRET)
        permits = Permits()

        health = await house.executor.check_connection(SMTP, house.connection)
        previewed = await house.preview(SMTP, "send", **MAIL)
        assert server.contents == []
        committed = await house.commit(SMTP, "send", order(permits), **MAIL)

        assert isinstance(health, Reachable)
        assert isinstance(previewed.outcome, Previewed), previewed.outcome
        assert isinstance(committed.outcome, Succeeded), committed.outcome
        assert committed.outcome.output["reply"] == "250 2.0.0 queued as 7"
        assert (permits.asked, len(server.contents)) == (1, 1)
        assert committed.passage.sandbox_level == previewed.passage.sandbox_level != "not run"
        assert SECRET["password"] not in f"{health} {previewed} {committed}"


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ({"RCPT TO:<bob@example.com>": "550 no such user"}, "upstream_refused"),
        ({"CONTENT": "552 too much"}, "upstream_refused"),
        ({"DATA": "451 later"}, "upstream_unavailable"),
        ({"AUTH": "535 no"}, "upstream_unavailable"),
        ({"MAIL": DROP}, "upstream_unavailable"),
        ({"CONTENT": DROP}, None),
        ({"CONTENT": "421 going away"}, None),
    ],
    ids=str,
)
async def test_the_end_of_a_commit_is_what_is_known_of_it(
    replies: dict[str, str], code: str | None, house: House
) -> None:
    async with mail_server(**replies) as server:
        await house.connect(f"smtp://127.0.0.1:{server.port}/hub@example.com", SECRET)

        ran = await house.commit(SMTP, "send", **MAIL)

        if code is None:
            assert isinstance(ran.outcome, Unknown)
        else:
            assert isinstance(ran.outcome, Failed), ran.outcome
            assert ran.outcome.code == code
