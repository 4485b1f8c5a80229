"""The shop: a service of every type and annotation that matters, and a line that keeps what is sent over it."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from odata_shop import SHOP, Line  # found only once this folder is on the path


@pytest.fixture
def line() -> Line:
    """A line to the shop, over which nothing has been sent."""
    return Line(SHOP)
