"""How much work a guess at a stolen hash takes: asked of a process of its own, as tests hash quickly in theirs."""

import subprocess
import sys

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from hub.identity.passwords import hash_password, matches, needs_new_hash

pytestmark = pytest.mark.anyio

HASH = """
import asyncio
from hub.identity.passwords import hash_password
print(asyncio.run(hash_password("correct horse battery")))
"""


async def test_the_hub_hashes_as_rfc_9106_recommends_and_makes_weaker_hashes_anew() -> None:
    done = subprocess.run([sys.executable, "-c", HASH], capture_output=True, check=True, text=True)  # noqa: ASYNC221  # nothing else runs in this loop
    strong = done.stdout.strip()

    used = extract_parameters(strong)
    assert (used.type, used.memory_cost, used.time_cost, used.parallelism) == (Type.ID, 64 * 1024, 3, 4)
    assert used.salt_len >= 16
    assert used.hash_len >= 32
    assert await matches("correct horse battery", strong)
    assert not await matches("correct horse batter", strong)
    assert needs_new_hash(strong), "it is none of this process, in which tests hash quickly"
    assert not needs_new_hash(await hash_password("correct horse battery"))
