"""Events in the formats of other systems, one JSON line each: OCSF, CloudEvents and OTLP; without private values.

These lines prove nothing by themselves: each carries the event's id and its number in the log, by which an export or
evidence proves it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, cast

from hub.audit.events import TIME_FORMAT
from hub.core.canonical import canonical_json

Json = Any
"""Any JSON value."""

_PRODUCT: Final = {"name": "toolhub", "vendor_name": "toolhub"}
_NEVER_DONE: Final = frozenset(
    {"denied", "refused", "failed", "rejected", "expired", "cancelled", "not_applied", "braked"}
)
_FAILURE: Final = 2
_UNKNOWN: Final = frozenset({"in_doubt", "diverged", "unverifiable", "partial", "unavailable", "stale", "resending"})
_ALARMING: Final = frozenset({"in_doubt", "diverged", "reuse_detected", "quarantined", "partial", "disputed", "broken"})


class ForeignFormat(StrEnum):
    """A format that other systems read."""

    OCSF = "ocsf"
    CLOUDEVENTS = "cloudevents"
    OTLP = "otlp"


def foreign_line(body: Mapping[str, Json], position: int, log: str, shape: ForeignFormat) -> bytes:
    """Return the event with this body and number of the log named `log` as a line of `shape`."""
    return canonical_json(_SHAPES[shape](body, position, log)) + b"\n"


def cloudevent(body: Mapping[str, Json], position: int, log: str) -> dict[str, Json]:
    """Return a CloudEvent (specification 1.0.2, JSON format): `source` is the log, `data` the body that is hashed."""
    return {
        "specversion": "1.0",
        "id": body["id"],
        "source": f"/{log}",
        "type": f"dev.toolhub.{body['kind']}",
        "subject": body["subject"],
        "time": body["at"],
        "datacontenttype": "application/json",
        "position": str(position),
        "data": dict(body),
    }


def ocsf(body: Mapping[str, Json], position: int, log: str) -> dict[str, Json]:
    """Return an event of OCSF 1.3.0: Authentication (3002) for logins, API Activity (6003) for everything else."""
    is_login = body["kind"].startswith("login.")
    class_uid, activity = (3002, 1) if is_login else (6003, _activity(body["kind"]))
    said = {
        "category_uid": class_uid // 1000,
        "class_uid": class_uid,
        "activity_id": activity,
        "activity_name": body["kind"],
        "type_uid": class_uid * 100 + activity,
        "severity_id": _severity(body["kind"]),
        "status_id": _status(body["kind"]),
        "time": _milliseconds(body["at"]),
        "metadata": {
            "version": "1.3.0",
            "product": _PRODUCT,
            "log_name": log,
            "uid": body["id"],
            "sequence": position,
            "correlation_uid": body["trace_id"] or body["run_id"] or body["subject"],
        },
        "actor": _ocsf_actor(body),
        "unmapped": {"facts": body["facts"], "commitments": body["commitments"], "run_id": body["run_id"]},
    }
    if is_login:
        return said | {"user": {"uid": body["subject"]}, "service": {"name": "toolhub"}}
    return said | {
        "api": {"operation": body["kind"], "service": {"name": "toolhub"}},
        "src_endpoint": {"uid": body["agent"] or body["actor"] or "toolhub"},
        "resources": [{"uid": body["subject"]}],
    }


def otlp(body: Mapping[str, Json], position: int, log: str) -> dict[str, Json]:
    """Return an OTLP `ExportLogsServiceRequest` with one record (OTLP/JSON, one to a line as collectors read files)."""
    named = {
        "event.name": f"dev.toolhub.{body['kind']}",
        "toolhub.event.id": body["id"],
        "toolhub.event.position": position,
        "toolhub.subject": body["subject"],
        "toolhub.actor": body["actor"],
        "toolhub.agent": body["agent"],
        "toolhub.on_behalf_of": body["on_behalf_of"],
        "toolhub.run": body["run_id"],
        "toolhub.trace": body["trace_id"],
        "toolhub.facts": dict(body["facts"]),
    }
    severity = _severity(body["kind"])
    record = {
        "timeUnixNano": str(_milliseconds(body["at"]) * 1_000_000),
        "severityNumber": {1: 9, 3: 13, 4: 17}[severity],
        "severityText": {1: "INFO", 3: "WARN", 4: "ERROR"}[severity],
        "body": {"stringValue": body["kind"]},
        "attributes": [{"key": key, "value": _any(value)} for key, value in named.items() if value is not None],
    }
    resource = {"service.name": "toolhub", "toolhub.log": log}
    attributes = [{"key": key, "value": _any(value)} for key, value in resource.items()]
    scope = {"scope": {"name": "hub.audit"}, "logRecords": [record]}
    return {"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": [scope]}]}


_SHAPES: Final[Mapping[ForeignFormat, Callable[[Mapping[str, Json], int, str], dict[str, Json]]]] = MappingProxyType(
    {ForeignFormat.OCSF: ocsf, ForeignFormat.CLOUDEVENTS: cloudevent, ForeignFormat.OTLP: otlp}
)
_ACTIVITIES: Final[Mapping[str, int]] = MappingProxyType(
    {"created": 1, "registered": 1, "declared": 1, "read": 2, "exported": 2, "changed": 3, "set": 3, "erased": 4}
)
_OTHER: Final = 99


def _activity(kind: str) -> int:
    return _ACTIVITIES.get(_outcome(kind), _OTHER)


def _outcome(kind: str) -> str:
    return kind.rpartition(".")[2]


def _status(kind: str) -> int:
    """Return OCSF's status: 0 unknown, 1 success, 2 failure. What nobody knows yet is no success."""
    outcome = _outcome(kind)
    if outcome in _UNKNOWN:
        return 0
    return _FAILURE if outcome in _NEVER_DONE or outcome.endswith("failed") else 1


def _severity(kind: str) -> int:
    """Return OCSF's severity: 1 informational, 3 medium, 4 high."""
    if _outcome(kind) in _ALARMING:
        return 4
    return 3 if _status(kind) == _FAILURE else 1


def _ocsf_actor(body: Mapping[str, Json]) -> dict[str, Json]:
    actor: dict[str, Json] = {"app_name": "toolhub"}
    if body["agent"] is not None:
        actor["app_uid"] = body["agent"]
    person = body["on_behalf_of"] or body["actor"]
    return actor if person is None else actor | {"user": {"uid": person}}


def _milliseconds(at: str) -> int:
    moment = datetime.strptime(at, TIME_FORMAT).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def _any(value: Json) -> dict[str, Json]:
    """Return a value as OTLP's JSON writes one; integers are decimal texts there."""
    if isinstance(value, dict):
        members = cast("dict[str, Json]", value).items()
        return {"kvlistValue": {"values": [{"key": key, "value": _any(one)} for key, one in members]}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any(one) for one in cast("list[Json]", value)]}}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"intValue": str(value)}
    name = _SCALARS.get(type(cast("object", value)))
    return {} if name is None else {name: value}


_SCALARS: Final[Mapping[type, str]] = MappingProxyType({bool: "boolValue", float: "doubleValue", str: "stringValue"})
