"""Drives a CrewAI agent whose tools wait for the end of their writes."""

import asyncio

from credentials import identity
from crewai import Agent, Crew, Task
from crewai_tools import MCPServerAdapter
from drive_crewai import ScriptedModel
from toolhub_clients.crewai import patient
from turns import Turn, take_turns

PATIENCE = 240.0


def kick_off(turn: Turn) -> None:
    """Let one crew of one agent run."""
    hub = {"url": turn.endpoint, "transport": "streamable-http", "auth": identity(turn)}
    with MCPServerAdapter(hub) as tools:
        model = ScriptedModel(model="scripted", turn=turn)
        waiting = patient(tools, patience=PATIENCE)
        clerk = Agent(role="Clerk", goal="Do as told", backstory="Works in the warehouse", llm=model, tools=waiting)
        task = Task(description="Go on.", expected_output="What was done", agent=clerk)
        Crew(agents=[clerk], tasks=[task]).kickoff()


async def play(turn: Turn) -> None:
    """Let it run in a thread: it has an event loop of its own."""
    await asyncio.to_thread(kick_off, turn)


if __name__ == "__main__":
    take_turns(play, "crewai")
