"""Tools for CrewAI that wait for the end of a write: they ask how it stands, and never make the call again."""

import ast
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from crewai.tools import BaseTool
from pydantic import PrivateAttr

from toolhub_clients.pending import INVOCATION, WAITING

Json = Any

LOOK: Final = "hub_invocation_get"
LONGEST_LOOK: Final = 4
LEAST_PAUSE: Final = 1.0


class Patient(BaseTool):
    """A tool of a hub that returns when its call has ended, or when patience has."""

    _tool: BaseTool = PrivateAttr()
    _look: BaseTool = PrivateAttr()
    _patience: float = PrivateAttr()

    def __init__(self, tool: BaseTool, look: BaseTool, patience: float) -> None:
        super().__init__(
            name=tool.name,
            description=tool.description,
            args_schema=tool.args_schema,
        )
        self._tool, self._look, self._patience = tool, look, patience

    def _run(self, **arguments: Json) -> str:
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            said = str(self._tool.run(**given))
        except Exception as error:  # noqa: BLE001  # frameworks make a call again that raised
            return f"No answer came ({error}). The call may be on record: look with hub_invocations_mine first."
        named = INVOCATION.search(said)
        return said if named is None or _is_about_others(self.name) else self._ended(named[0], said)

    def _ended(self, invocation_id: str, said: str) -> str:
        """Return how the invocation has ended, or what was said last."""
        until = time.monotonic() + self._patience
        while True:
            standing = standing_in(str(self._look.run(id=invocation_id, wait_seconds=LONGEST_LOOK)))
            if standing.get("status") not in WAITING:
                return _told(standing) or said
            pause = max(LEAST_PAUSE, float(standing.get("poll_after_seconds", 0)) - LONGEST_LOOK)
            if time.monotonic() + pause > until:
                return str(standing.get("message") or said)
            time.sleep(pause)


def patient(tools: Iterable[BaseTool], *, patience: float) -> list[BaseTool]:
    """Return `tools` of a hub so that each waits up to `patience` seconds for the end of its call."""
    known = list(tools)
    look = next(tool for tool in known if tool.name == LOOK)
    return [Patient(tool, look, patience) for tool in known]


def standing_in(said: str) -> Mapping[str, Json]:
    """Return what `hub_invocation_get` said, as the adapter hands it on: one text, or a list of texts written out."""
    for text in _texts(said):
        with suppress(ValueError):
            found = json.loads(text)
            if isinstance(found, dict):
                return found
    return {}


def _texts(said: str) -> list[str]:
    with suppress(ValueError, SyntaxError):
        written = ast.literal_eval(said)
        if isinstance(written, list):
            return [str(text) for text in written]
    return [said]


def _told(standing: Mapping[str, Json]) -> str:
    message = str(standing.get("message", ""))
    return f"{json.dumps(standing['result'])} {message}" if "result" in standing else message


def _is_about_others(name: str) -> bool:
    return name.startswith("hub_")
