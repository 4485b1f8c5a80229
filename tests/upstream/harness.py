"""The harness of the test upstream: all it holds, what it counts, and edits by somebody else, straight in its file."""

import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.sdk.harness import Case, Contents
from upstream.fixtures import Upstream, running_upstream

Json = Any


@dataclass(slots=True, kw_only=True)
class UpstreamHarness:
    """A running test upstream to try a connector on."""

    upstream: Upstream
    cases: Sequence[Case] = ()
    system: str = "the test upstream"
    secret: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.secret = self.secret or {"token": self.upstream.token}

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return self.upstream.base_url

    async def contents(self) -> Contents:
        """Return every record."""
        return {
            f"{table}/{row['id']}": row
            for table in ("item", "ticket", "note")
            for row in self.upstream.store.rows(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608  # our own names
        }

    async def count(self) -> int:
        """Return how many effects there were so far."""
        return len(self.upstream.store.effects())

    def write(self, operation: str, *, edits: int | None = None, **arguments: Json) -> Case:
        """Return the case of a write; `edits` is the item that somebody else can change."""

        async def edit() -> None:
            self.upstream.store.rows("UPDATE item SET quantity = 77, version = version + 1 WHERE id = ?", edits)

        return Case(operation=operation, arguments=arguments, effects=self.count, edit=None if edits is None else edit)


@asynccontextmanager
async def opened() -> AsyncGenerator[UpstreamHarness]:
    """Yield a harness with a fresh test upstream, and the cases of its own connector."""
    with tempfile.TemporaryDirectory() as folder, running_upstream(Path(folder)) as upstream:
        upstream.store.rows("INSERT INTO item VALUES (1, 'pencil', 10, 1)")
        harness = UpstreamHarness(upstream=upstream)
        harness.cases = honest_cases(harness)
        yield harness


@asynccontextmanager
async def opened_briefly() -> AsyncGenerator[UpstreamHarness]:
    """Yield the same with one case."""
    async with opened() as harness:
        harness.cases = [harness.write("item_update", edits=1, id=1, quantity=12)]
        yield harness


def honest_cases(harness: UpstreamHarness) -> list[Case]:
    """Return what the test connector is to be tried with."""
    return [
        Case(operation="item_get", arguments={"id": 1}),
        Case(operation="item_find", arguments={"name": "pen"}),
        harness.write("item_put", id=8, name="eraser", quantity=1),
        harness.write("item_update", edits=1, id=1, quantity=12),
        harness.write("ticket_create", title="The pencil broke"),
        harness.write("note_post", text="Back at noon"),
        harness.write("item_delete", edits=1, id=1),
    ]
