"""Where a check stands while it is recorded or replayed: in which step, and after how much of it was written.

An answer is true of the state in which it was given. Tied to this, what was read before a write is never taken for what
there is after it, however often the connector asks on the way.
"""

from dataclasses import dataclass

from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.wire import WireRequest


@dataclass(slots=True, kw_only=True)
class Course:
    """Follows a check of `spec`."""

    spec: ConnectorSpec
    step: str = ""
    _changes: int = 0

    def begin(self, step: str) -> None:
        """Note that another step has begun; `step` names it, alike whenever the same is checked."""
        self.step, self._changes = step, 0

    def moment(self) -> str:
        """Return the stretch of this step in which nothing was written and nobody edited."""
        return f"{self.step} / {self._changes}"

    def edited(self) -> None:
        """Note that somebody edits."""
        self._changes += 1

    def passed(self, request: WireRequest) -> bool:
        """Note that `request` has gone its way, and return whether what was read before it is the past now.

        What only previews may send counts as well: it is said to leave nothing behind, and that is to be proven.
        """
        is_change = not self.spec.is_safe(request)
        self._changes += is_change
        return is_change
