"""Cursors: where a list goes on, sealed, so that only whoever was given one can use it, and not for ever."""

from typing import Final

from hub.core.errors import Malformed
from hub.keys.keyring import Keyring

CURSOR_SECONDS: Final = 3600


def seal_cursor(keys: Keyring, after: str, *, purpose: str) -> str:
    """Return the cursor that goes on behind `after`; `purpose` names the list and who looks at it."""
    return keys.seal({"after": after}, purpose=purpose, seconds=CURSOR_SECONDS)


def open_cursor(keys: Keyring, cursor: str, *, purpose: str) -> str:
    """Return what the cursor goes on behind.

    Raises:
        Malformed: it cannot be used. Whether it is somebody else's, another list's, too old or no cursor at all is not
            said: it is nobody's business but its owner's.
    """
    try:
        return str(keys.unseal(cursor, purpose=purpose)["after"])
    except Malformed as error:
        raise Malformed("This cursor cannot be used here, or not any more. Begin at the first page.") from error
