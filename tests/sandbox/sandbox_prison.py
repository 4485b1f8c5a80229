"""The attacker, confined, and how to make it try."""

import attacker

from connectors.sdk.run import Done, PhaseCall, PhaseResult
from connectors.sdk.vocabulary import Phase
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox.host import Host, start
from sandbox.launch import Zygote

ENTRY = "attacker:connector"


class NoWay:
    """A transport that leads nowhere."""

    async def send(self, request: WireRequest) -> WireResponse:
        """Fail."""
        raise AssertionError(f"nothing is sent here: {request.path}")


class Prisoner:
    """The attacker in one confined process."""

    def __init__(self, host: Host) -> None:
        self.host = host

    async def run(self, operation: str, **arguments: object) -> PhaseResult:
        """Run one of its reads."""
        call = PhaseCall(operation=operation, phase=Phase.READ, arguments=arguments)
        return await self.host.run(call, NoWay())

    async def tries(self, name: str, where: object = "") -> attacker.Outcome:
        """Return what comes of an attempt."""
        result = await self.run("attempt", name=name, where=str(where))
        assert isinstance(result, Done), result
        return attacker.Outcome.model_validate(result.output)


async def imprison(zygote: Zygote) -> Prisoner:
    return Prisoner(await start(zygote, ENTRY, attacker.connector.spec.artefact_digest))
