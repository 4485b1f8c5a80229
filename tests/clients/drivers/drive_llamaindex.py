"""Drives a LlamaIndex function agent."""

from collections.abc import Sequence

from credentials import identity
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec
from turns import Json, Turn, take_turns


async def play(turn: Turn) -> None:
    """Let one agent run."""
    options = {"timeout": turn.patience} if turn.patience else {}
    tools = await McpToolSpec(BasicMCPClient(turn.endpoint, auth=identity(turn), **options)).to_tool_list_async()
    names = [tool.metadata.name for tool in tools]

    def answer(messages: Sequence[ChatMessage], **_: Json) -> ChatMessage:
        last = messages[-1]
        asked = turn.next(names, last.content or "" if last.role == MessageRole.TOOL else "")
        if asked is None:
            return ChatMessage(role=MessageRole.ASSISTANT, content="Done.")
        call = ToolCallBlock(tool_call_id=turn.call_id, tool_name=asked[0], tool_kwargs=asked[1])
        return ChatMessage(role=MessageRole.ASSISTANT, blocks=[call])

    agent = FunctionAgent(tools=tools, llm=MockFunctionCallingLLM(response_generator=answer))
    await agent.run(user_msg="Go on.", max_iterations=len(turn.calls) + 2)


if __name__ == "__main__":
    take_turns(play, "llama-index-core", "llama-index-tools-mcp", "mcp")
