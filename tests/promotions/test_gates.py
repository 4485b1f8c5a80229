"""Every gate by itself: what holds it open or shut, and the sentence that says so, from rows alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from upstream.connector import connector
from upstream.later import later

from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.vocabulary import Effect
from hub.identity.authority import Authority
from hub.identity.directory import find
from hub.keys import Keyring
from hub.promotions import Finding, Gate, Likeness, Played, Rehearsal, Stand, Terms
from hub.promotions.gates import findings, missing
from hub.promotions.tables import PromotionRow
from hub.registry import (
    Badge,
    BadgeLine,
    BadgeVerdict,
    Environment,
    Grade,
    Promise,
    Release,
    find_tool,
    keep_badge,
    newest_release,
    proof_digest,
    register_connector,
    versions,
    withdraw_version,
)
from hub.registry.using import put_in_use, take_out_of_use
from hub.storage import Database

pytestmark = pytest.mark.anyio

SPEC: ConnectorSpec = connector.spec.model_copy(update={"version": "1.1.0", "description": "Better described."})
WRITES = [one.name for one in SPEC.operations if one.effect is not Effect.READ]
LIVE = (BadgeVerdict.PASSED, Grade.LIVE)
ELSEWHERE = (BadgeVerdict.PASSED, Grade.ELSEWHERE)
FEDERATED: ConnectorSpec = SPEC.model_copy(update={"version": "1.2.0", "rpc": "mcp"})


@dataclass(frozen=True, kw_only=True)
class Row:
    """A promotion of a release to staging, and who writes its rows."""

    database: Database
    authority: Authority
    release: Release
    former: Release

    async def found(self, gate: Gate, **changes: Any) -> Finding:  # noqa: ANN401  # columns of one row
        """Return how a gate stands if the row of the promotion has these values."""
        columns = {
            "id": "pro_1",
            "connector": "upstream",
            "environment": "staging",
            "release_id": self.release.id,
            "former_release_id": self.former.id,
            "state": "asked",
            "reason": "It is better described.",
            "asked_at": datetime(2026, 11, 1, tzinfo=UTC),
            "findings": [],
        }
        row = PromotionRow(**{**columns, **changes})
        async with self.database.reading() as tx:
            (one,) = await findings(tx, row, Terms(gates=(gate,), deciders="controllers"))
        assert one.gate is gate
        return one

    async def badge(
        self,
        otherwise: Mapping[str, tuple[BadgeVerdict, Grade]],
        *,
        without: Sequence[str] = (),
        spec: ConnectorSpec = SPEC,
    ) -> None:
        """Keep a badge in which each write has passed live, unless it is left out or came out `otherwise`."""
        tried = [name for name in WRITES if name not in without]
        lines = [
            BadgeLine(operation=name, promise=Promise.FENCE, verdict=verdict, grade=grade, reason="Tried.")
            for name in tried
            for verdict, grade in [otherwise.get(name, LIVE)]
        ]
        found = Badge(
            connector=spec.name,
            version=spec.version,
            artefact_digest=spec.artefact_digest,
            system="a system for tests",
            checked_at=datetime(2026, 11, 1, tzinfo=UTC),
            covers={name: proof_digest(spec, spec.operation(name)) for name in tried},
            lines=lines,
        )
        async with self.database.transaction() as tx:
            await keep_badge(tx, found, self.authority)

    def rehearsed(self, *came: Likeness, writes: int = 4) -> Rehearsal:
        """Return what recorded calls came to."""
        played = tuple(Played(invocation_id=f"inv_{n}", tool="item_put", likeness=one) for n, one in enumerate(came))
        return Rehearsal(release_id=self.release.id, former_release_id=self.former.id, writes=writes, played=played)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite: what is asked here has nothing to do with the engine."""
    return sqlite_url


