"""Laboratories of connectors that break their promises, on a test upstream of their own, and how a line is read."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from upstream.fixtures import running_upstream
from upstream.harness import UpstreamHarness

from connectors.sdk.spec import ConnectorSpec
from hub.invocations.proving.kit import check_case
from hub.invocations.proving.laboratory import Laboratory, open_laboratory
from hub.registry import BadgeLine, BadgeVerdict, Promise

Json = Any


@asynccontextmanager
async def laboratory_of(spec: ConnectorSpec, folder: Path) -> AsyncGenerator[Laboratory]:
    """Yield a laboratory of `spec` with a test upstream in `folder`."""
    with running_upstream(folder) as running:
        async with open_laboratory(spec, UpstreamHarness(upstream=running)) as laboratory:
            yield laboratory


def tidied(lab: Laboratory) -> Laboratory:
    """Return the laboratory with nothing in its upstream but item 1, ten pencils."""
    rows = harness_of(lab).upstream.store.rows
    for table in ("item", "ticket", "note", "effect", "answer"):
        rows(f"DELETE FROM {table}")  # noqa: S608  # our own names
    rows("INSERT INTO item VALUES (1, 'pencil', 10, 1)")
    return lab


def harness_of(lab: Laboratory) -> UpstreamHarness:
    """Return the harness, which is that of a test upstream."""
    assert isinstance(lab.harness, UpstreamHarness)
    return lab.harness


def failed(lines: Sequence[BadgeLine]) -> dict[Promise, str]:
    """Return the lines that failed, and what they say."""
    return {line.promise: line.reason for line in lines if line.verdict is BadgeVerdict.FAILED}


async def tried(lab: Laboratory, operation: str, **arguments: Json) -> dict[Promise, str]:
    """Return the lines that fail when `operation` changes item 1, which somebody else can edit."""
    return failed(await check_case(lab, harness_of(lab).write(operation, edits=1, **arguments)))
