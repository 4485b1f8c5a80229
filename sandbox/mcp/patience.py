"""How much a server may say that nobody asked for: a store that each message takes from and time fills again."""

import time
from dataclasses import dataclass, field
from typing import Final

MOST: Final = 10_000.0
"""What it holds: so many small messages may come at once, beyond those that it is filled for meanwhile."""
EACH_SECOND: Final = 1_000.0
"""What comes back: some hundredths of a core read so many small messages in a second."""
MESSAGE: Final = 1.0
REQUEST: Final = 5.0
"""A request of the server wants an answer, too."""
NONSENSE: Final = 50.0
"""What is neither a message nor an answer that anybody waits for: two hundred of it at once are enough."""
_BYTES: Final = 4096
"""A long message costs as much again for each so many bytes."""


@dataclass(slots=True)
class Patience:
    """The store of one server, by a monotonic clock in seconds."""

    _left: float = MOST
    _filled_at: float = field(default_factory=time.monotonic)

    def bears(self, cost: float, size: int, *, at: float) -> bool:
        """Take what a message of `size` bytes costs, and return whether there was as much."""
        self._left = min(MOST, self._left + (at - self._filled_at) * EACH_SECOND)
        self._filled_at = at
        self._left -= cost + size / _BYTES
        return self._left >= 0
