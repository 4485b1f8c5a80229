"""How often what a federated server says of its lists is repeated to clients, each of which lists again then."""

import time
from dataclasses import dataclass
from typing import Final

AT_ONCE: Final = 10
EVERY_SECONDS: Final = 10.0


@dataclass(slots=True, kw_only=True)
class Repeats:
    """An allowance of one connection: so many words at once, and one more with each pause. Times are monotonic."""

    at_once: int = AT_ONCE
    every_seconds: float = EVERY_SECONDS
    _used_up_to: float = 0.0

    def pause(self, at: float | None = None) -> float:
        """Return for how many seconds the next word has to wait; 0: it need not."""
        at = time.monotonic() if at is None else at
        return max(0.0, self._used_up_to - (self.at_once - 1) * self.every_seconds - at)

    def count(self, at: float | None = None) -> None:
        """Count one word as repeated."""
        at = time.monotonic() if at is None else at
        self._used_up_to = max(self._used_up_to, at) + self.every_seconds
