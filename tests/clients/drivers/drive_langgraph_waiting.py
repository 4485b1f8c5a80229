"""Drives a LangGraph agent that waits for people by an interrupt: a turn without calls resumes the one before."""

from credentials import identity
from drive_langgraph import ScriptedModel
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_mcp_adapters.client import MultiServerMCPClient
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Interrupt
from toolhub_clients.langgraph import look_again, wait_for_people
from turns import Json, Turn, take_turns

THREAD = {"configurable": {"thread_id": "one"}}
MEMORY = InMemorySaver()
TURNS: list[Turn] = []
WAITING: list[Interrupt] = []


class AtOnce(ScriptedModel):
    """A chat model that makes all calls of a turn at once."""

    def _generate(self, messages: list[BaseMessage], *_rest: Json, **_options: Json) -> ChatResult:
        shown = [str(message.content) for message in messages if isinstance(message, ToolMessage)]
        calls: list[Json] = []
        while not shown and (asked := self.turn.next(self.names, "")):
            calls.append({"name": asked[0], "args": asked[1], "id": self.turn.call_id})
        self.turn.shown = shown
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="", tool_calls=calls))])


async def play(turn: Turn) -> None:
    """Let the agent run to its end or to an interrupt; what the model was shown, or what interrupts, is told."""
    TURNS.append(turn)
    first = TURNS[0]
    first.shown = []
    hub = {"transport": "streamable_http", "url": turn.endpoint, "auth": identity(turn)}
    tools = await MultiServerMCPClient({"hub": hub}, tool_interceptors=[wait_for_people]).get_tools()
    agent = create_agent(AtOnce(turn=first), tools, checkpointer=MEMORY)
    given: Json = {"messages": [("user", "Go on.")]} if turn.calls else look_again(WAITING)
    ended = await agent.ainvoke(given, THREAD)
    WAITING[:] = ended.get("__interrupt__", [])
    turn.offered = first.offered
    turn.shown = [*first.shown, *(f"interrupted: {one.value}" for one in WAITING)]


if __name__ == "__main__":
    take_turns(play, "langgraph", "langchain-mcp-adapters")
