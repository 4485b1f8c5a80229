"""What an owner says of the tools that were found: which are published, and what was confirmed of effect and tier."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.sdk.auth import AuthSpec, Basic, Bearer
from connectors.sdk.faults import first_fault
from connectors.sdk.vocabulary import Effect, Tier

Json = Any
"""Any JSON value."""


class BadWord(ValueError):
    """What the owner says cannot be followed; the message says why."""


class _Word(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OwnersWord(_Word):
    """All that may be said of one tool. Without `expose` it is not published; `effect` is said of actions alone."""

    expose: bool = False
    tier: Tier | None = None
    effect: Effect | None = None


class OwnersWords(_Word):
    """What is said of each tool, by its name, and what no metadata says: how the service is signed in to, and whether
    it takes a write at a live record that has drafts, or from a draft alone, which is then activated.
    """

    sign_in: Literal["none", "basic", "bearer"] = "none"
    writes: Literal["live", "drafts"] = "live"
    tools: Mapping[str, OwnersWord] = {}

    @property
    def auth(self) -> AuthSpec:
        """Return how the service is signed in to."""
        match self.sign_in:
            case "basic":
                return Basic()
            case "bearer":
                return Bearer()
            case "none":
                return AuthSpec()


def owners_words(said: Mapping[str, Json]) -> OwnersWords:
    """Return what the file of an owner says.

    Raises:
        BadWord: it says something that is not known.
    """
    try:
        return OwnersWords.model_validate(said)
    except ValidationError as error:
        raise BadWord(first_fault(error)) from error
