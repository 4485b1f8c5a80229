"""What is written for a call: the indexes that some calls alone stand in are found, and what is not there is NULL."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from statements import heard, plans_of
from world import World

from hub.identity.principals import Caller, Role
from hub.invocations.queries import Wanted, every_invocation
from hub.invocations.states import State
from hub.invocations.tables import NewRow
from hub.invocations.trust import trust_in

pytestmark = pytest.mark.anyio

OF_WHAT_WAS_SENT = {"ix_invocations_trust", "ix_invocations_agent_sent", "ix_invocations_tool_sent"}


async def test_what_is_asked_about_a_write_is_found_in_the_indexes_of_writes(world: World) -> None:
    with heard(world.runtime.database, "invocations") as asked:
        written = await world.call("note_post", {"text": "hello"}, run="r1")
        async with world.runtime.database.reading() as tx:
            await trust_in(tx, written)

    used = set(re.findall(r"ix_invocations_\w+", await plans_of(world.runtime.database, asked)))

    assert "ix_invocations_intent" in used
    assert used & OF_WHAT_WAS_SENT, "of so few rows a planner may take any of them"


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(agent_id="agt_1"), "ix_invocations_(agent|requester)"),
        (Wanted(tool="item_get"), "ix_invocations_tool"),
        (Wanted(states=frozenset({State.IN_DOUBT})), "ix_invocations_state"),
        (Wanted(since=datetime(2026, 1, 1, tzinfo=UTC)), "autoindex_invocations|pk_invocations|invocations_pkey"),
    ],
    ids=("agent", "tool", "state", "since"),
)
async def test_what_auditors_look_for_is_found_in_an_index_and_not_sorted(
    world: World, wanted: Wanted, index: str
) -> None:
    auditor = Caller(actor=replace(world.ann, roles=frozenset({Role.AUDITOR})))
    with heard(world.runtime.database, "invocations") as asked:
        await every_invocation(world.runtime, auditor, wanted=wanted)

    plan = await plans_of(world.runtime.database, asked)

    assert re.search(index, plan), plan
    assert "TEMP B-TREE" not in plan


async def test_a_read_is_in_none_of_them(world: World) -> None:
    database = world.runtime.database
    await world.call("item_get", {"id": 1})
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'invocations'"
    if not database.is_sqlite:
        indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'invocations'"
    async with database.reading() as tx:
        found = {name: str(sql).partition(" WHERE ")[2] for name, sql in await tx.execute(text(indexes))}
        partial = {name: where for name, where in found.items() if where and name != "ix_invocations_kept"}
        rows = [
            name
            for name, where in partial.items()
            if await tx.scalar(text(f"SELECT count(*) FROM invocations WHERE {where}"))  # noqa: S608  # our own words
        ]

    assert len(partial) >= 10
    assert rows == []


async def test_what_a_write_does_not_have_is_null_in_its_record(world: World) -> None:
    written = await world.call("note_post", {"text": "hello"})

    async with world.runtime.database.reading() as tx:
        none = "alarms IS NULL AND output IS NULL AND conflict IS NULL AND run_id IS NULL"
        where = f"SELECT count(*) FROM invocations WHERE id = :id AND {none}"  # noqa: S608  # our own words
        assert await tx.scalar(text(where), {"id": written.id}) == 1


def test_a_row_has_the_columns_of_its_table_and_no_other() -> None:
    with pytest.raises(TypeError, match="no column sates"):
        NewRow(id="inv_1", sates="received")
