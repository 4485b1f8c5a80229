"""What a connector may be called, as whoever names one on the command line is told."""

import re
from typing import Final

from hub.cli.console import fail

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


def checked_name(name: str) -> str:
    """Return `name`, or end the command saying what a connector's name is made of."""
    if _NAME.fullmatch(name) is None:
        fail(
            f"{name!r} cannot be a connector's name: use lower case letters, digits and _, at most 32, a letter first."
        )
    return name
