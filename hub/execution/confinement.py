"""How confined connector code runs on this machine, found out by running some."""

from connectors.sdk.artefact import artefact_digest
from sandbox.host import HostFailed, start
from sandbox.launch import Zygote

PROBE = "sandbox.probe:connector"


async def confinement_here() -> tuple[str, tuple[str, ...]]:
    """Return the level that a confined process reaches here, or why none can be started; and its namespaces."""
    try:
        async with Zygote().running() as zygote:
            host = await start(zygote, PROBE, artefact_digest("sandbox.probe"))
            host.end()
            return str(host.confinement), tuple(space.value for space in host.confinement.spaces)
    except HostFailed as error:
        return f"none: {error}", ()
