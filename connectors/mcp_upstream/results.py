"""What a server answers to the call of a tool: a result of it, the tool's own error, or nothing that is a result."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from connectors.sdk.errors import Unknown, Unreadable

Json = Any
"""Any JSON value."""

_COMPLETE: Final = "complete"
_LONGEST_REASON: Final = 300
_LONGEST_KIND: Final = 40
_UNFINISHED: Final = {
    "input_required": "It asks for more input, which cannot be given here.",
    "task": "It answers with a task to wait for, which was not asked for.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool answers when its call is over; `structured` is None where it says only `content`."""

    content: Json
    structured: Json
    is_error: bool

    @property
    def words(self) -> str:
        """Return the words of an error; a server may say anything."""
        said = [cast("dict[str, Json]", block) for block in _blocks(self.content) or () if isinstance(block, dict)]
        texts = [str(block.get("text", "")) for block in said if block.get("type") == "text"]
        return " ".join(texts)[:_LONGEST_REASON] or "it does not say which"

    @property
    def output(self) -> dict[str, Json]:
        """Return it as the answer of a tool that declares nothing."""
        structured = {} if self.structured is None else {"structuredContent": self.structured}
        return {"content": [] if self.content is None else self.content, **structured}


def unfinished(answer: Mapping[str, Json]) -> str | None:
    """Return why an answer does not end its request, None: it does. Who names no kind means that it is complete."""
    kind = answer.get("resultType", _COMPLETE)
    if kind == _COMPLETE:
        handle = answer.get("task")
        return _UNFINISHED["task"] if isinstance(handle, dict) and "taskId" in handle else None
    named = str(kind)[:_LONGEST_KIND]
    return _UNFINISHED.get(named, f"It answers with something of a kind that nobody asked for: {named!r}.")


def tool_result(answer: Mapping[str, Json], *, is_safe: bool) -> ToolResult:
    """Return the result of a tool's call that `answer` is.

    Raises:
        Unreadable: it is none, and the call only reads.
        Unknown: it is none, so it does not say what became of the call.
    """
    result = ToolResult(
        content=answer.get("content"),
        structured=answer.get("structuredContent"),
        is_error=bool(answer.get("isError")),
    )
    problem = unfinished(answer) or _shapeless(result)
    if problem is None:
        return result
    if is_safe:
        raise Unreadable(f"The tool gave no result. {problem}")
    raise Unknown(f"The tool was called and gave no result, so whether it was done is not known. {problem}")


def _shapeless(result: ToolResult) -> str | None:
    """Return why it cannot be a result of a tool, None: it can. What an error brings along is only words."""
    if result.is_error:
        return None
    if result.content is None:
        return "It answers neither content nor structured content." if result.structured is None else None
    blocks = _blocks(result.content)
    is_content = blocks is not None and all(isinstance(one, dict) for one in blocks)
    return None if is_content else "Its content is no list of content blocks."


def _blocks(content: Json) -> list[Json] | None:
    return cast("list[Json]", content) if isinstance(content, list) else None
