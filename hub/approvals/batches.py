"""Batches: open questions of the same shape, which one person may answer together, each by its own digest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.approvals.questions import Question, Terms
from hub.core.canonical import digest

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What questions must have in common, beside what they ask for."""

    agent_id: str
    on_behalf_of_id: str | None
    tool_version_digest: str
    connection_id: str
    connection_generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How far one item of a batch may reach to be decided with the others; None: as far as it does."""

    money_minor: int | None = None
    currency: str | None = None
    rows: int | None = None

    def beyond(self, summary: Mapping[str, Json]) -> str:
        """Return why an item with this summary is left for a decision of its own; empty if it is within the limit.

        What moves money that nobody could say in the limit's currency is beyond it.
        """
        blast = summary["blast"]
        if self.money_minor is not None:
            if blast["money_minor"] is None or blast["currency"] != self.currency:
                return f"it is not known how much {self.currency} it moves"
            if blast["money_minor"] > self.money_minor:
                return "it moves more than the limit"
        return "it changes more records than the limit" if self.rows is not None and blast["rows"] > self.rows else ""


def shape_of(kind: Kind, terms: Terms) -> str:
    """Return what is equal for the questions of one batch: kind, terms, which fields change, what else happens."""
    return digest(
        {
            "agent": kind.agent_id,
            "on_behalf_of": kind.on_behalf_of_id,
            "tool_version_digest": kind.tool_version_digest,
            "connection": kind.connection_id,
            "connection_generation": kind.connection_generation,
            "policy_digest": terms.policy_digest,
            "obligations": [one.as_json() for one in terms.obligations],
            "changes": sorted({_changed(change) for change in terms.summary["changes"]}),
            "side_effects": sorted({f"{one['kind']} {one['reversal']}" for one in terms.summary["side_effects"]}),
        }
    )


def together(questions: Iterable[Question]) -> dict[tuple[str, int], list[Question]]:
    """Return questions by their shape and the stage that is asked; one alone is no batch."""
    found: dict[tuple[str, int], list[Question]] = {}
    for question in questions:
        found.setdefault((question.shape, question.stage), []).append(question)
    return {place: alike for place, alike in found.items() if len(alike) > 1}


def _changed(change: Mapping[str, Json]) -> str:
    return f"{change['effect']} {' '.join(sorted(change['fields']))}"
