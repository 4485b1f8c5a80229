"""Tools for CrewAI that wait for the end of a write: they ask how it stands, and never make the call again."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from crewai.tools import BaseTool
from pydantic import PrivateAttr

from toolhub_clients.ending import LONGEST_LOOK, ended
from toolhub_clients.pending import INVOCATION

Json = Any

LOOK: Final = "hub_invocation_get"


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
        if named is None or _is_about_others(self.name):
            return said
        look = partial(self._look.run, id=named[0], wait_seconds=LONGEST_LOOK)
        return ended(look, said, patience=self._patience)


def patient(tools: Iterable[BaseTool], *, patience: float) -> list[BaseTool]:
    """Return `tools` of a hub so that each waits up to `patience` seconds for the end of its call."""
    known = list(tools)
    look = next(tool for tool in known if tool.name == LOOK)
    return [Patient(tool, look, patience) for tool in known]


def _is_about_others(name: str) -> bool:
    return name.startswith("hub_")
