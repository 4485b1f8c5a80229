"""How much one connection may take of its system and of the hub: declared in its settings, or what usually holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from connectors.sql.addresses import is_sql
from hub.core.errors import InputError

Json = Any
"""Any JSON value."""

LIMITS: Final = "limits"
"""The setting of a connection that holds its limits."""
_HTTP: Final = ("http:", "https:")
_MOST: Final[Mapping[str, int]] = {
    "connections": 128,
    "calls_at_once": 128,
    "answer_bytes": 10 * 1024 * 1024,
    "call_seconds": 300,
}
_LEAST: Final[Mapping[str, int]] = {"connections": 1, "calls_at_once": 1, "answer_bytes": 1024, "call_seconds": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """The limits of one connection in each process of the hub.

    `connections` are those kept open at the same time over HTTP, by reads and by writes each; what the hub says to a
    server while a call holds one (an answer, a cancellation) waits for none. `calls_at_once` are under way, the others
    wait.
    An answer has at most `answer_bytes` over HTTP and pipes, and one of an MCP server never more than 4 MiB. A call
    ends after `call_seconds`, or earlier where its operation says so.
    """

    connections: int = 32
    calls_at_once: int = 16
    answer_bytes: int = 10 * 1024 * 1024
    call_seconds: int = 300

    def as_json(self) -> dict[str, int]:
        """Return them as they are shown."""
        return asdict(self)


USUAL: Final = ConnectionLimits()
"""What holds where a connection says nothing."""


def limits_in(settings: Mapping[str, Json]) -> ConnectionLimits:
    """Return the limits that stored settings declare, each other one as usual."""
    declared = settings.get(LIMITS)
    return replace(USUAL, **declared) if declared else USUAL


def check_limits(settings: Mapping[str, Json], base_url: str) -> None:
    """Check the limits that `settings` declare for a connection to `base_url`.

    Raises:
        InputError: one is unknown, no number that it may be, or means nothing for such a system.
    """
    declared = settings.get(LIMITS, {})
    if not isinstance(declared, dict):
        raise InputError(f"The setting {LIMITS!r} is an object with some of {', '.join(_MOST)}.")
    able = _able(base_url)
    for name, value in declared.items():  # pyright: ignore[reportUnknownVariableType]  # JSON
        if name not in able:
            raise InputError(f"There is no limit {str(name)[:48]!r} here; this connection may set {', '.join(able)}.")  # pyright: ignore[reportUnknownArgumentType]  # JSON
        if not isinstance(value, int) or isinstance(value, bool) or not _LEAST[name] <= value <= _MOST[name]:
            raise InputError(f"The limit {name!r} is a whole number from {_LEAST[name]} to {_MOST[name]}.")


def _able(base_url: str) -> tuple[str, ...]:
    """Return which limits mean something: only HTTP has connections, and databases and mail bound answers otherwise."""
    if base_url.startswith(_HTTP):
        return tuple(_MOST)
    both = ("calls_at_once", "call_seconds")
    return both if is_sql(base_url) or not base_url.startswith("stdio:") else (*both, "answer_bytes")
