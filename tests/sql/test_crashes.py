"""A process that dies (kill -9) around the commit of an SQL write, and reads that run as a role that cannot write."""

import asyncio

import pytest
from doomed import KILLED, Doomed
from sql_desk import Desk, spec_of
from sql_settling import settled

from hub.execution import Failed, Succeeded
from hub.invocations.states import State

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("shop", ["postgresql"], indirect=True)]


@pytest.mark.parametrize(("when", "number"), [("after", 3), ("before", 5), ("after", 5)])
async def test_a_process_killed_around_the_commit_never_writes_twice(
    desk: Desk, doomed: Doomed, when: str, number: int
) -> None:
    asked = await desk.call("credit_raise", by=10, below=250)
    await desk.vote(asked)

    process = doomed.start(desk.runtime.database, when, number, "resume", asked.id)
    end = await asyncio.to_thread(doomed.end_of, process)  # the shop's wire is in this thread

    assert end == KILLED
    assert await settled(desk, asked.id) is State.VERIFIED
    assert await desk.shop.rows("SELECT credit_minor FROM customer WHERE id < 3 ORDER BY id") == [(110,), (210,)]


async def test_reads_run_as_the_role_that_the_manifest_names(desk: Desk) -> None:
    role = f"reader_{desk.shop.database}"
    await desk.shop.script(f"CREATE ROLE {role}; GRANT SELECT ON note TO {role}")
    spec = await spec_of(desk.shop, desk.shop.manifest.replace("limits:", f"read_role: {role}\nlimits:"))

    allowed = await desk.read("note_get", spec, code="n1")
    refused = await desk.read("customer_get", spec, id=1)
    await desk.shop.script(f"DROP OWNED BY {role}; DROP ROLE {role}")

    assert isinstance(allowed, Succeeded), allowed
    assert isinstance(refused, Failed)
    assert "42501" in refused.message
