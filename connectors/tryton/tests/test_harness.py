"""The contract kit on a real Tryton: the harness has a case for every tool, sees everything, and no line fails."""

from contextlib import closing
from dataclasses import replace

import pytest

from connectors.tryton import connector
from connectors.tryton_server import Person, TrytonServer
from connectors.tryton_server.contents import Watch, everything
from connectors.tryton_server.harness import TrytonHarness, every_case, opened
from connectors.tryton_server.office import Office
from hub.invocations.proving.session import check_live
from hub.registry import BadgeVerdict

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]


@pytest.fixture
def harness(tryton: TrytonServer, office: Office) -> TrytonHarness:
    return TrytonHarness(server=tryton, office=office)


def test_every_tool_has_a_case(harness: TrytonHarness) -> None:
    assert {case.operation for case in every_case(harness)} == {one.name for one in connector.spec.operations}


async def test_the_contents_show_a_colleagues_edit_and_nothing_beside_it(
    harness: TrytonHarness, office: Office, clerk: Person
) -> None:
    party = office.customer()
    before = await harness.contents()

    clerk.write("party.party", party, name="Umber & Sons")
    after = await harness.contents()

    assert {record for record in after if after[record] != before.get(record)} == {f"party.party/{party}"}


def test_a_watch_sees_every_edit_at_once_and_looks_at_nothing_twice(
    tryton: TrytonServer, office: Office, clerk: Person
) -> None:
    party = office.customer()
    with closing(Watch(tryton.database_file)) as watch:
        first = watch.everything()
        again = watch.everything()
        clerk.write("party.party", party, name="Umber & Sons")
        edited = watch.everything()
        whole = everything(tryton.database_file)

    assert again == first
    assert all(again[record] is first[record] for record in first)
    assert {record for record in edited if edited[record] != first.get(record)} == {f"party.party/{party}"}
    assert edited == whole


async def test_signing_in_and_reading_are_not_seen(harness: TrytonHarness, tryton: TrytonServer) -> None:
    before = await harness.contents()

    newcomer = tryton.person("clerk")
    newcomer.read("party.party", 3, "name")
    newcomer.close()

    assert await harness.contents() == before


def part_of(operation: str) -> str:
    """Return on what an operation works; the kit takes minutes, and the parts can be checked beside each other."""
    what = operation.partition("_")[0]
    return what if what in {"party", "sale"} else "other"


@pytest.mark.more
@pytest.mark.parametrize("part", ["party", "sale", "other"])
async def test_no_line_of_the_kit_fails(part: str) -> None:
    declared = {one.name for one in connector.spec.operations if part_of(one.name) == part}
    async with opened() as opened_harness:
        cases = [case for case in opened_harness.cases if case.operation in declared]
        badge = await check_live(connector.spec, replace(opened_harness, cases=cases))

    lines = [line for line in badge.lines if line.operation in declared]
    assert [line for line in lines if line.verdict is BadgeVerdict.FAILED] == []
    assert {line.operation for line in lines} == declared
