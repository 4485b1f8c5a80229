"""Requests from Slack: only Slack's own, once, and a vote only from whoever is linked, on what the message showed."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace

import pytest
from pydantic import SecretStr, ValidationError
from questions import rules, wish
from world import World

from channels.posting import post
from channels.slack_double import SECRET, TEAM, Sender, Slack, buttons, text_of, tie
from connectors.sdk.vocabulary import Tier
from hub.approvals import Choice, Way
from hub.audit import EventKind, events_of
from hub.bundles import Publication, publish_bundle
from hub.channels.slack import SLACK
from hub.channels.slack_requests import Signed, admit, signature
from hub.core.errors import FreshLoginNeeded, InputError, Unauthenticated
from hub.identity.linked import Elsewhere, link, offer_code
from hub.invocations.queries import current
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.invocations.votes import vote
from hub.registry import find_tool, set_owner_tier
from hub.settings import Settings
from hub.storage import Database, now

pytestmark = pytest.mark.anyio

BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
    b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
    b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
    b"trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


def signed(*, age: int = 0, secret: str = SECRET, body: bytes = b"a=1") -> Signed:
    at = str(int(time.time()) - age)
    return Signed(timestamp=at, signature=signature(secret, at, body), body=body)


@pytest.fixture
async def two(database_url: str) -> AsyncGenerator[tuple[Database, Database]]:
    """One database, as two processes have it."""
    one, other = Database(database_url), Database(database_url)
    yield one, other
    await one.close()
    await other.close()


async def asked_in_slack(world: World, slack: Slack) -> tuple[Invocation, dict[str, dict[str, str]]]:
    """Let ann be asked; return what about, and the buttons of her message."""
    await tie(world, world.ann, "UANN")
    asked = await wish(world)
    await post(world.runtime.database, slack.channel(world))
    return asked, buttons(slack.told("chat.postMessage")[-1])


async def state_of(world: World, asked: Invocation) -> State:
    return (await current(world.runtime, asked.id)).state


async def replies(world: World, slack: Slack) -> list[str]:
    """Return what people were answered, seen by nobody else."""
    await post(world.runtime.database, slack.channel(world))
    return [one["text"] for one in slack.told("chat.postEphemeral")]


def test_the_signature_is_that_of_the_example_in_the_documentation() -> None:
    assert signature(SECRET, "1531420618", BODY) == (
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    )


NOT_SLACKS: Mapping[str, Callable[[], Signed]] = {
    "secret": lambda: signed(secret="another"),
    "old": lambda: signed(age=301),
    "early": lambda: signed(age=-900),
    "nothing": lambda: Signed(timestamp="", signature="", body=b""),
    "no-number": lambda: Signed(timestamp="1e9", signature=signature(SECRET, "1e9", b""), body=b""),
    "arabic": lambda: Signed(timestamp="\u0661", signature=signature(SECRET, "\u0661", b""), body=b""),
    "not-ascii": lambda: Signed(timestamp=signed().timestamp, signature="v0=\u00e9", body=b""),
}


@pytest.mark.parametrize("given", NOT_SLACKS.values(), ids=NOT_SLACKS)
async def test_what_slack_did_not_sign_in_the_last_five_minutes_is_refused(
    database: Database, given: Callable[[], Signed]
) -> None:
    with pytest.raises(Unauthenticated):
        await admit(database, SECRET, given())


async def test_one_changed_byte_of_the_body_is_refused(database: Database) -> None:
    given = signed(body=b"a=1")

    with pytest.raises(Unauthenticated):
        await admit(database, SECRET, Signed(timestamp=given.timestamp, signature=given.signature, body=b"a=2"))


async def test_a_request_is_taken_once_by_all_processes_together(two: tuple[Database, Database]) -> None:
    given = signed()

    taken = await asyncio.gather(*(admit(database, SECRET, given) for database in (*two, *two)), return_exceptions=True)

    refused = [one for one in taken if one is not None]
    assert [type(one) for one in refused] == [Unauthenticated] * 3
    assert taken.count(None) == 1


async def test_an_approval_in_slack_is_a_vote_on_what_the_message_showed(
    world: World, slack: Slack, sender: Sender
) -> None:
    asked, pressable = await asked_in_slack(world, slack)

    answer = await sender.press("UANN", pressable["Approve"])

    assert (answer.status_code, answer.text) == (200, "")
    assert await state_of(world, asked) is State.APPROVED
    async with world.runtime.database.reading() as tx:
        events = await events_of(tx, asked.id)
    (cast,) = [one for one in events if one.kind == EventKind.VOTE_CAST]
    assert (cast.actor, cast.facts["way"]) == (world.ann.id, "slack")
    assert await replies(world, slack) == ["Your approval is on record."]
    assert "Ann approved it." in text_of(slack.told("chat.update")[-1])


async def test_a_press_that_comes_again_is_refused_and_counts_once(world: World, slack: Slack, sender: Sender) -> None:
    asked, pressable = await asked_in_slack(world, slack)
    at = str(int(time.time()))

    first = await sender.press("UANN", pressable["Approve"], trigger="1.2.3", x_slack_request_timestamp=at)
    second = await sender.press("UANN", pressable["Approve"], trigger="1.2.3", x_slack_request_timestamp=at)

    assert (first.status_code, second.status_code) == (200, 401)
    assert await state_of(world, asked) is State.APPROVED
    assert await replies(world, slack) == ["Your approval is on record."]


async def test_a_press_that_slack_did_not_sign_decides_nothing(world: World, slack: Slack, sender: Sender) -> None:
    asked, pressable = await asked_in_slack(world, slack)

    answer = await sender.press("UANN", pressable["Approve"], x_slack_signature="v0=00")

    assert answer.status_code == 401
    assert await state_of(world, asked) is State.AWAITING_APPROVAL


async def test_whoever_is_not_linked_is_shown_the_page_and_decides_nothing(
    world: World, slack: Slack, sender: Sender
) -> None:
    asked, pressable = await asked_in_slack(world, slack)

    for name in ("Approve", "Reject…"):
        await sender.press("UEVE", pressable[name])

    assert await state_of(world, asked) is State.AWAITING_APPROVAL
    told = await replies(world, slack)
    assert len(told) == 2
    assert all(f"{world.runtime.public_url}/slack" in one for one in told)
    assert slack.told("views.open") == []


async def test_the_same_account_of_another_workspace_is_somebody_else(
    world: World, slack: Slack, sender: Sender
) -> None:
    asked, pressable = await asked_in_slack(world, slack)
    async with world.runtime.database.transaction() as tx:
        code = await offer_code(tx, world.carl, SLACK, authenticated_at=await now(tx))
        elsewhere = Elsewhere(system=SLACK, team=f"{TEAM}X", account="UANN")
        await link(tx, code, elsewhere, world.runtime.authority)

    await sender.press("UANN", pressable["Approve"])

    async with world.runtime.database.reading() as tx:
        events = await events_of(tx, asked.id)
    assert [one.actor for one in events if one.kind == EventKind.VOTE_CAST] == [world.ann.id]


async def test_whoever_is_linked_and_not_asked_decides_nothing(world: World, slack: Slack, sender: Sender) -> None:
    asked, pressable = await asked_in_slack(world, slack)
    await tie(world, world.carl, "UCARL")
    await tie(world, world.rita, "URITA")

    for account in ("UCARL", "URITA"):
        await sender.press(account, pressable["Approve"])

    assert await state_of(world, asked) is State.AWAITING_APPROVAL
    stranger, requester = await replies(world, slack)
    assert "There is no such invocation." in stranger
    assert "You take part in this call yourself" in requester


async def test_a_press_on_an_older_preview_is_refused_as_changed_since(
    world: World, slack: Slack, sender: Sender
) -> None:
    await tie(world, world.ann, "UANN")
    asked = await wish(world)
    await post(world.runtime.database, slack.channel(world))
    button = dict(buttons(slack.told("chat.postMessage")[-1])["Approve"])
    assert asked.question is not None
    button["value"] = button["value"].replace(asked.question.digest, "0" * 64)

    await sender.press("UANN", button)

    assert await state_of(world, asked) is State.AWAITING_APPROVAL
    (told,) = await replies(world, slack)
    assert "This has changed since you looked." in told


async def test_a_rejection_in_slack_asks_why_and_takes_the_reason_along(
    world: World, slack: Slack, sender: Sender
) -> None:
    asked, pressable = await asked_in_slack(world, slack)

    await sender.press("UANN", pressable["Reject…"])
    (opened,) = slack.told("views.open")
    assert await state_of(world, asked) is State.AWAITING_APPROVAL
    empty = await sender.give_reason("UANN", opened["view"], "  ")
    answer = await sender.give_reason("UANN", opened["view"], "too much")

    assert "Say why you reject it" in empty.json()["errors"]["reason"]
    assert (answer.status_code, answer.text) == (200, "")
    standing = await current(world.runtime, asked.id)
    assert standing.state is State.REJECTED
    assert standing.question is not None
    assert [one.reason for one in standing.question.votes] == ["too much"]


async def test_a_form_for_a_reason_that_slack_does_not_open_leads_to_the_page(
    world: World, slack: Slack, sender: Sender
) -> None:
    asked, pressable = await asked_in_slack(world, slack)
    slack.answers = [("200 OK", {"ok": False, "error": "expired_trigger_id"})]

    await sender.press("UANN", pressable["Reject…"])

    (told,) = await replies(world, slack)
    assert f"/approvals/{asked.id}" in told


@pytest.mark.parametrize("asks", ["fresh", "critical"])
async def test_what_is_critical_or_asks_for_a_fresh_login_is_never_decided_in_slack(world: World, asks: str) -> None:
    annotations = '@require("approvers:1") @ttl("PT4H")'
    text = rules(annotations if asks == "critical" else f'{annotations} @fresh("PT10M")')
    if asks == "critical":  # and no login need be fresh
        text = text.replace('@fresh("PT10M")', "")
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_delete")
        assert tool is not None
        if asks == "critical":
            await set_owner_tier(tx, tool.id, Tier.CRITICAL, world.runtime.authority)
        publication = Publication(environment="dev", text=text, by=None)
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)
    asked = await wish(world)
    from_slack = replace(world.ballot(asked, world.ann, Choice.REJECT), way=Way.SLACK)

    with pytest.raises(FreshLoginNeeded, match="on its page only"):
        await vote(from_slack, world.runtime)

    assert await state_of(world, asked) is State.AWAITING_APPROVAL
    assert (await world.vote(asked, world.ann, Choice.REJECT)).state is State.REJECTED


async def test_the_command_links_the_account_that_sends_the_code_once(world: World, sender: Sender) -> None:
    async with world.runtime.database.transaction() as tx:
        code = await offer_code(tx, world.ann, SLACK, authenticated_at=await now(tx))

    assert "not right or too old" in await sender.command("UEVE", "link AAAAA-BBBBB-CCCCC")
    assert "speaks for ann" in await sender.command("UANN", f"link {code.lower()}")
    assert "not right or too old" in await sender.command("UEVE", f"link {code}")
    assert "speaks for nobody" in await sender.command("UANN", "unlink")
    assert "not linked" in await sender.command("UANN", "unlink")
    assert f"{world.runtime.public_url}/slack" in await sender.command("UANN", "help")


async def test_an_account_that_speaks_for_somebody_speaks_for_nobody_else(world: World, sender: Sender) -> None:
    await tie(world, world.ann, "UANN")
    async with world.runtime.database.transaction() as tx:
        code = await offer_code(tx, world.carl, SLACK, authenticated_at=await now(tx))

    assert "linked to somebody else" in await sender.command("UANN", f"link {code}")


async def test_a_code_needs_a_fresh_login_and_is_forgotten_when_a_new_one_is_made(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        at = await now(tx)
        with pytest.raises(FreshLoginNeeded):
            await offer_code(tx, world.ann, SLACK, authenticated_at=at.replace(year=at.year - 1))
        first = await offer_code(tx, world.ann, SLACK, authenticated_at=at)
        await offer_code(tx, world.ann, SLACK, authenticated_at=at)
        with pytest.raises(InputError):
            await link(tx, first, Elsewhere(system=SLACK, team=TEAM, account="UANN"), world.runtime.authority)


@pytest.mark.parametrize("fields", [{"payload": "no"}, {"payload": "[]"}, {}, {"payload": '{"type":"block_actions"}'}])
async def test_what_is_signed_and_makes_no_sense_changes_nothing(sender: Sender, fields: dict[str, str]) -> None:
    answer = await sender.send("/slack/interactions", fields)

    assert answer.status_code in {200, 400}


def test_the_settings_of_slack_come_together_and_the_token_goes_to_slack() -> None:
    with pytest.raises(ValidationError, match="belong together"):
        Settings(slack_token=SecretStr("xoxb-1"))
    with pytest.raises(ValidationError, match="the token travels there"):
        Settings(slack_token=SecretStr("xoxb-1"), slack_signing_secret=SecretStr("s"), slack_api="https://evil.example")
