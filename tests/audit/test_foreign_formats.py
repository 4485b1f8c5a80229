"""Events as OCSF calls them: what every class requires, and what went wrong stands out."""

from typing import Any

import pytest

from hub.audit import EventKind
from hub.audit.foreign_formats import ocsf

OCSF_REQUIRED = {
    6003: {"activity_id", "actor", "api", "category_uid", "class_uid", "metadata", "severity_id", "src_endpoint"},
    3002: {"activity_id", "user", "service", "category_uid", "class_uid", "metadata", "severity_id"},
}
"""What OCSF 1.3.0 requires of API Activity and Authentication; `time` and `type_uid` of every event."""


def body_of(kind: EventKind, **members: object) -> dict[str, Any]:
    usual = {
        "id": "evt_1",
        "kind": kind.value,
        "at": "2026-03-04T05:06:07.089000Z",
        "subject": "inv_1",
        "facts": {},
        "commitments": {},
    }
    return {**dict.fromkeys(("actor", "agent", "on_behalf_of", "trace_id", "run_id")), **usual, **members}


@pytest.mark.parametrize("kind", [*EventKind])
def test_every_kind_has_what_ocsf_requires(kind: EventKind) -> None:
    event = ocsf(body_of(kind), 7, "log")

    assert event.keys() >= OCSF_REQUIRED[event["class_uid"]] | {"time", "type_uid"}
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["category_uid"] == event["class_uid"] // 1000
    assert event["time"] == 1_772_600_767_089
    assert event["metadata"]["sequence"] == 7


@pytest.mark.parametrize(
    ("kind", "severity", "status"),
    [
        (EventKind.COMMIT_VERIFIED, 1, 1),
        (EventKind.INVOCATION_DENIED, 3, 2),
        (EventKind.INVOCATION_PREVIEW_FAILED, 3, 2),
        (EventKind.COMMIT_IN_DOUBT, 4, 0),
        (EventKind.COMMIT_DIVERGED, 4, 0),
        (EventKind.COMMIT_UNVERIFIABLE, 1, 0),
        (EventKind.PLAN_PARTIAL, 4, 0),
    ],
)
def test_ocsf_tells_what_went_wrong_and_what_nobody_knows(kind: EventKind, severity: int, status: int) -> None:
    event = ocsf(body_of(kind), 0, "log")

    assert (event["severity_id"], event["status_id"]) == (severity, status)


def test_ocsf_names_the_agent_and_the_person_it_acts_for() -> None:
    event = ocsf(body_of(EventKind.COMMIT_SENT, actor="agt_1", agent="agt_1", on_behalf_of="usr_2"), 0, "log")

    assert event["actor"] == {"app_name": "toolhub", "app_uid": "agt_1", "user": {"uid": "usr_2"}}
    assert event["src_endpoint"] == {"uid": "agt_1"}
