"""Engines: how the hub connects to SQLite and to PostgreSQL."""

from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hub.storage import sqlite


def sqlite_engine(url: URL, busy_seconds: float) -> AsyncEngine:
    """Return an engine whose statements run in the threads of their connections."""
    engine = create_async_engine(
        url,
        connect_args={"timeout": busy_seconds, "async_creator_fn": sqlite.connect},
        pool_use_lifo=True,  # the connection used last still has the pages in memory that the next statement needs
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("hub_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def postgresql_engine(url: URL, pool_size: int) -> AsyncEngine:
    """Return an engine that looks whether a connection still lives before it is used."""
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_timeout=10,
        hide_parameters=True,  # an error is logged, and what was to be stored may be private
    )
