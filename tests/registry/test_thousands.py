"""Connectors of thousands of operations: read, digested and registered without holding up anybody else."""

from typing import Final

import pytest
from going_on import longest_wait
from registry_crm import crm, operation
from sqlalchemy import func, select
from statements import counted

from connectors.sdk.spec import ConnectorSpec
from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.core.canonical import digest
from hub.core.errors import InputError
from hub.identity.authority import Authority
from hub.registry import newest_release, register_connector
from hub.registry.digests import release_digest
from hub.registry.stored import read_spec, spec_text
from hub.storage import Database

pytestmark = pytest.mark.anyio

MOST: Final = 1 / 3
"""Of the time that something takes, at a stretch; where it holds the loop, nearly all of it is one stretch."""


def many(count: int) -> ConnectorSpec:
    """Return a connector of so many operations."""
    one = operation()
    return crm(*(one.model_copy(update={"name": f"deal_{number}"}) for number in range(count)))


SPECS: Final = [
    pytest.param(crm().model_copy(update={"operations": ()}), id="none"),
    pytest.param(crm(operation()), id="one"),
    pytest.param(many(3), id="three"),
    pytest.param(many(300), id="hundreds"),
    pytest.param(
        many(300).model_copy(
            update={"description": 'It has ,"operations":[{}] in a text, and é, \u2028 and \U0001f600.'}
        ),
        id="told",
    ),
]


@pytest.mark.parametrize("spec", SPECS)
async def test_what_is_stored_of_a_spec_is_its_json_and_reads_as_the_spec(spec: ConnectorSpec) -> None:
    stored = spec_text(spec)

    assert stored == spec.model_dump_json()
    assert await read_spec(stored) == spec


@pytest.mark.parametrize("spec", SPECS)
def test_the_digest_of_a_release_is_that_of_its_canonical_json(spec: ConnectorSpec) -> None:
    assert release_digest(spec) == digest(spec.model_dump(mode="json"))


async def test_others_go_on_while_thousands_of_operations_are_read() -> None:
    spec, share = await longest_wait(read_spec(spec_text(many(6000))))

    assert len(spec.operations) == 6000
    assert share < MOST


async def test_a_release_is_read_once_while_somebody_holds_it(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        await register_connector(tx, crm(operation()), authority)

    async with database.reading() as tx:
        first = await newest_release(tx, "crm")
    async with database.reading() as tx:
        again = await newest_release(tx, "crm")

    assert again.spec is first.spec


async def test_others_go_on_while_what_cannot_be_registered_is_looked_through(
    database: Database, authority: Authority
) -> None:
    unfit = many(1500).model_copy(update={"operations": (*many(1500).operations, operation(input_schema={}))})

    async def refused() -> None:
        async with database.transaction() as tx:
            with pytest.raises(InputError, match="deal_get: input schema"):
                await register_connector(tx, unfit, authority)

    _, share = await longest_wait(refused())

    assert share < MOST


async def test_what_hundreds_of_operations_need_goes_on_record_in_a_few_statements(
    database: Database, authority: Authority
) -> None:
    with counted(database) as sent:
        async with database.transaction() as tx:
            new = await register_connector(tx, many(300), authority)
        async with database.transaction() as tx:
            await register_connector(tx, crm(), authority)

    async with database.reading() as tx:
        kinds = await tx.execute(select(EventRow.kind, func.count()).group_by(EventRow.kind))
        told = {kind: number for kind, number in kinds}  # noqa: C416  # rows are no pairs to dict()
    assert len(new) == told[EventKind.TOOL_CHANGED] == 300
    assert told[EventKind.TOOL_VERSION_PUBLISHED] == 300 + len(crm().operations)
    assert len(sent) < 100


async def test_others_go_on_while_the_same_is_registered_again(database: Database, authority: Authority) -> None:
    spec = many(2000)
    async with database.transaction() as tx:
        new = await register_connector(tx, spec, authority)

    async def again() -> list[object]:
        async with database.transaction() as tx:
            return list(await register_connector(tx, spec, authority))

    nothing, share = await longest_wait(again())

    assert (len(new), nothing) == (2000, [])
    assert share < MOST
