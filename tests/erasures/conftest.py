"""Fixtures of the tests of erasures."""

import pytest
from doomed import doomed

from erasures.office import office, postgresql_template, sqlite_template

__all__ = ["doomed", "office", "postgresql_template", "sqlite_template"]


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for both: most of this has nothing to do with the engine."""
    url: str = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return url
