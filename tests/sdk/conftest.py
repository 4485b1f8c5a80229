"""A bench with the test connector on the test upstream."""

from collections.abc import AsyncIterator

import pytest
from upstream.connector import connector
from upstream.fixtures import Upstream

from connectors.sdk.workbench import Workbench


@pytest.fixture
async def bench(upstream: Upstream, anyio_backend: str) -> AsyncIterator[Workbench]:
    del anyio_backend
    headers = {"authorization": f"Bearer {upstream.token}"}
    async with Workbench(connector, upstream.base_url, headers=headers) as bench:
        yield bench
