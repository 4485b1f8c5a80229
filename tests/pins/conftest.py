"""Gives the tests of pins a hub with its door for agents open."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from doors.agents import app, connect, http, hub
from doors.working_hub import WorkingHub, settle
from pins.noted import Notes, connected
from settled import settled_by

__all__ = ["app", "connect", "http", "hub"]

sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for `BOTH_ENGINES`."""
    url: str = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return url


@pytest.fixture
async def notes(hub: WorkingHub, tmp_path: Path) -> AsyncGenerator[Notes]:
    async with connected(hub, tmp_path / "tools.json") as made:
        yield made
