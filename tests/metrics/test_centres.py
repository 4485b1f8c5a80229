"""Cost centres: costs go where they are assigned from then on, and what went somewhere stays there."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from hub.audit import events_of
from hub.core.errors import Conflict, Forbidden, InputError, NotFound
from hub.metrics import (
    Assignment,
    Bearer,
    By,
    Centre,
    Change,
    NewCentre,
    Wish,
    assign,
    assignments_to,
    centre,
    centres,
    change_centre,
    close_centre,
    open_centre,
)
from hub.metrics.tables import AssignmentRow
from metrics.books import Books, named, roll_up, told

pytestmark = pytest.mark.anyio


async def opened(books: Books, code: str = "4711", owner: str = "carl", by: str = "adam") -> Centre:
    new = NewCentre(code=code, title=f"Centre {code}", owner=owner)
    async with books.database.transaction() as tx:
        return await open_centre(tx, new, books.people[by], books.authority(by))


async def assigned(  # noqa: PLR0913  # the words of one sentence
    books: Books,
    kind: Bearer,
    subject: str,
    to: Centre | None,
    *,
    by: str = "adam",
    valid_from: datetime | None = None,
) -> Assignment:
    wish = Wish(kind=kind, subject=subject, centre_id=to.id if to else None, valid_from=valid_from)
    async with books.database.transaction() as tx:
        return await assign(tx, wish, books.people[by], books.authority(by))


async def costs(books: Books) -> dict[str, float | None]:
    """Return what went to each cost centre, in credits."""
    lines = named(await books.ask(by=By.COST_CENTRE))
    return {key: told(line["cost credits"])[0] for key, line in lines.items() if "cost credits" in line}


async def test_costs_go_to_the_centre_of_the_agent_from_then_on(books: Books) -> None:
    sales = await opened(books)
    await books.call("item_get", {"id": 1})
    await assigned(books, Bearer.AGENT, books.world.bot.id, sales)
    for _ in range(2):
        await books.call("item_get", {"id": 1})

    assert await costs(books) == {"": 3, sales.id: 6}


async def test_a_later_assignment_moves_nothing_that_was_counted(books: Books) -> None:
    sales, rest = await opened(books, "1"), await opened(books, "2")
    done = await assigned(books, Bearer.AGENT, books.world.bot.id, sales)
    read = await books.call("item_get", {"id": 1})
    day = await books.days_ago(3, read)
    async with books.database.transaction() as tx:
        earlier = done.valid_from - timedelta(days=5)
        await tx.execute(update(AssignmentRow).where(AssignmentRow.id == done.id).values(valid_from=earlier))
    await roll_up(books)
    await assigned(books, Bearer.AGENT, books.world.bot.id, rest)
    await books.call("item_get", {"id": 1})

    assert await costs(books) == {sales.id: 3, rest.id: 3}
    async with books.database.reading() as tx:
        (stretch,) = await assignments_to(tx, sales.id)
    assert stretch.valid_until is not None
    assert stretch.valid_until.date() > day


async def test_of_agent_user_and_server_the_first_that_is_assigned_decides(books: Books) -> None:
    of_agent, of_user, of_server = [await opened(books, code) for code in ("a", "u", "s")]
    rita, bot = books.people["rita"].id, books.world.bot.id

    found = list[str]()
    for kind, subject, to in (
        (Bearer.SERVER, "everything-dev", of_server),
        (Bearer.USER, rita, of_user),
        (Bearer.AGENT, bot, of_agent),
        (Bearer.AGENT, bot, None),
    ):
        before = await costs(books)
        await assigned(books, kind, subject, to)
        await books.call("item_get", {"id": 1})
        after = await costs(books)
        found += [key for key in after if after[key] != before.get(key)]

    assert found == [of_server.id, of_user.id, of_agent.id, of_user.id]


async def test_nothing_is_assigned_to_the_past(books: Books) -> None:
    sales, before = await opened(books), await books.now() - timedelta(seconds=1)

    with pytest.raises(InputError, match="Past costs stay"):
        await assigned(books, Bearer.AGENT, books.world.bot.id, sales, valid_from=before)


async def test_what_is_to_begin_later_has_not_begun(books: Books) -> None:
    sales, later = await opened(books), await books.now() + timedelta(days=1)
    await assigned(books, Bearer.AGENT, books.world.bot.id, sales, valid_from=later)
    await books.call("item_get", {"id": 1})

    assert await costs(books) == {"": 3}


@pytest.mark.parametrize("by", ["olga", "aud", "mo", "carl"])
async def test_only_administrators_open_change_and_close(books: Books, by: str) -> None:
    sales, person = await opened(books), books.people[by]

    with pytest.raises(Forbidden):
        await opened(books, "other", by=by)
    async with books.database.transaction() as tx:
        with pytest.raises(Forbidden):
            await change_centre(tx, sales.id, Change(title="Mine"), person, books.authority(by))
        with pytest.raises(Forbidden):
            await close_centre(tx, sales.id, person, books.authority(by))


async def test_who_answers_for_a_centre_takes_in_what_is_free_and_lets_it_go(books: Books) -> None:
    sales, other = await opened(books, "1"), await opened(books, "2")
    bot = books.world.bot.id

    await assigned(books, Bearer.AGENT, bot, sales, by="carl")
    await assigned(books, Bearer.AGENT, bot, other, by="carl")
    await assigned(books, Bearer.AGENT, bot, None, by="carl")

    async with books.database.reading() as tx:
        assert len(await assignments_to(tx, sales.id)) == 1


async def test_nobody_takes_costs_from_the_centre_of_somebody_else(books: Books) -> None:
    mine, theirs = await opened(books, "1", owner="carl"), await opened(books, "2", owner="ann")
    bot, later = books.world.bot.id, await books.now() + timedelta(days=1)
    await assigned(books, Bearer.AGENT, bot, theirs, valid_from=later)

    async def refusal(subject: str) -> str:
        with pytest.raises(NotFound) as refused:
            await assigned(books, Bearer.AGENT, subject, mine, by="carl")
        return refused.value.message.replace(subject, "...")

    assert await refusal(bot) == await refusal("agt_that_never_was")
    with pytest.raises(NotFound):
        await assigned(books, Bearer.AGENT, books.world.bot.id, theirs, by="carl")
    with pytest.raises(Forbidden):
        await assigned(books, Bearer.AGENT, bot, None, by="mo")


async def test_what_does_not_exist_is_not_assigned(books: Books) -> None:
    sales = await opened(books)

    for kind, subject in (
        (Bearer.AGENT, books.people["rita"].id),
        (Bearer.USER, books.world.bot.id),
        (Bearer.SERVER, "no-such-server"),
        (Bearer.SERVER, "no\x00thing"),
    ):
        with pytest.raises(NotFound):
            await assigned(books, kind, subject, sales)


async def test_a_centre_is_closed_once_nothing_goes_there_and_its_code_is_never_used_again(books: Books) -> None:
    sales, bot = await opened(books), books.world.bot.id
    await assigned(books, Bearer.AGENT, bot, sales)

    async def close() -> None:
        async with books.database.transaction() as tx:
            await close_centre(tx, sales.id, books.people["adam"], books.authority("adam"))

    with pytest.raises(Conflict, match=bot):
        await close()
    await assigned(books, Bearer.AGENT, bot, None)
    await close()
    with pytest.raises(Conflict, match="closed"):
        await assigned(books, Bearer.AGENT, bot, sales)
    with pytest.raises(Conflict, match="closed"):
        await close()
    with pytest.raises(Conflict, match="already"):
        await opened(books)


async def test_a_centre_is_seen_by_those_who_answer_for_it_and_those_who_see_every_number(books: Books) -> None:
    sales = await opened(books, owner="carl")

    async with books.database.reading() as tx:
        seen = {name for name in books.people if await centres(tx, books.people[name])}
        with pytest.raises(NotFound) as hidden:
            await centre(tx, sales.id, books.people["mo"])
        with pytest.raises(NotFound) as unknown:
            await centre(tx, "cc_nothing", books.people["mo"])

    assert seen == {"adam", "olga", "aud", "carl"}
    assert hidden.value.message == unknown.value.message


async def test_every_change_is_on_record(books: Books) -> None:
    sales, bot = await opened(books), books.world.bot.id
    await assigned(books, Bearer.AGENT, bot, sales)
    async with books.database.transaction() as tx:
        change = Change(title="Sales abroad", owner="ann")
        changed = await change_centre(tx, sales.id, change, books.people["adam"], books.authority("adam"))
        await assign(
            tx, Wish(kind=Bearer.AGENT, subject=bot, centre_id=None), books.people["adam"], books.authority("adam")
        )
        await close_centre(tx, sales.id, books.people["adam"], books.authority("adam"))

    async with books.database.reading() as tx:
        kinds = [one.kind.value for one in await events_of(tx, sales.id)]
        to_bot = [(one.kind.value, one.actor) for one in await events_of(tx, bot)][-2:]

    assert (changed.title, changed.owner_id) == ("Sales abroad", books.people["ann"].id)
    assert kinds == ["centre.opened", "centre.changed", "centre.closed"]
    assert to_bot == [("costs.assigned", books.people["adam"].id)] * 2


@pytest.mark.parametrize(("code", "title"), [("", "x"), ("a b", "x"), ("x" * 33, "x"), ("ok", " "), ("ok", "x" * 121)])
async def test_a_centre_has_a_code_and_a_title(books: Books, code: str, title: str) -> None:
    new = NewCentre(code=code, title=title, owner="carl")
    async with books.database.transaction() as tx:
        with pytest.raises(InputError):
            await open_centre(tx, new, books.people["adam"], books.authority("adam"))
