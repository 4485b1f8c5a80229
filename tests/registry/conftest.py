"""Puts this folder's own connector within reach of its tests, and says who changes the registry."""

import sys
from pathlib import Path

import pytest

from hub.identity.authority import Authority
from hub.keys import Keyring
from hub.storage import Database

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def authority(database: Database, keys: Keyring) -> Authority:
    """The hub itself."""
    return Authority(database=database, keys=keys)
