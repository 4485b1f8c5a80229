"""Watches: which federated servers one process listens to for all, and which of their resources somebody waits for."""

from hub.watches.keeping import (
    NEWS,
    WANTED,
    Watch,
    drop_streams,
    forget_watches,
    take_streams,
    tell_updated,
    want,
    wanted,
)

__all__ = [
    "NEWS",
    "WANTED",
    "Watch",
    "drop_streams",
    "forget_watches",
    "take_streams",
    "tell_updated",
    "want",
    "wanted",
]
