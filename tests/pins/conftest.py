"""Gives the tests of pins a hub with its door for agents open."""

import sys
from pathlib import Path

import pytest
from doors.agents import app, connect, http, hub
from doors.working_hub import settle
from settled import settled_by

__all__ = ["app", "connect", "http", "hub"]

sys.path.insert(0, str(Path(__file__).parent))

sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for `BOTH_ENGINES`."""
    url: str = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return url
