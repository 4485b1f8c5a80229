"""How clients see the hub's own tools: names, texts and strict schemas."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_types import Tool, ToolAnnotations

from hub.invocations.envelope import Status
from hub.invocations.states import State

Json = Any
"""Any JSON value."""

LONGEST_WAIT: Final = 4
"""No answer takes longer than this (wire)."""

_STATUSES: Final[Mapping[str, Json]] = {"type": "string", "enum": sorted(status.value for status in Status)}
_ID: Final[Mapping[str, Json]] = {
    "type": "string",
    "pattern": "^inv_[0-9a-z]{26}$",
    "description": "The invocation_id that the call was answered with.",
}
_LINE: Final[Mapping[str, Json]] = {
    "invocation_id": {"type": "string"},
    "tool": {"type": "string"},
    "status": _STATUSES,
    "state": {"type": "string", "enum": sorted(state.value for state in State)},
    "created_at": {"type": "string"},
    "status_url": {"type": "string"},
}
_STANDING: Final[Mapping[str, Json]] = {
    "type": "object",
    "properties": {
        **_LINE,
        "message": {"type": "string"},
        "result": {"description": "What the tool returned, once the call is done."},
        "findings": {"type": "array", "items": {"type": "string"}},
        "masked": {"type": "array", "items": {"type": "string"}},
        "reason_code": {"type": "string"},
        "reason": {"type": "string"},
        "retryable": {"type": "boolean"},
        "retry_after_seconds": {"type": "integer", "minimum": 1},
        "poll_after_seconds": {"type": "integer", "minimum": 0, "maximum": 86_400},
        "expires_at": {"type": "string"},
    },
    "required": [*_LINE, "message"],
}


def _arguments(properties: Mapping[str, Json], *required: str) -> dict[str, Json]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _hints(title: str, *, is_read: bool) -> ToolAnnotations:
    return ToolAnnotations(
        title=title, read_only_hint=is_read, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )


GET: Final = Tool(
    name="hub_invocation_get",
    title="How an invocation stands",
    description=(
        "Says how one of your calls stands and, once it is done, what the tool returned. With wait_seconds it waits up "
        "to that long for news."
    ),
    input_schema=_arguments(
        {
            "id": _ID,
            "wait_seconds": {
                "type": "integer",
                "minimum": 0,
                "maximum": LONGEST_WAIT,
                "default": 0,
                "description": "How long to wait for news before answering.",
            },
        },
        "id",
    ),
    output_schema=dict(_STANDING),
    annotations=_hints("How an invocation stands", is_read=True),
)

CANCEL: Final = Tool(
    name="hub_invocation_cancel",
    title="Call off an invocation",
    description="Calls off one of your calls that has not been carried out yet.",
    input_schema=_arguments(
        {
            "id": _ID,
            "reason": {"type": "string", "minLength": 1, "maxLength": 500, "description": "Why, in one line."},
        },
        "id",
        "reason",
    ),
    output_schema=dict(_STANDING),
    annotations=_hints("Call off an invocation", is_read=False),
)

MINE: Final = Tool(
    name="hub_invocations_mine",
    title="Your invocations",
    description="Lists your own calls, newest first; with a status, only those that stand so.",
    input_schema=_arguments(
        {
            "status": _STATUSES,
            "cursor": {"type": "string", "maxLength": 2000, "description": "next_cursor of the page before."},
        }
    ),
    output_schema={
        "type": "object",
        "properties": {
            "invocations": {
                "type": "array",
                "items": {"type": "object", "properties": _LINE, "required": [*_LINE]},
            },
            "next_cursor": {"type": "string"},
        },
        "required": ["invocations"],
    },
    annotations=_hints("Your invocations", is_read=True),
)
