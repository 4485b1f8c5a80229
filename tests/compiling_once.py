"""Statements are compiled once for all databases of a test process, which takes up to a fifth off what a test takes.

An engine keeps what it has compiled, and the hub has one engine in its life. Tests open thousands, each for a few
hundred statements. So all of one kind get the dialect of the first that was connected, and its cache.
"""

from collections.abc import MutableMapping
from typing import Any, Final

from sqlalchemy import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import LRUCache

from hub.storage import engines

_MOST: Final = 5_000
_SHARED: Final[dict[str, tuple[Dialect, MutableMapping[Any, Any]]]] = {}
"""By the names of dialects."""


def pytest_configure() -> None:
    """Let every engine that the hub makes in this process share what was compiled."""
    made = engines.create_async_engine

    def shared(*args: Any, **settings: Any) -> AsyncEngine:  # noqa: ANN401  # whatever it is given
        return _sharing(made(*args, **settings))

    engines.create_async_engine = shared


def _sharing(engine: AsyncEngine) -> AsyncEngine:
    bare = engine.sync_engine
    dialect, compiled = _SHARED.get(bare.dialect.name, (bare.dialect, LRUCache(_MOST)))
    if dialect.server_version_info is None:  # nobody has connected yet: it does not know what it speaks to
        dialect = bare.dialect
    _SHARED[dialect.name] = (dialect, compiled)
    bare.dialect = bare.pool._dialect = dialect
    bare._compiled_cache = compiled
    return engine
