"""Who sees which numbers: operators and auditors all, owners their tools, everybody the calls they decided on."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from world import PASSWORD

from hub.approvals import Choice
from hub.core.errors import Forbidden, InputError, NotFound
from hub.identity.accounts import NewUser, create_user
from hub.invocations.tables import InvocationRow
from hub.metrics import (
    Bearer,
    By,
    NewCentre,
    Of,
    Selection,
    Wish,
    allow,
    answer,
    assign,
    latest,
    open_centre,
    recompute,
)
from hub.metrics.counting import count
from hub.metrics.definitions import FEW, Count
from hub.metrics.values import Tally, Window
from hub.registry import set_tool_owner
from hub.storage import Tx
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


async def voted(books: Books, people: int) -> None:
    """Let so many different people approve a write of item_put each, which is owen's now."""
    async with books.database.transaction() as tx:
        await set_tool_owner(tx, books.tools["item_put"], books.people["owen"].id, books.world.runtime.authority)
    for number in range(1, people + 1):
        name = f"ada{number}"
        async with books.database.transaction() as tx:
            new = NewUser(name=name, display_name=name, password=PASSWORD, groups=frozenset({"approvers"}))
            person = await create_user(tx, new, books.world.runtime.authority)
        await books.world.vote(await books.asked(number), person)


@pytest.mark.parametrize("days_ago", [0, 4], ids=["live", "rolled up"])
async def test_an_owner_is_told_of_votes_only_where_many_have_voted(books: Books, days_ago: int) -> None:
    await voted(books, FEW - 1)
    seen = list[tuple[int | None, int] | None]()
    for number in (FEW, FEW + 1):
        if days_ago:
            async with books.database.transaction() as tx:
                at = await books.now() - timedelta(days=days_ago)
                await tx.execute(update(InvocationRow).values(created_at=at, updated_at=at))
            await recompute(books.database, at.date())
        seen.append(shares(await books.numbers("owen")).get("too_fast_to_read"))
        if number == FEW:
            await books.approved(await books.asked(number))

    told_apart = named(await books.ask("owen", by=By.GROUP))["approvers"]
    of_group = await books.numbers("owen", only={"group": "approvers"})
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[1][1] == FEW
    assert "too_fast_to_read" not in {**told_apart, **of_group}
    assert shares(await books.numbers("aud", only={"group": "approvers"}))["too_fast_to_read"][1] == FEW


async def test_whoever_may_see_little_does_not_make_the_hub_count_the_rest(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    await three_decisions(books)
    await books.refused("item_put", {"nonsense": 1})
    counted = list[Tally]()

    async def noting(tx: Tx, window: Window) -> Tally:
        counted.append(await count(tx, window))
        return counted[-1]

    monkeypatch.setattr("hub.metrics.answers.count", noting)
    seen = dict[str, int]()
    for name in ("mo", "bob", "ann", "aud"):
        counted.clear()
        await books.ask(name)
        seen[name] = sum(
            n for one in counted for (place, entry), n in one.items() if (place.decider, entry.count) == ("", "calls")
        )
    counted.clear()
    await books.ask("owen")

    assert seen == {"mo": 0, "bob": 1, "ann": 2, "aud": 4}
    assert "item_put" not in {
        name
        for name, tool in books.tools.items()
        for one in counted
        for place, entry in one
        if place.tool_id == tool and entry.count is Count.SETTLED
    }


async def test_a_cost_centre_whose_page_is_not_theirs_has_no_name_for_them_and_cannot_be_chosen(books: Books) -> None:
    async with books.database.transaction() as tx:
        authority = books.authority("adam")
        for code, owner in (("4711", "aud"), ("4712", "owen")):
            new = NewCentre(code=code, title="Merger", owner=owner)
            opened = await open_centre(tx, new, books.people["adam"], authority)
            if owner == "aud":
                hidden = opened.id
                wish = Wish(kind=Bearer.AGENT, subject=books.world.bot.id, centre_id=hidden)
                await assign(tx, wish, books.people["adam"], authority)
            else:
                own = opened.id
    await three_decisions(books)

    labels = {name: [one.label for one in (await books.ask(name, by=By.COST_CENTRE)).lines] for name in ("owen", "aud")}
    refusals = list[str]()
    for centre_id in (hidden, "cc_nothing"):
        with pytest.raises(NotFound) as refused:
            await books.ask("owen", only={"centre_id": centre_id})
        refusals.append(refused.value.message)

    assert labels == {"owen": [hidden], "aud": ["4711 Merger"]}
    assert refusals == ["There is no such cost centre."] * 2
    assert (await books.ask("owen", only={"centre_id": own})).lines
    assert (await books.ask("owen", only={"centre_id": "unassigned"})).lines


@pytest.mark.parametrize(
    ("first", "last"), [(None, date.min), (date(9999, 12, 1), date.max)], ids=["the first day", "the last day"]
)
async def test_at_the_ends_of_the_calendar_there_is_no_data(books: Books, first: date | None, last: date) -> None:
    wanted = latest(last) if first is None else Selection(first=first, last=last)

    async with books.database.reading() as tx:
        (line,) = (await answer(tx, await allow(tx, books.people["aud"], wanted, None))).lines

    assert {one.value for one in line.measured} == {None}


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
