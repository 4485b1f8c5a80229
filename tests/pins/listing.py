"""What a server lists, without a server: its answers to a look, and the connector that the look makes of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.mcp_upstream.discover import Discovery, Owner, discover
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.wire import WireRequest, WireResponse

Json = dict[str, Any]

TEXT: Json = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A server of the newer protocol that lists these."""

    tools: Sequence[Json] = ()
    resources: Sequence[Json] = ()
    prompts: Sequence[Json] = ()
    instructions: str = ""

    async def send(self, request: WireRequest) -> WireResponse:
        """Answer what a look asks."""
        asked = json.loads(request.body)["method"]
        answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": self._results()[asked]})
        return WireResponse(status=200, headers={"content-type": "application/json"}, body=answer.encode())

    async def found(self, owner: Owner) -> Discovery:
        """Return what a look finds."""
        return await discover(self, owner)

    async def spec(self, owner: Owner) -> ConnectorSpec:
        """Return the connector that a look makes of it."""
        return (await self.found(owner)).spec

    def _results(self) -> Json:
        beside = {"resources": self.resources, "prompts": self.prompts}
        can: Json = {"tools": {}, **{name: {} for name, listed in beside.items() if listed}}
        return {
            "server/discover": {
                "supportedVersions": ["2026-07-28"],
                "capabilities": can,
                "instructions": self.instructions,
            },
            "tools/list": {"tools": list(self.tools)},
            "resources/list": {"resources": list(self.resources)},
            "resources/templates/list": {"resourceTemplates": []},
            "prompts/list": {"prompts": list(self.prompts)},
        }
