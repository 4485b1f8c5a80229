"""How the processes log: one line an event, with its time and level, on standard error, and no word of anybody's data.

What a library says of its own errors may quote what was to be stored or sent, so of an error from outside the hub the
log tells the type and the place, and not the words.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import cast

import structlog
from structlog.typing import EventDict, WrappedLogger

from hub.core.errors import HubError

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure_logs() -> None:
    """Send structured lines to standard error: for people on a terminal, as JSON elsewhere."""
    for_people = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_words,
            structlog.dev.ConsoleRenderer() if for_people else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_WithoutWords("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def without_words(error: BaseException) -> str:
    """Return what a log may say of `error` and of what caused it: types and places; the words of hub errors alone."""
    return "\n".join(line for one in _chain(error) for line in _lines(one))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error's causes, the first one first, and then itself."""
    seen, causes = set[int](), list[BaseException]()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        causes.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    for cause in reversed(causes):
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            together = cast("BaseExceptionGroup[BaseException]", cause)
            yield from (inner for each in together.exceptions for inner in _chain(each))


def _lines(error: BaseException) -> Iterator[str]:
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    yield f"{name}: {error.message}" if isinstance(error, HubError) else name


def _without_words(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is not None:
        event["exception"] = without_words(error)
    return event


class _WithoutWords(logging.Formatter):
    """The same for libraries that log by themselves."""

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802  # the standard library's name
        return "" if ei[1] is None else without_words(ei[1])