@pytest.fixture
async def row(database: Database, keys: Keyring) -> Row:
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        former = await newest_release(tx, "upstream")
        await register_connector(tx, SPEC, authority)
        release = await newest_release(tx, "upstream")
    return Row(database=database, authority=authority, release=release, former=former)


def test_only_gates_that_do_not_hold_are_missing_and_a_second_person_stands_for_that_gate_alone() -> None:
    holds, opened, person = (
        Finding(gate=gate, stand=stand, reason="Why.")
        for gate, stand in ((Gate.PATH, Stand.HOLDS), (Gate.BADGE, Stand.OPEN), (Gate.PERSON, Stand.OPEN))
    )
    failed = Finding(gate=Gate.PATH, stand=Stand.FAILS, reason="Why.")

    assert missing([holds, opened, person], by_person=False) == [opened, person]
    assert missing([holds, opened, person], by_person=True) == [opened]
    assert missing([failed, holds], by_person=True) == [failed]
    assert missing([holds], by_person=False) == []


async def test_the_way_is_open_where_it_is_in_use_before_and_nothing_was_withdrawn(row: Row) -> None:
    there = await row.found(Gate.PATH)
    elsewhere = await row.found(Gate.PATH, environment="prod")
    async with row.database.transaction() as tx:
        await put_in_use(tx, row.former, Environment.DEV)
    former_in_use = await row.found(Gate.PATH)
    async with row.database.transaction() as tx:
        await take_out_of_use(tx, "upstream", Environment.DEV)
    nothing_in_use = await row.found(Gate.PATH)

    assert (there.stand, there.reason) == (Stand.HOLDS, "It is in use in dev, and nothing of it was withdrawn.")
    assert (elsewhere.stand, elsewhere.reason) == (Stand.FAILS, "It is not in use in staging.")
    assert {former_in_use.reason, nothing_in_use.reason} == {"It is not in use in dev."}


async def test_the_way_is_shut_once_a_version_of_it_was_withdrawn(row: Row) -> None:
    async with row.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_put")
        assert tool is not None
        newest = (await versions(tx, tool.id))[0]
        await withdraw_version(tx, newest.id, "It was wrong.", row.authority)

    found = await row.found(Gate.PATH)

    assert (found.stand, found.reason) == (Stand.FAILS, "1 of its tool versions were withdrawn.")


async def test_a_badge_is_of_exactly_this_release_and_of_every_write_on_the_system_itself(row: Row) -> None:
    async with row.database.transaction() as tx:
        await register_connector(tx, later.spec, row.authority)
        never_tried = await newest_release(tx, "upstream")
    none = await row.found(Gate.BADGE, release_id=never_tried.id)
    await row.badge({}, without=["item_put"])
    one_untried = await row.found(Gate.BADGE)
    await row.badge({"item_put": (BadgeVerdict.PASSED, Grade.RECORDED)})
    one_not_live = await row.found(Gate.BADGE)
    await row.badge({"item_put": (BadgeVerdict.NOT_APPLICABLE, Grade.LIVE)})
    one_not_tried = await row.found(Gate.BADGE)
    await row.badge({"item_put": (BadgeVerdict.FAILED, Grade.LIVE), "note_post": (BadgeVerdict.FAILED, Grade.LIVE)})
    failed = await row.found(Gate.BADGE)
    await row.badge({})
    all_live = await row.found(Gate.BADGE)

    assert (none.stand, none.reason.partition(":")[0]) == (
        Stand.OPEN,
        "The contract kit has not tried exactly this release",
    )
    for one in (one_untried, one_not_live, one_not_tried):
        assert (one.stand, one.reason.partition(":")[0]) == (
            Stand.OPEN,
            "Nothing of item_put has passed on the system itself",
        )
    assert (failed.stand, failed.reason) == (Stand.FAILS, "Lines failed about item_put, note_post.")
    assert (all_live.stand, all_live.reason) == (
        Stand.HOLDS,
        f"{len(WRITES)} lines passed on the system itself, a system for tests, and none failed.",
    )


