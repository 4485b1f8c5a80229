"""Drives a CrewAI agent whose tools wait for the end of their writes."""

import asyncio

from credentials import identity
from crewai import Agent, Crew, Task
from drive_crewai import ScriptedModel
from toolhub_clients.crewai import patient_tools
from turns import Turn, take_turns

PATIENCE = 240.0


def kick_off(turn: Turn) -> None:
    """Let one crew of one agent run."""
    with patient_tools(turn.endpoint, patience=PATIENCE, auth=identity(turn)) as tools:
        model = ScriptedModel(model="scripted", turn=turn)
        clerk = Agent(role="Clerk", goal="Do as told", backstory="Works in the warehouse", llm=model, tools=tools)
        task = Task(description="Go on.", expected_output="What was done", agent=clerk)
        Crew(agents=[clerk], tasks=[task]).kickoff()


async def play(turn: Turn) -> None:
    """Let it run in a thread: it has an event loop of its own."""
    await asyncio.to_thread(kick_off, turn)


if __name__ == "__main__":
    take_turns(play, "crewai")
