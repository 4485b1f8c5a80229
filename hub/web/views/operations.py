"""Health for operators, and the pages for what went wrong."""

from dataclasses import dataclass

from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLine:
    """One part of the hub and how it is."""

    part: str
    state: Word
    detail: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPage:
    """How the hub is, part by part."""

    overall: Word
    lines: tuple[HealthLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """What went wrong, in the reader's words, and what to do; `trace_id` is what an operator asks for."""

    status: int
    heading: str
    message: str
    advice: str = ""
    trace_id: str = ""
