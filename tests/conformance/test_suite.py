"""The official conformance suite in both revisions: against the test upstream itself, through the hub, and at the hub.

What passes directly passes through the hub, and every check of tasks and of the authorization server at the hub itself.
"""

import socket
from pathlib import Path
from typing import Any

import pytest

from conformance.hub_in_front import InFront, hub_in_front_of
from conformance.persons_browser import allow
from conformance.suite_runs import NEWER, OLDER, listed, lost, run, run_authorization, run_each, table
from hub.storage import Database

Json = Any

pytestmark = [pytest.mark.anyio, pytest.mark.more]

BOTH = pytest.mark.parametrize("revision", [OLDER, NEWER])
LEAST = {OLDER: (84, 84), NEWER: (151, 152)}
"""How many checks pass at the protocol's own example server, and of how many."""
TASKS = (
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-status-notifications",
    "tasks-required-task-error",
    "tasks-mrtr-composition",
)
SKIPPED = {"tasks-status-notifications"}
"""The suite says of it that it waits to be rewritten; our own tests look at that news."""
SOON_SECONDS = 0.4
"""After this a call that is still under way becomes a task; what the scenarios call slow takes a second at least."""


@BOTH
async def test_the_upstream_does_what_the_suite_asks(everything: str, tmp_path: Path, revision: str) -> None:
    direct = await run(everything, revision, tmp_path / "direct")

    assert direct.reaches(*LEAST[revision]), direct.failures


@BOTH
async def test_what_passes_directly_passes_through_the_hub(
    everything: str, in_front: InFront, tmp_path: Path, revision: str
) -> None:
    direct = await run(everything, revision, tmp_path / "direct")
    through = await run(in_front.url, revision, tmp_path / "through")

    print(table(direct, through))  # noqa: T201  # the figures are what the run is for
    missed = lost(direct, through)
    assert not missed, "\n".join(f"{scenario}: {check}: {why}" for (scenario, check), why in sorted(missed.items()))
    assert through.scenarios == direct.scenarios
    assert direct.reaches(*LEAST[revision]), direct.failures
    assert through.reaches(*LEAST[revision]), through.failures


async def test_tasks_are_those_of_the_extension(everything: str, database: Database, tmp_path: Path) -> None:
    async with hub_in_front_of(everything, database, tmp_path, answer_seconds=SOON_SECONDS) as hub:
        found = await run_each(hub.tasks_url, TASKS, tmp_path / "tasks")

    print(listed(found))  # noqa: T201  # see above
    assert not found.failures
    assert found.scenarios == set(TASKS)
    assert found.skipped == SKIPPED


async def test_the_authorization_server_is_one(in_front: InFront, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ("--client-id", in_front.app_id, "--resource", in_front.url, "--port", str(port))

    found = await run_authorization(in_front.address, lambda url: allow(url, "rita"), tmp_path / "as", *options)

    print(listed(found))  # noqa: T201  # see above
    assert {one.status for one in found.checks.values()} == {"SUCCESS"}, listed(found)
    assert found.scenarios == {
        "authorization-server-metadata-endpoint",
        "authorization-code-grant",
    }
