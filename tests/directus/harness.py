"""The harness of Directus: what the contract kit tries on a real one, all it holds, and edits by a colleague."""

import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connectors.sdk.harness import Case, Contents
from directus.installation import DIRECTUS, install
from directus.server import Directus, running_directus


@dataclass(slots=True, kw_only=True)
class DirectusHarness:
    """A running Directus to try the connector on."""

    directus: Directus
    cases: Sequence[Case] = ()
    system: str = f"Directus {DIRECTUS} on SQLite"
    secret: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.secret = {"token": self.directus.token}

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return self.directus.base_url

    async def contents(self) -> Contents:
        """Return every record and every version."""
        return self.directus.contents()

    def edit(self, number: int) -> Callable[[], Awaitable[None]]:
        """Return the edit of a deal by a colleague."""

        async def edited() -> None:
            self.directus.edit(
                "deals", number, amount_minor=int(self.directus.read("deals", number)["amount_minor"]) + 1
            )

        return edited


@asynccontextmanager
async def opened() -> AsyncGenerator[DirectusHarness]:
    """Yield a harness with a fresh Directus and what to try on it."""
    installation = install(Path(".venvs"))
    with tempfile.TemporaryDirectory() as folder, running_directus(installation, Path(folder) / "directus") as directus:
        company = directus.put("companies", name="Acme", city="Oslo")
        deal = directus.put("deals", title="Ten chairs", stage="new", amount_minor=50_000, company=company)
        harness = DirectusHarness(directus=directus)
        harness.cases = [
            Case(operation="find_deals", arguments={"search": "chairs"}),
            Case(operation="get_deal", arguments={"id": deal}),
            Case(operation="update_deal", arguments={"id": deal, "stage": "won"}, edit=harness.edit(deal)),
            Case(operation="create_company", arguments={"name": "Bolt", "city": "Rome"}),
            Case(operation="delete_deal", arguments={"id": deal}),
        ]
        yield harness
