"""Drives a LangGraph agent that waits for people by an interrupt: a turn without calls resumes the one before."""

from credentials import identity
from drive_langgraph import ScriptedModel
from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from toolhub_clients.langgraph import wait_for_people
from turns import Json, Turn, take_turns

THREAD = {"configurable": {"thread_id": "one"}}
MEMORY = InMemorySaver()
TURNS: list[Turn] = []


async def play(turn: Turn) -> None:
    """Let the agent run to its end or to an interrupt; what the model was shown, or what interrupts, is told."""
    TURNS.append(turn)
    first = TURNS[0]
    hub = {"transport": "streamable_http", "url": turn.endpoint, "auth": identity(turn)}
    tools = await MultiServerMCPClient({"hub": hub}, tool_interceptors=[wait_for_people]).get_tools()
    agent = create_agent(ScriptedModel(turn=first), tools, checkpointer=MEMORY)
    given: Json = {"messages": [("user", "Go on.")]} if turn.calls else Command(resume="look")
    ended = await agent.ainvoke(given, THREAD)
    turn.offered = first.offered
    waiting = [str(one.value) for one in ended.get("__interrupt__", [])]
    turn.shown = [*first.shown, *(f"interrupted: {value}" for value in waiting)]


if __name__ == "__main__":
    take_turns(play, "langgraph", "langchain-mcp-adapters")
