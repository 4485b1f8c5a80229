"""What happened, according to the audit export and nothing else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

Json = Any
"""Any JSON value."""


@dataclass(slots=True, kw_only=True)
class Line:
    """One event of the export."""

    id: str
    kind: str
    subject: str
    at: datetime
    facts: Mapping[str, Json]
    private: Mapping[str, Json]


@dataclass(slots=True, kw_only=True)
class RecordedCall:
    """One call, gathered from its events."""

    id: str
    tool: str
    effect: str = ""
    tier: str = ""
    state: str = ""
    approved_by: str = ""
    voters: list[str] = field(default_factory=list[str])
    refused_votes: list[str] = field(default_factory=list[str])
    login_ages: list[float] = field(default_factory=list[float])
    previews: int = 0
    stale: int = 0
    sent: int = 0
    target: str = ""
    refusal: str = ""
    output: Mapping[str, Json] | None = None

    @property
    def is_write(self) -> bool:
        """Return whether it was to change anything."""
        return self.effect not in {"", "read"}

    @property
    def is_committed(self) -> bool:
        """Return whether it has changed something."""
        return self.output is not None

    @property
    def decision(self) -> str:
        """Return who decided, in words."""
        if self.refusal:
            return f"turned away: {self.refusal}"
        if not self.is_write:
            return "at once"
        if self.state == "REJECTED":
            return f"rejected by {', '.join(self.voters)}"
        return "by policy" if self.approved_by == "policy" else ", ".join(self.voters)


def recorded_calls(export: Path) -> list[RecordedCall]:
    """Return every call in an export with open values, in the order in which they came in."""
    names: dict[str, str] = {}
    calls: dict[str, RecordedCall] = {}
    for line in _lines(export):
        if line.kind == "account.created":
            names[line.subject] = str(line.private["name"])
        elif line.kind == "invocation.refused":  # it never became an invocation
            calls[line.id] = RecordedCall(id=line.id, tool=line.facts["tool"], refusal=line.facts["code"])
        elif line.kind == "vote.refused":
            calls[line.subject].refused_votes.append(f"{names[line.facts['voter']]}: {line.facts['code']}")
        elif "tool_version_digest" in line.facts:
            _take(line, calls, names)
    return list(calls.values())


def _take(line: Line, calls: dict[str, RecordedCall], names: Mapping[str, str]) -> None:
    facts = line.facts
    new = RecordedCall(id=line.subject, tool=facts["tool"], effect=facts["effect"])
    call = calls.setdefault(line.subject, new)
    call.tier, call.state = facts["tier"], facts["state"]
    match line.kind:
        case "invocation.previewed":
            call.previews += 1
            call.target = line.private["preview"]["changes"][0]["target"]
        case "vote.cast":
            age = line.at - datetime.fromisoformat(facts["authenticated_at"])
            call.login_ages.append(age.total_seconds())
        case "invocation.approved":
            call.approved_by = facts["approved_by"]
            call.voters = [names[voter] for voter in facts.get("voters", [])]
        case "invocation.rejected":
            call.voters = [names[facts["by"]]]
        case "invocation.stale":
            call.stale += 1
        case "commit.sent":
            call.sent += 1
        case "commit.committed":
            call.output = line.private["output"]
        case _:
            pass


def _lines(export: Path) -> list[Line]:
    with export.open(encoding="utf-8") as content:
        next(content)  # the header
        return [_line(json.loads(text)) for text in content]


def _line(event: Mapping[str, Json]) -> Line:
    body = event["body"]
    return Line(
        id=body["id"],
        kind=body["kind"],
        subject=body["subject"],
        at=datetime.fromisoformat(body["at"]),
        facts=body["facts"],
        private={name: opened["value"] for name, opened in event["values"].items() if opened is not None},
    )
