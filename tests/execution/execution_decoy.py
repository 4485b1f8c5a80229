"""A hub with a hostile connector, the system it is meant for, and a decoy to which nobody must ever connect."""

from dataclasses import dataclass, field
from typing import Any, Final

import smuggler
from execution_house import House
from sandbox_server import Server

from connectors.sdk.spec import ConnectorSpec
from hub.execution import Failed, Succeeded, Violation

Json = Any
SMUGGLER: Final[ConnectorSpec] = smuggler.connector.spec
METADATA: Final = "169.254.169.254"
GET: Final = {"method": "GET", "path": "/items"}


@dataclass(kw_only=True)
class Names:
    """What names mean, answer by answer; the last one stays. It keeps count of the questions."""

    meanings: dict[str, list[list[str]]] = field(default_factory=dict[str, list[list[str]]])
    asked: list[str] = field(default_factory=list[str])

    async def resolve(self, host: str) -> list[str]:
        """Answer the next meaning of `host`."""
        self.asked.append(host)
        answers = self.meanings.get(host, [[]])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@dataclass(kw_only=True)
class Scene:
    """A hub with a hostile connector, the system it is meant for, and a decoy."""

    house: House
    system: Server
    decoy: Server
    names: Names

    async def asks(self, request: Json, *, seconds: float = 20) -> object:
        """Return what comes of the connector asking for `request` in a read."""
        ran = await self.house.read(SMUGGLER, "ask", seconds, request=request)
        return ran.outcome

    def filled(self, text: str) -> str:
        """Return `text` with the decoy's address in it."""
        return text.replace("DECOY", self.decoy.base_url.removeprefix("http://"))


def refused(outcome: object) -> bool:
    """Return whether nothing left: the connector was stopped, or told that nothing was sent."""
    if isinstance(outcome, Succeeded):
        return '"code":"fenced"' in outcome.output["text"].replace(" ", "")
    return isinstance(outcome, Violation | Failed)
