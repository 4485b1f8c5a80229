"""One phase on its way through the executor: what is to be run, for how long, and what is known of it meanwhile."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from connectors.sdk.run import PhaseCall
from hub.execution.conclude import Evidence
from hub.execution.outcomes import Permit, Target
from hub.execution.overhearing import Ear
from sandbox.broker import ChannelKind
from sandbox.transcript import Transcript
from sandbox.upstream import Around, Hear

Json = Any
"""Any JSON value."""

T = TypeVar("T")

NOT_RUN: Final = "not run"
"""The level that is reported when no connector code has run at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is to be heard of an MCP server: of which resources, who is told, and who hears that it has begun."""

    uris: Sequence[str]
    tell: Callable[[Mapping[str, Json]], None]
    opened: Callable[[], None]


@dataclass(slots=True, kw_only=True)
class Run(Generic[T]):
    """One phase to be run: what, over what kind of channel, for how long, and how to read what came of it."""

    target: Target
    call: PhaseCall
    kind: ChannelKind
    seconds: float
    conclude: Callable[[Evidence], T]
    permit: Permit | None = None
    transcript: Transcript = field(default_factory=Transcript)
    refusal: BaseException | None = None
    answers: Around | None = None
    ear: Ear = field(default_factory=Ear)
    hear: Hear | None = None
    until: float = math.inf
    """When it is over, by the monotonic clock."""
    level: str = NOT_RUN
