"""Watches: which federated servers one process listens to for all, and which of their resources somebody waits for."""

from hub.watches.keeping import (
    LIST_WORDS,
    MOST,
    MOST_OF_ONE,
    NEWS,
    WANTED,
    Watch,
    drop_streams,
    forget_watches,
    list_words,
    take_streams,
    tell_lists,
    tell_updated,
    want,
    wanted,
)
from hub.watches.repeating import Repeats

__all__ = [
    "LIST_WORDS",
    "MOST",
    "MOST_OF_ONE",
    "NEWS",
    "WANTED",
    "Repeats",
    "Watch",
    "drop_streams",
    "forget_watches",
    "list_words",
    "take_streams",
    "tell_lists",
    "tell_updated",
    "want",
    "wanted",
]
