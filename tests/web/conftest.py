"""Puts this folder's own modules (the gallery, the browser) within reach of its tests, and gives them a hub."""

import sys
from pathlib import Path

import pytest

from hub.invocations.runtime import Runtime
from hub.keys import Keyring
from hub.storage import Database

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def runtime(database: Database, keys: Keyring) -> Runtime:
    """A hub with an empty database."""
    return Runtime(database=database, keys=keys, public_url="http://hub.test")
