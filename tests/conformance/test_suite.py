"""The official conformance suite in both revisions: against the test upstream itself, and through the hub."""

from pathlib import Path

import pytest

from conformance.hub_in_front import InFront
from conformance.suite_runs import NEWER, OLDER, lost, run, table

pytestmark = [pytest.mark.anyio, pytest.mark.more]

BOTH = pytest.mark.parametrize("revision", [OLDER, NEWER])
LEAST = {OLDER: (84, 84), NEWER: (151, 152)}
"""How many checks pass at the protocol's own example server, and of how many."""


@BOTH
async def test_the_upstream_does_what_the_suite_asks_of_a_server(
    everything: str, tmp_path: Path, revision: str
) -> None:
    direct = await run(everything, revision, tmp_path / "direct")

    assert (direct.passed, direct.counted) >= LEAST[revision], direct.failures


@BOTH
async def test_what_passes_directly_passes_through_the_hub(
    everything: str, in_front: InFront, tmp_path: Path, revision: str
) -> None:
    direct = await run(everything, revision, tmp_path / "direct")
    through = await run(in_front.url, revision, tmp_path / "through")

    print(table(direct, through))  # noqa: T201  # the figures are what the run is for
    missed = lost(direct, through)
    assert not missed, "\n".join(f"{scenario}: {check}: {why}" for (scenario, check), why in sorted(missed.items()))
