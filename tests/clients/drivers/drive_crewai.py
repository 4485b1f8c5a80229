"""Drives a CrewAI agent with tools from the adapter of crewai-tools."""

import asyncio
import json
import os

os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "true", "CREWAI_TRACING_ENABLED": "false"}

from credentials import identity
from crewai import Agent, Crew, Task
from crewai.llms.base_llm import BaseLLM
from crewai_tools import MCPServerAdapter
from turns import Json, Turn, take_turns


class ScriptedModel(BaseLLM):
    """A model that makes the calls of a turn."""

    turn: Turn

    def supports_function_calling(self) -> bool:
        """Return that it calls tools as most models do now."""
        return True

    def call(self, messages: Json, tools: Json = None, *_: Json, **__: Json) -> Json:
        """Return the next call."""
        names = [tool["function"]["name"] for tool in tools or []]
        last = messages[-1]
        results = [message for message in messages if message["role"] == "tool"]
        asked = self.turn.next(names, str(results[-1]["content"]) if results else str(last["content"]))
        if asked is None:
            return "Done."
        function = {"name": asked[0], "arguments": json.dumps(asked[1])}
        return [{"id": self.turn.call_id, "type": "function", "function": function}]


def kick_off(turn: Turn) -> None:
    """Let one crew of one agent run."""
    hub = {"url": turn.endpoint, "transport": "streamable-http", "auth": identity(turn)}
    if turn.patience:
        hub["sse_read_timeout"] = turn.patience
    with MCPServerAdapter(hub) as tools:
        model = ScriptedModel(model="scripted", turn=turn)
        clerk = Agent(role="Clerk", goal="Do as told", backstory="Works in the warehouse", llm=model, tools=tools)
        task = Task(description="Go on.", expected_output="What was done", agent=clerk)
        Crew(agents=[clerk], tasks=[task]).kickoff()


async def play(turn: Turn) -> None:
    """Let it run in a thread: it has an event loop of its own."""
    await asyncio.to_thread(kick_off, turn)


if __name__ == "__main__":
    take_turns(play, "crewai", "mcpadapt", "mcp")
