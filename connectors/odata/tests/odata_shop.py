"""The imported shop, and the line to it: what is sent is kept, and answered with what the test says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from connectors.odata import Importing, OwnersWords, carry_out, compile_metadata, read_metadata
from connectors.odata.owners import OwnersWord
from connectors.openapi import Compilation
from connectors.sdk.run import PhaseCall, PhaseResult
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.vocabulary import PREVIEWING, Phase
from connectors.sdk.wire import WireRequest, WireResponse

Json = Any

CSDL = (Path(__file__).parent / "shop.csdl.xml").read_bytes()


def imported(content: bytes = CSDL, *, writes: Literal["live", "drafts"] = "live", **said: Json) -> Compilation:
    """Return what comes of a document with everything exposed, and what else its owner says of a tool."""
    root = read_metadata(content)
    found = compile_metadata(root, Importing(name="shop"), OwnersWords(writes=writes)).tools
    words = {tool.spec.name: OwnersWord(expose=True, **said.get(tool.spec.name, {})) for tool in found}
    return compile_metadata(root, Importing(name="shop"), OwnersWords(writes=writes, tools=words))


SHOP = imported().spec


@dataclass(slots=True)
class Line:
    """A line to a service. What may change something is let pass by a commit alone, as the broker does it."""

    spec: ConnectorSpec
    sent: list[WireRequest] = field(default_factory=list)
    answers: list[WireResponse] = field(default_factory=list)
    phase: Phase = Phase.READ

    def will_answer(self, body: Json = None, *, status: int = 200, **headers: str) -> "Line":
        """Answer the next request so."""
        told = {"content-type": "application/json", **headers}
        text = "" if body is None else json.dumps(body)
        self.answers.append(WireResponse(status=status, headers=told, body=text))
        return self

    async def send(self, request: WireRequest) -> WireResponse:
        """Keep the request and give the answer that was set for it."""
        is_safe = self.spec.is_safe(request, previewing=self.phase in PREVIEWING)
        assert is_safe or self.phase is Phase.COMMIT, f"{request.method} {request.path} was sent to {self.phase}"
        self.sent.append(request)
        return self.answers.pop(0)

    async def run(self, phase: Phase, operation: str, arguments: Mapping[str, Json], **more: Json) -> PhaseResult:
        """Run one phase of a tool."""
        self.phase = phase
        return await carry_out(
            self.spec, PhaseCall(operation=operation, phase=phase, arguments=dict(arguments), **more), self
        )

    @property
    def lines(self) -> list[str]:
        """What was sent: method, path and query of each request."""
        return [f"{one.method} {one.path}{'?' if one.query_string else ''}{one.query_string}" for one in self.sent]
