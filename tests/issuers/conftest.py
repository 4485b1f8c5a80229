"""Gives the tests of this folder an issuer, and a link to it."""

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from issuing import Issuing, issuing  # found only once this folder is on the path


@pytest.fixture
async def issuer() -> AsyncGenerator[Issuing]:
    """An external issuer, served."""
    async with issuing() as served:
        yield served
