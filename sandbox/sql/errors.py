"""What PostgreSQL's errors prove of a transaction."""

from typing import Any, Final

from connectors.sdk.errors import Refused, Unavailable
from sandbox.sql.session import CommitUnclear

Error = Any
"""An error of the driver, which ships no types."""

_LATER: Final = frozenset({"57014", "55P03", "40001", "40P01", "57P01", "57P02", "57P03", "53300", "25P03"})
"""Stopped by a timeout, a lock, a deadlock, a shutdown: the same may go well another time."""
_DEFINITE_CLASSES: Final = frozenset({"21", "22", "23", "25", "27", "42", "44", "P0"})
_DEFINITE_STATES: Final = frozenset({"40000", "40001", "40002", "40P01"})
"""Errors after which a COMMIT has certainly not happened. 40003 says in so many words that nobody knows; a server
that is shut down (57P01) may have committed already.
"""


def understood(error: Error) -> Refused | Unavailable:
    """Return what `error` means before COMMIT was sent: nothing is kept, whatever it is."""
    if error.sqlstate in _LATER or str(error.sqlstate).startswith("08"):
        return Unavailable(f"The database stopped it ({error.sqlstate}: {_said(error)}). Nothing was changed.")
    return Refused(f"The database refused it ({error.sqlstate}: {_said(error)}). Nothing was changed.")


def at_commit(error: Error) -> Refused | CommitUnclear:
    """Return what `error` means as the answer to COMMIT."""
    state = str(error.sqlstate)
    if state in _DEFINITE_STATES or state[:2] in _DEFINITE_CLASSES:
        return Refused(f"The database refused to commit ({state}: {_said(error)}). Nothing was changed.")
    return CommitUnclear(f"The database answered {state}.")


def sqlstate_of(error: Error) -> str:
    """Return the five characters by which PostgreSQL names the error."""
    return str(getattr(error, "sqlstate", "?????"))


def _said(error: Error) -> str:
    return (str(getattr(error, "message", None) or "an argument does not fit").splitlines() or [""])[0][
        :200
    ]  # not the detail, which holds values
