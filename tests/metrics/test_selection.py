"""Who sees which numbers: operators and auditors all, owners their tools, everybody the calls they decided on."""

from datetime import date, timedelta
from typing import Any

import pytest

from hub.approvals import Choice
from hub.core.errors import Forbidden, InputError, NotFound
from hub.metrics import By, Of, Selection, allow
from metrics.books import Books, named, roll_up, shares, told

pytestmark = pytest.mark.anyio


async def three_decisions(books: Books, days_ago: int = 0) -> None:
    """Ann approves a write of item_put, bob rejects one; ann approves a deletion, with owen's tool."""
    first = await books.approved(await books.asked(7))
    second = await books.world.vote(await books.asked(8), books.people["bob"], Choice.REJECT)
    third = await books.approved(await books.call("item_delete", {"id": 1}))
    if days_ago:
        await books.days_ago(days_ago, first, second, third)
        await roll_up(books)


@pytest.mark.parametrize("days_ago", [0, 4], ids=["live", "rolled up"])
async def test_everybody_sees_as_much_as_they_may(books: Books, days_ago: int) -> None:
    await three_decisions(books, days_ago)

    seen = {
        name: (found.allowed.of, shares(named(found)[""])["approval_frequency"])
        for name in ("olga", "aud", "owen", "ann", "bob", "mo", "adam")
        for found in [await books.ask(name)]
    }

    assert seen == {
        "olga": (Of.ALL, (3, 3)),
        "aud": (Of.ALL, (3, 3)),
        "owen": (Of.TOOLS, (1, 1)),
        "ann": (Of.DECISIONS, (2, 2)),
        "bob": (Of.DECISIONS, (1, 1)),
        "mo": (Of.DECISIONS, (0, 0)),
        "adam": (Of.DECISIONS, (0, 0)),
    }


@pytest.mark.parametrize("name", ["owen", "ann", "mo", "adam"])
async def test_nobody_else_sees_the_numbers_of_everybody(books: Books, name: str) -> None:
    with pytest.raises(Forbidden, match="operators and auditors"):
        await books.ask(name, of=Of.ALL)


@pytest.mark.parametrize(("name", "of"), [("olga", Of.ALL), ("owen", Of.TOOLS)])
async def test_only_auditors_see_approver_by_approver(books: Books, name: str, of: Of) -> None:
    with pytest.raises(Forbidden, match="auditors"):
        await books.ask(name, of=of, by=By.APPROVER)


async def test_an_auditor_sees_who_decides_how_fast(books: Books) -> None:
    await three_decisions(books)

    lines = named(await books.ask("aud", by=By.APPROVER))

    votes = {key: shares(line)["too_fast_to_read"][1] for key, line in lines.items()}
    assert votes == {books.people["ann"].id: 2, books.people["bob"].id: 1}


async def test_to_an_owner_the_tool_of_somebody_else_is_no_tool(books: Books) -> None:
    await three_decisions(books)

    async def refusal(tool_id: str) -> str:
        with pytest.raises(NotFound) as refused:
            await books.ask("owen", only={"tool_id": tool_id})
        return refused.value.message

    assert await refusal(books.tools["item_put"]) == await refusal("tool_that_never_was")
    assert shares(await books.numbers("owen", only={"tool_id": books.tools["item_delete"]}))["edit_rate"] == (0, 1)


async def test_an_owner_learns_nothing_of_calls_of_other_tools_by_whatever_they_are_told_apart(books: Books) -> None:
    await three_decisions(books)

    for by in (By.AGENT, By.TOOL, By.ENVIRONMENT, By.DAY, By.COST_CENTRE, By.GROUP):
        lines = named(await books.ask("owen", by=by))
        assert [shares(line)["approval_frequency"] for line in lines.values()] == [(1, 1)], by


async def test_whose_decisions_they_are_cannot_be_chosen(books: Books) -> None:
    for only, by in (({"group": "approvers"}, By.NOTHING), ({}, By.GROUP), ({}, By.APPROVER)):
        with pytest.raises(InputError, match="own decisions"):
            await books.ask("ann", by=by, only=only)


async def test_the_numbers_of_a_group_are_those_of_the_calls_that_it_was_asked_about(books: Books) -> None:
    await three_decisions(books)
    await books.call("item_update", {"id": 2, "quantity": 1})  # by policy, or refused: nobody was asked

    assert shares(await books.numbers(only={"group": "approvers"}))["approval_frequency"] == (3, 3)
    assert shares(await books.numbers(only={"group": "controllers"}))["approval_frequency"] == (0, 0)
    assert set(named(await books.ask(by=By.GROUP))) == {"approvers"}


async def test_agents_tools_environments_and_days_can_be_told_apart_and_chosen(books: Books) -> None:
    await three_decisions(books)
    bot, today = books.world.bot.id, (await books.now()).date().isoformat()

    keys = {by: set(named(await books.ask(by=by))) for by in (By.AGENT, By.TOOL, By.ENVIRONMENT, By.DAY)}

    assert keys == {
        By.AGENT: {bot},
        By.TOOL: {books.tools["item_put"], books.tools["item_delete"]},
        By.ENVIRONMENT: {"dev"},
        By.DAY: {today},
    }
    for only, many in (
        ({"agent_id": bot}, 3),
        ({"agent_id": "agt_nobody"}, 0),
        ({"tool_id": books.tools["item_put"]}, 2),
        ({"environment": "prod"}, 0),
        ({"centre_id": "unassigned"}, 3),
        ({"centre_id": "cc_nothing"}, 0),
    ):
        assert told((await books.numbers(only=only))["approval_frequency"])[1] == many, only


@pytest.mark.parametrize(
    "changes",
    [
        {"last": date(2026, 10, 31)},
        {"last": date(2026, 11, 1) + timedelta(days=731)},
        {"group": "approvers", "by": By.APPROVER},
    ],
    ids=["backwards", "too long", "a group and its approvers"],
)
async def test_what_contradicts_itself_is_said(books: Books, changes: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"first": date(2026, 11, 1), "last": date(2026, 11, 21)}
    wanted = Selection(**(usual | changes))

    async with books.database.reading() as tx:
        with pytest.raises(InputError):
            await allow(tx, books.people["aud"], wanted, None)
