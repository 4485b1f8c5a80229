"""Gives the tests of this folder a hub with its door for agents open."""

from collections.abc import AsyncGenerator

import pytest
from doors.agents import app, connect, http, hub
from doors.askers import asker
from doors.libraries import library
from doors.outside import served
from doors.working_hub import settle
from settled import settled_by
from starlette.applications import Starlette

__all__ = ["app", "asker", "connect", "http", "hub", "library"]

sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for `BOTH_ENGINES`: most of what a door does has nothing to do with the engine."""
    url: str = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return url


@pytest.fixture
async def address(app: Starlette) -> AsyncGenerator[str]:
    """Where the door is, behind a socket."""
    async with served(app) as there:
        yield there
