"""The page about proven evidence tells an auditor in words what happened, with names beside the ids that are proven."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from browsing import chromium, overflow, spilled, violations
from playwright.sync_api import Browser
from world import World

from hub.audit import (
    EventKind,
    EventLine,
    EvidenceHeader,
    EvidenceOrder,
    evidence_lines,
    opened_evidence,
    verify_evidence,
)
from hub.bundles import recorded_policy
from hub.invocations.resume import resume
from hub.invocations.states import DONE
from hub.web.event_kinds import event_word
from hub.web.evidence import Lookup, evidence_html, ids_in

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
HOSTILE = "</style><script>window.poisoned = 1</script>\u202egnp.exe " + "x" * 300


def read(html: str) -> str:
    """Return what a reader sees of a page, what is folded away included."""
    return " ".join(re.sub(r"<[^>]+>", " ", html.partition("</style>")[2]).split())


async def evidence_of(world: World, *, with_values: bool) -> tuple[EvidenceHeader, list[EventLine]]:
    """Return proven evidence on a deletion that the agent asked for, Ann approved, and the hub carried out."""
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    assert (await resume(asked.id, world.runtime)).state in DONE
    runtime = world.runtime
    order = EvidenceOrder(subject=asked.id, by=None, policy=recorded_policy, with_values=with_values)
    lines = [line async for line in evidence_lines(runtime.database, runtime.keys, order)]
    report, _ = verify_evidence(lines)
    assert report.is_sound
    return opened_evidence(lines)


@pytest.mark.anyio
async def test_it_says_who_did_what_with_names_beside_the_ids_that_are_proven(world: World) -> None:
    header, events = await evidence_of(world, with_values=True)
    named = {one.id: one.display_name for one in (world.bot, world.rita, world.ann)} | {world.connection_id: "upstream"}
    assert ids_in(events) == {*named}

    page = read(evidence_html(header, events, Lookup(names=named, asked_at=NOW), now=NOW))

    for words in (
        "Done",
        f"Approved by Ann ({world.ann.id})",
        f"Agent Bot ({world.bot.id})",
        f"For Rita ({world.rita.id})",
        f"Connection upstream ({world.connection_id})",
        "What was asked for",
        "What was shown: Removed record items/1",
        "A vote to approve looks right",
        "policy allows sending it",
        "Sent to the system",
        "What came back",
        "looked up in a hub's database on 21 Nov 2026, 14:00 UTC",
        "The checkpoint that signs them",
    ):
        assert words in page, words


@pytest.mark.anyio
async def test_what_the_file_does_not_hold_is_not_told_and_nobody_is_named(world: World) -> None:
    header, events = await evidence_of(world, with_values=False)

    page = read(evidence_html(header, events, Lookup(), now=NOW))

    for words in (f"Approved by {world.ann.id}", "Not in this file: arguments", "no hub was asked"):
        assert words in page, words
    for words in ("What was asked for", "What was shown:", "What came back", "looks right", "Ann", "Rita"):
        assert words not in page, words


def event(kind: str, facts: object, **values: object) -> EventLine:
    """Return an event as a file may hold it, whoever wrote that."""
    body = {"kind": kind, "at": "2026-11-21T13:00:00.000000Z", "facts": facts, "commitments": {}, "actor": HOSTILE}
    opened = {name: {"salt": "", "value": value} for name, value in values.items()}
    line = {"body": body, "position": 1234, "proof": [], "values": opened}
    return EventLine.model_validate_json(json.dumps(line))


ODD = (
    event("no.such.kind", {"state": ["x"]}),
    event("commit.sent", {"outcome": "allowed", "also": 7, "state": "nowhere"}),
    event("commit.sent", {"outcome": "obliged", "action": ["x"], "rule_ids": None}),
    event("invocation.received", ["none"], arguments=[1], claims="none", preview={"changes": 7}, output=None),
    event("vote.cast", {"choice": ["x"], "voter": {"id": 1}}),
    event("commit.resolved", {"has_happened": "perhaps", HOSTILE: HOSTILE}, why=HOSTILE, arguments={HOSTILE: HOSTILE}),
)
ODD_HEADER = EvidenceHeader(checkpoint=HOSTILE, count=len(ODD), keys=(), policies=(), subject=HOSTILE, values="open")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.mark.browser
@pytest.mark.parametrize("mode", [("light", 1280), ("dark", 390)], ids=("light-wide", "dark-narrow"))
def test_whatever_a_file_holds_its_page_is_accessible_loads_nothing_and_runs_nothing(
    browser: Browser, mode: tuple[str, int]
) -> None:
    scheme, width = mode
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.set_content(evidence_html(ODD_HEADER, ODD, Lookup(names={HOSTILE: HOSTILE}, asked_at=NOW), now=NOW))

    assert page.evaluate("window.poisoned") is None
    assert asked == []
    assert "\u202e" not in page.inner_text("body")
    assert violations(page) == ""
    assert overflow(page) == 0
    assert spilled(page) == []
    context.close()


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_of_event_has_words(kind: EventKind) -> None:
    assert event_word(kind).label != kind.value