async def test_a_federated_release_is_tried_through_its_server_and_never_on_the_system_itself(row: Row) -> None:
    async with row.database.transaction() as tx:
        await register_connector(tx, FEDERATED, row.authority)
        release = await newest_release(tx, "upstream")
    await row.badge(dict.fromkeys(WRITES, ELSEWHERE), spec=FEDERATED)
    tried = await row.found(Gate.BADGE, release_id=release.id)
    await row.badge(dict.fromkeys(WRITES, ELSEWHERE), without=["item_put"], spec=FEDERATED)
    one_untried = await row.found(Gate.BADGE, release_id=release.id)
    await row.badge(dict.fromkeys(WRITES, ELSEWHERE))
    own_code = await row.found(Gate.BADGE)

    assert (tried.stand, tried.reason) == (
        Stand.HOLDS,
        f"{len(WRITES)} lines passed through its server, a system for tests, and none failed.",
    )
    missing_one, _, how = one_untried.reason.partition(": ")
    assert (one_untried.stand, missing_one) == (Stand.OPEN, "Nothing of item_put has passed through its server")
    assert how == "`toolhub connector check upstream --on URL --examples FILE --keep`."
    assert own_code.stand is Stand.OPEN


async def test_recorded_calls_come_out_the_same_or_somebody_explains_it(row: Row) -> None:
    same, different, unsure = Likeness.SAME, Likeness.DIFFERENT, Likeness.UNSURE
    async with row.database.reading() as tx:
        ann = await find(tx, "ann")
    assert ann is not None

    async def stands(rehearsal: Rehearsal | None, **more: Any) -> tuple[Stand, str]:  # noqa: ANN401  # columns
        stored = None if rehearsal is None else rehearsal.as_json()
        found = await row.found(Gate.REPLAY, rehearsal=stored, **more)
        return found.stand, found.reason

    mixed = "Of 3 recorded writes 1 come out the same, 1 differ, and of 1 it cannot be told."
    asks = "The connector's owner or an administrator has to explain that."
    nothing = "No write of the release in use is on record to be played with it."
    others = (Stand.OPEN, "Other releases were compared: check the gates again.")

    assert (await stands(None))[1].startswith("Recorded calls have not been played with it yet")
    assert await stands(replace(row.rehearsed(same), release_id="rel_other")) == others
    assert await stands(replace(row.rehearsed(same), former_release_id=None)) == others
    assert await stands(row.rehearsed(writes=0)) == (
        Stand.HOLDS,
        "It offers reads alone; there is no preview to compare.",
    )
    assert await stands(row.rehearsed(same, same)) == (
        Stand.HOLDS,
        "Of 2 recorded writes 2 come out the same, 0 differ, and of 0 it cannot be told.",
    )
    assert await stands(row.rehearsed(same, different, unsure)) == (Stand.OPEN, f"{mixed} {asks}")
    assert await stands(row.rehearsed()) == (Stand.OPEN, f"{nothing} {asks}")
    first = await stands(replace(row.rehearsed(), former_release_id=None), former_release_id=None)
    assert first[0] is Stand.OPEN
    assert first[1].startswith("No release is in use there yet, so there is nothing to compare it with.")
    assert first[1].endswith("has to say why it may be the first.")
    told = row.rehearsed(same, different, unsure)
    assert await stands(told, explanation="So.") == (Stand.HOLDS, f"{mixed} The hub's console has explained it.")
    assert await stands(told, explanation="So.", explained_by=ann.id) == (
        Stand.HOLDS,
        f"{mixed} Ann has explained it.",
    )


async def test_the_second_person_is_always_waited_for_and_named_by_group(row: Row) -> None:
    found = await row.found(Gate.PERSON)

    assert (found.stand, found.reason) == (
        Stand.OPEN,
        "Somebody of controllers decides, who neither asked for it nor explained, wrote or owns it.",
    )
