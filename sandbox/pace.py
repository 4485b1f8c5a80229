"""How fast a system is asked: a token bucket per connection, which waits as long as the system asks for."""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from connectors.sdk.errors import Unavailable
from connectors.sdk.spec import RateLimit
from connectors.sdk.wire import WireResponse

LONGEST_WAIT_SECONDS: Final = 5.0
"""Who would have to wait for longer is told so at once: agents have better things to do."""
LONGEST_HOLD_SECONDS: Final = 3600.0
"""What a system asks for beyond this is not believed."""
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_ASKS_TO_WAIT: Final = frozenset({429, 503})


class Pace:
    """The bucket of one connection, in this process. Times are those of the monotonic clock."""

    def __init__(self, rate: RateLimit | None = None, *, longest_wait: float = LONGEST_WAIT_SECONDS) -> None:
        self._interval = _SECONDS[rate.per] / rate.requests if rate else 0.0
        self._ahead = self._interval * ((rate.burst or rate.requests) - 1) if rate else 0.0
        self._longest_wait = longest_wait
        self._due = 0.0
        self._held_until = 0.0

    def next(self, now: float | None = None, *, is_patient: bool = False) -> float:
        """Return how many seconds the next request has to wait, and count it as sent then.

        A patient one waits as long as it takes: giving up halfway would be worse.

        Raises:
            Unavailable: it would be too long; the request is not counted.
        """
        now = time.monotonic() if now is None else now
        at = max(now, self._held_until, self._due - self._ahead)
        if at - now > self._longest_wait and not is_patient:
            seconds = round(at - now + 0.5)
            raise Unavailable(
                f"The system may not be asked so often; try again in {seconds} seconds. Nothing was sent."
            )
        self._due = max(self._due, at) + self._interval
        return at - now

    def heed(self, response: WireResponse, now: float | None = None) -> None:
        """Let everybody wait if `response` asks for it (RFC 9110 section 10.2.3)."""
        seconds = asked_to_wait(response)
        if seconds is not None:
            now = time.monotonic() if now is None else now
            self._held_until = max(self._held_until, now + min(seconds, LONGEST_HOLD_SECONDS))


def asked_to_wait(response: WireResponse) -> float | None:
    """Return how many seconds `response` asks to wait, if it does: said as a number or as a date."""
    said = response.headers.get("retry-after", "").strip()
    if response.status not in _ASKS_TO_WAIT or not said:
        return None
    if said.isascii() and said.isdecimal():
        return float(said[:9])
    try:
        until = parsedate_to_datetime(said)
    except (ValueError, OverflowError):  # a day or a zone may have any number of digits
        return None
    seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds)
