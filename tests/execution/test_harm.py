"""A connector that misbehaves harms itself: other calls go on, the zygote lives, and nothing is left behind."""

import asyncio
import gc
import json
import struct
from pathlib import Path
from typing import Any

import attacker
import pytest
from execution_house import ITEMS, MISBEHAVING, House

from connectors.sdk.spec import ConnectorSpec
from hub.execution import Failed, Succeeded

pytestmark = pytest.mark.anyio

Json = Any
ATTACKER: ConnectorSpec = attacker.connector.spec
DONE = '{"result":{"kind":"done","output":%s}}'


def frame(content: str, *, length: int | None = None) -> str:
    return (struct.pack("!I", len(content) if length is None else length) + content.encode()).hex()


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return DONE % (opening * depth + "1" + closing * depth)


GARBAGE = {
    "nothing": "",
    "half a head": "0000",
    "a head alone": frame("", length=100),
    "a frame of 4 GB": frame("", length=2**32 - 1),
    "no JSON": frame("rubbish"),
    "no object": frame("[]"),
    "an empty object": frame("{}"),
    "no number": frame(DONE % "NaN"),
    "no end of a number": frame(DONE % ("9" * 5000)),
    "infinity": frame(DONE % "1e999"),
    "half a pair": frame(DONE % '"\\ud800"'),
    "a null character": frame(DONE % '"\\u0000"'),
    "keys twice": frame('{"result":{"kind":"done","output":{"verdict":"a","verdict":7,"detail":"b"}}}'),
    "the wrong kind": frame('{"result":{"kind":"previewed","preview":{}}}'),
    "an unknown kind": frame('{"result":{"kind":"success"}}'),
    "a code of its own": frame('{"result":{"kind":"failed","code":"approved","message":"all is well"}}'),
    "a message without end": frame('{"result":{"kind":"failed","code":"x","message":"' + "a" * 1_000_000 + '"}}'),
    "both at once": frame('{"request":{"method":"GET","path":"/items"},"result":{"kind":"done","output":1}}'),
    **{f"lists {depth} deep": frame(nested(depth)) for depth in (400, 900, 200_000)},
    **{f"objects {depth} deep": frame(nested(depth, '{"a":', "}")) for depth in (400, 900, 5000)},
}
RUNS: list[tuple[ConnectorSpec, str, dict[str, Json]]] = [
    (MISBEHAVING, "hang", {}),
    (MISBEHAVING, "spin", {}),
    (MISBEHAVING, "garbage", {}),
    (MISBEHAVING, "exit_silently", {}),
    (MISBEHAVING, "huge_answer", {"megabytes": 100}),
    (MISBEHAVING, "flood", {"requests": 1000}),
    (MISBEHAVING, "chatter", {"megabytes": 64}),
    (MISBEHAVING, "allocate", {"megabytes": 4000}),
    (MISBEHAVING, "break_down", {}),
    (ATTACKER, "bomb", {}),
    (ATTACKER, "burn", {}),
    (ATTACKER, "attempt", {"name": "open many files"}),
    (ATTACKER, "hand_over_descriptors", {"times": 200}),
]


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_is_an_answer_of_its_own_call_alone(name: str, house: House) -> None:
    ran = await house.read(ATTACKER, "forge", 0.3, frame=GARBAGE[name])

    assert isinstance(ran.outcome, Failed | Succeeded)
    if isinstance(ran.outcome, Succeeded):
        assert len(json.dumps(ran.outcome.output)) < 100
    else:
        assert len(ran.outcome.message) <= 1000
        assert ran.outcome.code != "approved"


async def test_who_misbehaves_harms_nobody_else_and_leaves_nothing_behind(house: House) -> None:
    await house.read(ITEMS, "item_get", id=1)
    await at_rest(house)
    zygote, before = house.executor._zygote, held_here()
    lost, pid, forked = zygote.restarts, zygote.pid, processes_below(zygote.pid)

    harmful = [asyncio.create_task(house.read(spec, name, 2, **given)) for spec, name, given in RUNS]
    others = [await house.read(ITEMS, "item_get", id=1) for _ in range(20)]
    ended = await asyncio.gather(*harmful)
    others.append(await house.read(ITEMS, "item_get", id=1))
    await at_rest(house)

    assert all(isinstance(other.outcome, Succeeded) for other in others), others
    assert all(isinstance(ran.outcome, Failed | Succeeded) for ran in ended)
    assert (zygote.restarts, zygote.pid) == (lost, pid)
    assert held_here() == before
    assert processes_below(zygote.pid) == forked


async def at_rest(house: House) -> None:
    """Close what is kept for later, and wait until the zygote has no process left."""
    executor = house.executor
    await executor._hosts.end_idle(older_than=0)
    await executor._upstreams.close_idle(older_than=0)
    running = executor._zygote._process
    assert running is not None
    await asyncio.wait_for(asyncio.gather(*running._ended.values()), 20)
    gc.collect()


def held_here() -> int:
    """Return how many descriptors this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))


def processes_below(pid: int | None) -> int:
    """Return how many processes descend from `pid`."""
    family, found = {pid}, 0
    parents = {
        int(path.parent.name): parent for path in Path("/proc").glob("[0-9]*/stat") if (parent := parent_of(path))
    }
    while children := {child for child, parent in parents.items() if parent in family} - family:
        family |= children
        found += len(children)
    return found


def parent_of(path: Path) -> int | None:
    try:
        return int(path.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
