"""Standing grants on record: whose list holds which."""

from dataclasses import replace

import pytest

from hub.standing import NewStandingGrant, grants_of, put_grant
from hub.storage import Database
from standing.test_covering import GRANT

pytestmark = pytest.mark.anyio

NEW = NewStandingGrant(**{name: getattr(GRANT, name) for name in NewStandingGrant.__dataclass_fields__})


async def given(database: Database, group: str, giver_id: str = "usr_other") -> str:
    async with database.transaction() as tx:
        new = replace(NEW, asked=replace(GRANT.asked, group=group), giver_id=giver_id)
        return (await put_grant(tx, new)).id


async def newest(database: Database, *groups: str, limit: int) -> list[str]:
    async with database.reading() as tx:
        found = await grants_of(tx, giver_id="usr_ann", groups=frozenset(groups), limit=limit)
    return [one.id for one in found]


async def test_what_was_given_for_other_groups_takes_no_place_in_a_list(database: Database) -> None:
    either = await given(database, "finance|sales")
    both = await given(database, "board&finance")
    own = await given(database, "legal", "usr_ann")
    for group in ("legal|sales", "finance&legal", "legal", "board&sales"):
        await given(database, group)

    assert await newest(database, "finance", limit=2) == [own, either]
    assert await newest(database, "finance", "board", limit=3) == [own, both, either]
    assert await newest(database, limit=1) == [own]
