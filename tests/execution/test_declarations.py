"""What code declares is asked of it where it is confined, and whatever it answers harms nobody."""

import asyncio
import importlib
from collections.abc import AsyncGenerator
from pathlib import Path

import attacker
import pytest
import upstream.connector

from connectors.sdk import Connector
from connectors.sdk.artefact import artefact_digest
from hub.execution.hosts import Code, Hosts
from hub.registry import Declared, Undeclared
from sandbox import frames
from sandbox.host import HostFailed, start
from sandbox.launch import Zygote

pytestmark = pytest.mark.anyio

SOURCE = '''
"""A connector that declares {what}."""
import os, struct, time
from pydantic import BaseModel
from connectors.sdk import Connector, Context, SafeRule

class Odd(Connector):
    @property
    def spec(self):
{body}

connector = Odd("odd", version="1.0.0", description="Odd.", safe=[SafeRule(method="GET")], entry="{module}:connector")

def write(content: bytes, length: int | None = None) -> None:
    os.write(3, struct.pack("!I", len(content) if length is None else length) + content)
'''
HOSTILE = {
    "garbage": ("write(b'rubbish')", "not JSON"),
    "a list": ("write(b'[]')", "no message"),
    "nothing": ("write(b'{}')", "no message"),
    "a text": ('write(b\'{"declared": "all is well"}\')', "no message"),
    "a result": ('write(b\'{"result": {"kind": "done"}}\')', "no message"),
    "too much": (f"write(b'', {frames.LARGEST_TO_HUB + 1})", "are the most"),
    "too deep": ("write(b'{\"declared\": ' + b'[' * 100_000)", "not JSON"),
    "its end": ("os._exit(0)", "its process|the other side ended"),
    "an error": ("raise ZeroDivisionError('hunter2')", "ZeroDivisionError$"),
    "no spec": ("return 7", "AttributeError$"),
}


@pytest.fixture(scope="module")
async def zygote(anyio_backend: str) -> AsyncGenerator[Zygote]:
    del anyio_backend
    async with Zygote().running() as running:
        await running.start()
        yield running


def code_that(folder: Path, name: str, body: str) -> Code:
    """Write a connector that does `body` when it is asked what it declares."""
    module = f"odd_{name.replace(' ', '_')}"
    (folder / f"{module}.py").write_text(SOURCE.format(what=name, module=module, body=f"        {body}"))
    importlib.invalidate_caches()
    return Code(entry=f"{module}:connector", digest=artefact_digest(module))


@pytest.mark.parametrize("connector", [upstream.connector.connector, attacker.connector], ids=["upstream", "attacker"])
async def test_code_says_what_its_author_declared_and_goes_on(zygote: Zygote, connector: Connector) -> None:
    spec = connector.spec
    host = await start(zygote, spec.entry, spec.artefact_digest)

    said = await host.declaration()

    assert said == spec.model_dump(mode="json")
    assert host.is_usable
    host.end()


@pytest.mark.parametrize(("body", "why"), HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_answer_ends_its_process_alone(
    body: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    code = code_that(tmp_path, request.node.callspec.id, body)
    async with Zygote(paths=[tmp_path]).running() as zygote:
        host = await start(zygote, code.entry, code.digest)

        with pytest.raises(HostFailed, match=why) as failed:
            await host.declaration()

        assert host.is_ended
        assert len(str(failed.value)) < 500
        assert "hunter2" not in str(failed.value)


@pytest.mark.parametrize("body", ["time.sleep(3600)", "write(b'{', 1000); time.sleep(3600)"], ids=["never", "half"])
async def test_code_that_never_says_it_is_waited_for_until_its_time_is_over(
    body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    code = code_that(tmp_path, f"waits_{request.node.callspec.id}", body)
    async with Zygote(paths=[tmp_path]).running() as zygote:
        hosts = Hosts(zygote)
        await zygote.start()

        said = await hosts.declared(code, seconds=0)
        host = await start(zygote, code.entry, code.digest)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await host.declaration()

        assert said == Undeclared(why="it did not say within 0 seconds")
        assert host.is_ended


async def test_code_that_is_not_here_or_not_what_is_registered_cannot_be_asked(zygote: Zygote) -> None:
    hosts, spec = Hosts(zygote), upstream.connector.connector.spec

    absent = await hosts.declared(Code(entry="no_such_package:connector", digest="0" * 64))
    other = await hosts.declared(Code(entry=spec.entry, digest="0" * 64))
    same = await hosts.declared(Code(entry=spec.entry, digest=spec.artefact_digest))

    assert isinstance(absent, Undeclared)
    assert "there is no code of no_such_package" in absent.why
    assert isinstance(other, Undeclared)
    assert "not what was registered" in other.why
    assert same == Declared(spec=spec.model_dump(mode="json"))
