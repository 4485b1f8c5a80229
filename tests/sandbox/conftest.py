"""A zygote per module, and the attacker confined in a process of it."""

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from upstream.fixtures import Upstream as System

from sandbox.launch import Zygote
from sandbox.upstream import Upstream

sys.path.append(str(Path(__file__).parent))

from sandbox_broker import BEARER, upstream_at  # found only once this folder is on the path
from sandbox_prison import Prisoner, imprison
from sandbox_server import Reply, Server, serving


@pytest.fixture(scope="module")
async def zygote(anyio_backend: str) -> AsyncGenerator[Zygote]:
    del anyio_backend
    async with Zygote().running() as running:
        await running.start()
        yield running


@pytest.fixture(scope="module")
async def prisoner(zygote: Zygote) -> AsyncGenerator[Prisoner]:
    held = await imprison(zygote)
    yield held
    held.host.end()


@pytest.fixture
async def server(anyio_backend: str) -> AsyncGenerator[Server]:
    del anyio_backend
    async with serving(lambda asked: Reply(body={"method": asked.method})) as running:
        yield running


@pytest.fixture
async def way(server: Server) -> AsyncGenerator[Upstream]:
    opened = upstream_at(server.base_url)
    yield opened
    await opened.close()


@pytest.fixture
async def to_items(upstream: System, anyio_backend: str) -> AsyncGenerator[Upstream]:
    del anyio_backend
    opened = upstream_at(upstream.base_url, BEARER, token=upstream.token)
    yield opened
    await opened.close()
