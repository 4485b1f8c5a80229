"""Drives a LangGraph agent with tools from langchain-mcp-adapters."""

from collections.abc import Sequence
from datetime import timedelta

from credentials import identity
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_mcp_adapters.client import MultiServerMCPClient
from turns import Json, Turn, take_turns


class ScriptedModel(BaseChatModel):
    """A chat model that makes the calls of a turn."""

    turn: Turn
    names: tuple[str, ...] = ()

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Json], **_options: Json) -> "ScriptedModel":
        """Take note of the tools."""
        self.names = tuple(tool.name for tool in tools)
        return self

    def _generate(self, messages: list[BaseMessage], *_rest: Json, **_options: Json) -> ChatResult:
        last = messages[-1]
        asked = self.turn.next(self.names, str(last.content) if isinstance(last, ToolMessage) else "")
        calls = [{"name": asked[0], "args": asked[1], "id": self.turn.call_id}] if asked else []
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="", tool_calls=calls))])


async def play(turn: Turn) -> None:
    """Let one agent run."""
    hub = {"transport": "streamable_http", "url": turn.endpoint, "auth": identity(turn)}
    if turn.patience:
        hub["session_kwargs"] = {"read_timeout_seconds": timedelta(seconds=turn.patience)}
    tools = await MultiServerMCPClient({"hub": hub}).get_tools()
    agent = create_agent(ScriptedModel(turn=turn), tools)
    await agent.ainvoke({"messages": [("user", "Go on.")]})


if __name__ == "__main__":
    take_turns(play, "langgraph", "langchain-mcp-adapters", "mcp")
