"""The attacker, confined, and how to make it try."""

from pathlib import Path

import attacker

from connectors.sdk.run import Done, PhaseCall, PhaseResult
from connectors.sdk.vocabulary import Phase
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox.host import Host, start
from sandbox.isolation import Space
from sandbox.launch import Zygote

ENTRY = "attacker:connector"


class NoWay:
    """A transport that leads nowhere."""

    async def send(self, request: WireRequest) -> WireResponse:
        """Fail."""
        raise AssertionError(f"nothing is sent here: {request.path}")


class Prisoner:
    """The attacker in one confined process."""

    def __init__(self, host: Host, zygote: Zygote) -> None:
        self.host = host
        self.zygote = zygote

    @property
    def pid(self) -> int:
        """Return what its process is called here."""
        return called_here(self.host, self.zygote)

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
    return Prisoner(await start(zygote, ENTRY, attacker.connector.spec.artefact_digest), zygote)


def called_here(host: Host, zygote: Zygote) -> int:
    """Return the number of a confined process in the namespace of the test, whatever it is in its own."""
    number, family = str(host.process.number), {str(zygote.pid)}
    statuses = sorted(map(_status, Path("/proc").glob("[0-9]*/status")), key=lambda status: int(status.get("Pid", "0")))
    for status in statuses:
        if status.get("PPid") in family:
            if Space.PROCESSES not in host.confinement.spaces and status["Pid"] == number:
                return int(number)
            names = status["NSpid"].split()
            if len(names) > 1 and names[-1] == number and number != "1":
                return int(status["Pid"])
            family.add(status["Pid"])
    raise ProcessLookupError(number)


def _status(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
