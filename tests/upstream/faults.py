"""The ways in which the test upstream fails on command, and whether it has carried the request out by then."""

from enum import StrEnum


class Fault(StrEnum):
    """What happens to a request instead of an answer."""

    DROP_BEFORE = "drop_before"
    ERROR_BEFORE = "error_before"
    UNAVAILABLE = "unavailable"
    THROTTLED = "throttled"
    HANG_BEFORE = "hang_before"

    DROP_AFTER = "drop_after"
    ERROR_AFTER = "error_after"
    HANG_AFTER = "hang_after"
    LATE = "late"
    """It takes effect `argument` seconds later, whether or not anybody still waits, and no answer comes."""
    DELAY = "delay"
    HTML = "html"
    REDIRECT = "redirect"
    TRUNCATED = "truncated"
    CUT = "cut"
    HUGE = "huge"
    ENDLESS = "endless"
    GARBAGE = "garbage"

    @property
    def is_processed(self) -> bool:
        """Return whether the request takes effect."""
        return self not in _UNPROCESSED


_UNPROCESSED = frozenset({Fault.DROP_BEFORE, Fault.ERROR_BEFORE, Fault.UNAVAILABLE, Fault.THROTTLED, Fault.HANG_BEFORE})
