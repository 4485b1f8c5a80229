"""Drives an agent of the OpenAI Agents SDK."""

import json
from collections.abc import AsyncIterator

from agents import Agent, ModelResponse, Runner, Usage, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp
from agents.models.interface import Model
from credentials import identity
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from turns import Json, Turn, take_turns


class ScriptedModel(Model):
    """A model that makes the calls of a turn."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    async def get_response(self, *, input: Json, tools: Json, **_: Json) -> ModelResponse:  # noqa: A002  # its name there
        """Return the next call."""
        items = [item for item in input if isinstance(item, dict)]
        outputs = [item["output"] for item in items if item.get("type") == "function_call_output"]
        asked = self._turn.next([tool.name for tool in tools], str(outputs[-1]) if outputs else "")
        return ModelResponse(output=[self._said(asked)], usage=Usage(), response_id=None)

    def stream_response(self, **_: Json) -> AsyncIterator[Json]:
        """Refuse: nothing here streams."""
        raise NotImplementedError

    def _said(self, asked: tuple[str, dict[str, Json]] | None) -> Json:
        if asked is None:
            text = ResponseOutputText(annotations=[], text="Done.", type="output_text")
            return ResponseOutputMessage(id="end", content=[text], role="assistant", status="completed", type="message")
        name, arguments = asked
        return ResponseFunctionToolCall(
            arguments=json.dumps(arguments), call_id=self._turn.call_id, name=name, type="function_call"
        )


async def play(turn: Turn) -> None:
    """Let one agent run."""
    set_tracing_disabled(True)
    options = {"client_session_timeout_seconds": turn.patience} if turn.patience else {}
    async with MCPServerStreamableHttp({"url": turn.endpoint, "auth": identity(turn)}, **options) as server:
        agent = Agent(name="clerk", model=ScriptedModel(turn), mcp_servers=[server])
        await Runner.run(agent, "Go on.", max_turns=len(turn.calls) + 1)


if __name__ == "__main__":
    take_turns(play, "openai-agents", "mcp")
