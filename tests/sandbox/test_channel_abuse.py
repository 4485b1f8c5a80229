"""What comes out of a confined process is hostile: nothing it may write there harms the hub or another call."""

import asyncio
import json
import socket
import struct

import pytest
from sandbox_prison import Prisoner, imprison

from sandbox import frames
from sandbox.host import HostFailed
from sandbox.launch import Zygote
from sandbox.weight import MOST_VALUES, is_heavy

pytestmark = pytest.mark.anyio


def frame(content: bytes, *, length: int | None = None) -> str:
    return (struct.pack("!I", len(content) if length is None else length) + content).hex()


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        (frame(b"\x00\xff rubbish"), "not JSON"),
        (frame(b"[1, 2]"), "no message"),
        (frame(b'"text"'), "no message"),
        (frame(b"{}"), "no message"),
        (frame(b'{"result": {"kind": "done"}}'), "no message"),
        (frame(b'{"result": {"kind": "nonsense", "output": 1}}'), "no message"),
        (frame(b'{"result": {"kind": "done", "output": NaN}}'), "not JSON"),
        (frame(b'{"request": {"method": "BREW", "path": "/"}}'), "no message"),
        (frame(b'{"request": {"method": "GET", "path": "http://elsewhere/"}}'), "no message"),
        (frame(b'{"request": {"method": "GET", "path": "/../admin"}}'), "no message"),
        (frame(b'{"request": {"method": "GET", "path": "/", "credentials": "please"}}'), "no message"),
        (frame(b'{"request": 7}'), "no message"),
        (frame(b"[" * 100_000), "not JSON"),
        (frame(b'{"a":' * 3_000 + b"1" + b"}" * 3_000), "not JSON"),
        (frame(b"", length=2**32 - 1), "are the most"),
        (frame(b"", length=frames.LARGEST_TO_HUB + 1), "are the most"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else None,
)
async def test_nonsense_ends_the_process_and_nothing_else(zygote: Zygote, forged: str, reason: str) -> None:
    prisoner = await imprison(zygote)

    with pytest.raises(HostFailed, match=reason):
        await prisoner.run("forge", frame=forged)

    assert prisoner.host.is_ended
    await asyncio.wait_for(prisoner.host.process.ended, 10)


async def test_a_frame_of_very_many_values_is_not_even_read() -> None:
    ours, theirs = socket.socketpair()
    content = b'{"result": [' + b"{}," * MOST_VALUES + b"{}]}"
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        sending = asyncio.create_task(loop.sock_sendall(theirs, struct.pack("!I", len(content)) + content))

        with pytest.raises(frames.ChannelBroken, match="more than 200000 values"):
            await frames.receive(loop, ours, largest=frames.LARGEST_TO_HUB)

        await sending


@pytest.mark.parametrize("inside", ["a,", "{[", '\\",', "\\\\,"])
def test_a_long_text_is_not_heavy_whatever_stands_in_it(inside: str) -> None:
    assert not is_heavy(json.dumps({"body": inside * MOST_VALUES}).encode())


async def test_a_frame_that_never_comes_waits_for_the_deadline_alone(zygote: Zygote, prisoner: Prisoner) -> None:
    slow = await imprison(zygote)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await slow.run("forge", frame=frame(b'{"result"', length=1000))

    counted = await prisoner.run("count")

    assert slow.host.is_ended
    assert counted.model_dump()["kind"] == "done"


async def test_a_process_that_answers_ahead_is_not_used_again(zygote: Zygote) -> None:
    """Its second answer would be taken for the answer to the next call, which may be somebody else's."""
    prisoner = await imprison(zygote)
    forged = frame(json.dumps({"result": {"kind": "done", "output": "forged"}}).encode())

    result = await prisoner.run("forge", frame=forged * 2)

    assert result.model_dump()["output"] == "forged"
    assert not prisoner.host.is_usable
    prisoner.host.end()
