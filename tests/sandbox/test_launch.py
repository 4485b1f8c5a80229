"""Processes come, end, and leave nothing behind: not when killed, not when the zygote or the hub dies."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import attacker
import pytest
from sandbox_prison import ENTRY, imprison
from structlog.testing import capture_logs

from sandbox.host import HostFailed, start
from sandbox.launch import LaunchFailed, Zygote

pytestmark = pytest.mark.anyio


async def test_a_killed_process_is_reaped(zygote: Zygote) -> None:
    prisoner = await imprison(zygote)

    pid = prisoner.pid
    prisoner.host.end()
    status = await asyncio.wait_for(prisoner.host.process.ended, 10)

    assert status in {-signal.SIGKILL, 1}  # it may see its closed channel, and give up, before the signal comes
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_one_that_ends_by_itself_is_noticed(zygote: Zygote) -> None:
    prisoner = await imprison(zygote)

    os.kill(prisoner.pid, signal.SIGTERM)
    await asyncio.wait_for(prisoner.host.process.ended, 10)

    assert not prisoner.host.is_usable
    with pytest.raises(HostFailed):
        await prisoner.run("count")


async def test_a_process_that_burns_its_time_is_stopped_by_the_kernel() -> None:
    from sandbox.confinement import Limits

    async with Zygote(limits=Limits(cpu_seconds=1)).running() as strict:
        prisoner = await imprison(strict)

        with pytest.raises(HostFailed, match="used up its processor time"):
            await prisoner.run("burn")


async def test_code_that_is_not_what_was_registered_is_not_run(zygote: Zygote) -> None:
    with pytest.raises(HostFailed, match="not what was registered"):
        await start(zygote, ENTRY, "0" * 64)


@pytest.mark.parametrize("entry", ["no_such_module:connector", "attacker:nothing", "json:dumps"])
async def test_what_is_no_connector_is_refused(zygote: Zygote, entry: str) -> None:
    from connectors.sdk.artefact import artefact_digest

    module = entry.partition(":")[0]
    digest = "0" * 64 if module == "no_such_module" else artefact_digest(module)

    with pytest.raises(HostFailed, match="cannot be loaded"):
        await start(zygote, entry, digest)


async def test_a_lost_zygote_is_replaced_once_and_reported() -> None:
    async with Zygote().running() as zygote:
        before = await imprison(zygote)
        lost = zygote.pid
        assert lost is not None

        with capture_logs() as logs:
            os.kill(lost, signal.SIGKILL)
            await asyncio.wait_for(before.host.process.ended, 10)
            several = await asyncio.gather(*(imprison(zygote) for _ in range(3)))

        assert zygote.pid != lost
        assert zygote.restarts == 1
        assert [line["event"] for line in logs] == ["the zygote was lost and has been started again"]
        assert {str(prisoner.host.confinement) for prisoner in several} == {"full"}
        for prisoner in (before, *several):
            prisoner.host.end()


async def test_a_cancelled_order_confuses_nobody(zygote: Zygote) -> None:
    """The answer to an order that nobody waits for must not be taken for the answer to the next."""
    orders = [asyncio.create_task(imprison(zygote)) for _ in range(4)]
    await asyncio.sleep(0)
    for order in orders[:3]:
        order.cancel()

    prisoner = await orders[3]
    counted = await prisoner.run("count")

    assert counted.model_dump()["output"]["text"] == f"{prisoner.host.process.number} 1"
    prisoner.host.end()
    await asyncio.gather(*orders, return_exceptions=True)


async def test_nothing_is_started_outside_of_running() -> None:
    over = Zygote()
    async with over.running():
        pass

    for zygote in (Zygote(), over):
        with pytest.raises(LaunchFailed):
            await zygote.start()
        with pytest.raises(LaunchFailed):
            await zygote.fork(ENTRY, attacker.connector.spec.artefact_digest)


async def test_a_zygote_is_started_once_and_not_before_somebody_needs_it() -> None:
    async with Zygote().running() as zygote:
        assert zygote.pid is None

        await asyncio.gather(zygote.start(), zygote.start())
        started = zygote.pid
        held = await asyncio.gather(*(imprison(zygote) for _ in range(2)))

        assert started is not None
        assert (zygote.pid, zygote.restarts) == (started, 0)
        for prisoner in held:
            prisoner.host.end()


HUB = f"""
import asyncio, json, os, sys
sys.path.append(sys.argv[2])
from sandbox_prison import called_here
from sandbox.host import start
from sandbox.launch import Zygote

async def main():
    async with Zygote().running() as zygote:
        host = await start(zygote, {ENTRY!r}, sys.argv[1])
        print(json.dumps([zygote.pid, called_here(host, zygote)]), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("victim", ["the hub", "the zygote"])
def test_no_confined_process_outlives(victim: str) -> None:
    digest = attacker.connector.spec.artefact_digest
    command = [sys.executable, "-c", HUB, digest, str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hub:
        assert hub.stdout is not None
        zygote, prisoner = json.loads(hub.stdout.readline())
        watched = {pid: os.pidfd_open(pid) for pid in (zygote, prisoner)}
        try:
            os.kill(hub.pid if victim == "the hub" else zygote, signal.SIGKILL)

            for descriptor in watched.values():
                assert select.select([descriptor], [], [], 10)[0], "it is still there"
        finally:
            hub.kill()
            for descriptor in watched.values():
                os.close(descriptor)
