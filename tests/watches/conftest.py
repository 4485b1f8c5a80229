"""Gives the tests of watches a hub with its door for agents open, and a server that tells of changes."""

import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from doors.agents import app, connect, http, hub
from doors.outside import served
from doors.working_hub import settle
from settled import settled_by
from starlette.applications import Starlette
from upstream.fixtures import running

sys.path.append(str(Path(__file__).parent.parent / "federation"))  # its scripted servers

__all__ = ["app", "connect", "http", "hub"]

sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for `BOTH_ENGINES`."""
    url: str = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return url


@pytest.fixture
async def address(app: Starlette) -> AsyncGenerator[str]:
    """Where the door is, behind a socket."""
    async with served(app) as there:
        yield there


@pytest.fixture(scope="module")
def newsy() -> Iterator[str]:
    with running("upstream.newsy") as (_, port):
        yield f"http://127.0.0.1:{port}/mcp"
