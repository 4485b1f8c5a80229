"""Drives a Pydantic AI agent."""

from credentials import identity
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, RetryPromptPart, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from turns import Turn, take_turns


def shown_in(message: ModelMessage) -> str:
    """Return what the newest message tells the model about its call."""
    for part in message.parts:
        if isinstance(part, ToolReturnPart):
            return part.model_response_str()
        if isinstance(part, RetryPromptPart):
            return part.model_response()
    return ""


async def play(turn: Turn) -> None:
    """Let one agent run."""

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        asked = turn.next([tool.name for tool in info.function_tools], shown_in(messages[-1]))
        return ModelResponse(parts=[ToolCallPart(*asked, tool_call_id=turn.call_id) if asked else TextPart("Done.")])

    options = {"read_timeout": turn.patience} if turn.patience else {}
    agent = Agent(FunctionModel(answer), toolsets=[MCPToolset(turn.endpoint, auth=identity(turn), **options)])
    await agent.run("Go on.")


if __name__ == "__main__":
    take_turns(play, "pydantic-ai-slim", "mcp")
