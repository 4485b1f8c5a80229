"""What `tools/call` returns: envelopes and errors as results that every kind of client can read.

A refusal, a pending state or a failure is a result, never a JSON-RPC error: measured, clients answer those by sending
the call again (wire).
"""

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from mcp_types import CallToolResult, ContentBlock, TextContent
from pydantic import TypeAdapter, ValidationError

from hub.core.errors import ArgumentsInvalid, HubError, ScopeMissing, Unavailable
from hub.invocations.envelope import Envelope, Status
from hub.mcp.retelling import RESULT

Json = Any
"""Any JSON value."""

INTERNAL_ERROR: Final = "internal_error"
_BLOCKS: Final = TypeAdapter(list[ContentBlock])


def result_of(envelope: Envelope) -> CallToolResult:
    """Return how one invocation stands: the tool's own result once it is done, the envelope until then."""
    if envelope.status is not Status.DONE:
        return _result(envelope.structured, envelope.text, is_error=envelope.is_error)
    said = [envelope.text] if envelope.text else []
    if (blocks := _blocks_in(envelope.structured)) is not None:
        content = [*blocks, *(TextContent(type="text", text=text) for text in said)]
        own = envelope.structured.get("structuredContent")
        structured = cast("Mapping[str, Json]", own) if isinstance(own, Mapping) else envelope.structured
        return CallToolResult(content=content, structured_content=dict(structured), is_error=False)
    return _result(envelope.structured, as_text(envelope.structured), *said, is_error=False)


def _blocks_in(structured: Mapping[str, Json]) -> list[ContentBlock] | None:
    """Return the content of a federated tool's result as its server gave it: pictures, sounds, links and all.

    None if it is no such result, or not as the protocol has it.
    """
    if "content" not in structured or structured.keys() - RESULT:
        return None
    try:
        return _BLOCKS.validate_python(structured["content"])
    except ValidationError:
        return None


def answer(structured: Mapping[str, Json], text: str | None = None) -> CallToolResult:
    """Return what one of the hub's own tools found, its JSON as text too."""
    return _result(structured, *([text] if text else []), as_text(structured), is_error=False)


def refusal(error: HubError) -> CallToolResult:
    """Return the refusal of a call that never became an invocation."""
    structured: dict[str, Json] = {
        "status": Status.REFUSED.value,
        "reason_code": error.code,
        "reason": error.message,
        "retryable": isinstance(error, Unavailable),
    }
    if isinstance(error, ArgumentsInvalid):
        structured["violations"] = [{"pointer": one.pointer, "message": one.message} for one in error.violations]
    if isinstance(error, ScopeMissing):
        structured["needed_scopes"] = list(error.needed)
    return _result(structured, f"Refused: {error.message}", is_error=True)


def ended_result(code: str, message: str) -> CallToolResult:
    """Return the refusal of what was to go on with a task, and never became an invocation."""
    structured = {"status": Status.REFUSED.value, "reason_code": code, "reason": message, "retryable": False}
    return _result(structured, f"Refused: {message}", is_error=True)


def internal_error(trace_id: str) -> CallToolResult:
    """Return what is said when the hub itself failed: nothing of how, and no claim about what has been done."""
    reason = (
        f"Something went wrong inside the hub; its log says more under {trace_id}. If the call was a write, it may be "
        "on record: look with hub_invocations_mine before you make it again."
    )
    structured = {"status": Status.FAILED.value, "reason_code": INTERNAL_ERROR, "reason": reason, "retryable": False}
    return _result(structured, reason, is_error=True)


def nothing_on_record() -> CallToolResult:
    """Return what is said of a call that was lost before anything of it was on record, and so before any effect."""
    reason = (
        "Nothing is on record of this call, and nothing was changed by it: the process that had it may have ended. "
        "Make it again; if it repeats an earlier call, it is answered with what that one came to."
    )
    structured = {"status": Status.FAILED.value, "reason_code": "call_lost", "reason": reason, "retryable": True}
    return _result(structured, reason, is_error=True)


def as_text(value: Json) -> str:
    """Return `value` as the JSON that clients without structured content read."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _result(structured: Mapping[str, Json], *texts: str, is_error: bool) -> CallToolResult:
    content = [TextContent(type="text", text=text) for text in texts]
    return CallToolResult(content=list(content), structured_content=dict(structured), is_error=is_error)
