"""How agents of LangGraph and CrewAI wait for people: a module for each, which needs nothing of the hub."""
