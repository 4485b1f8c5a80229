"""Fixtures of the tests of metrics."""

import pytest
from doomed import doomed

from metrics.books import books, postgresql_template, sqlite_template

__all__ = ["books", "doomed", "postgresql_template", "sqlite_template"]


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for both: formulas have nothing to do with the engine."""
    url: str = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return url
