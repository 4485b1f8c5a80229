"""Drives an AutoGen agent with the tools of an MCP workbench."""

import json
from collections.abc import Sequence

from autogen_agentchat.agents import AssistantAgent
from autogen_core import FunctionCall
from autogen_core.models import CreateResult, FunctionExecutionResultMessage, LLMMessage, ModelInfo, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient
from autogen_ext.tools.mcp import McpWorkbench, StreamableHttpServerParams
from turns import Json, Turn, take_turns

CAPABILITIES: ModelInfo = {
    "function_calling": True,
    "json_output": False,
    "structured_output": False,
    "vision": False,
    "family": "unknown",
}


class ScriptedModel(ReplayChatCompletionClient):
    """A model that makes the calls of a turn."""

    def __init__(self, turn: Turn) -> None:
        super().__init__([], CAPABILITIES)
        self._turn = turn

    async def create(self, messages: Sequence[LLMMessage], *, tools: Sequence[Json] = (), **_: Json) -> CreateResult:
        """Return the next call."""
        names = [tool["name"] if isinstance(tool, dict) else tool.name for tool in tools]
        last = messages[-1]
        shown = last.content[0].content if isinstance(last, FunctionExecutionResultMessage) else ""
        asked = self._turn.next(names, shown)
        usage = RequestUsage(prompt_tokens=0, completion_tokens=0)
        if asked is None:
            return CreateResult(finish_reason="stop", content="Done.", usage=usage, cached=False)
        call = FunctionCall(id=self._turn.call_id, name=asked[0], arguments=json.dumps(asked[1]))
        return CreateResult(finish_reason="function_calls", content=[call], usage=usage, cached=False)


async def play(turn: Turn) -> None:
    """Let one agent run."""
    options = {"sse_read_timeout": turn.patience} if turn.patience else {}
    hub = StreamableHttpServerParams(url=turn.endpoint, headers=turn.bearer(), **options)
    async with McpWorkbench(hub) as workbench:
        agent = AssistantAgent(
            "clerk", ScriptedModel(turn), workbench=workbench, max_tool_iterations=len(turn.calls) + 1
        )
        await agent.run(task="Go on.")


if __name__ == "__main__":
    take_turns(play, "autogen-agentchat", "autogen-ext", "mcp")
