"""A server that records raw bytes."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from openapi_recorder import Recorder, recording  # found only once this folder is on the path


@pytest.fixture
async def recorder(anyio_backend: str) -> AsyncIterator[Recorder]:
    del anyio_backend
    async with recording() as recorder:
        yield recorder
