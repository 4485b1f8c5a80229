"""A zygote per module, and the attacker confined in a process of it."""

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from sandbox.launch import Zygote

sys.path.append(str(Path(__file__).parent))

from sandbox_prison import Prisoner, imprison  # found only once this folder is on the path


@pytest.fixture(scope="module")
async def zygote(anyio_backend: str) -> AsyncGenerator[Zygote]:
    del anyio_backend
    async with Zygote().running() as running:
        yield running


@pytest.fixture(scope="module")
async def prisoner(zygote: Zygote) -> AsyncGenerator[Prisoner]:
    held = await imprison(zygote)
    yield held
    held.host.end()
