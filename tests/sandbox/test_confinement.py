"""The level is reported as it was found, and never rounded up."""

import json
import os
from pathlib import Path

import pytest

from sandbox.confinement import Confinement, Layer, Level, Limits, confine


@pytest.mark.parametrize(
    ("missing", "level", "text"),
    [
        ((), Level.FULL, "full"),
        ((Layer.USER,), Level.PARTIAL, "partial(no own user)"),
        ((Layer.CALLS,), Level.PARTIAL, "partial(no seccomp)"),
        ((Layer.USER, Layer.FILES), Level.PARTIAL, "partial(no own user, no landlock)"),
        ((Layer.FILES, Layer.CALLS), Level.NONE, "none"),
        ((Layer.USER, Layer.FILES, Layer.CALLS), Level.NONE, "none"),
    ],
)
def test_a_missing_layer_lowers_the_level_and_is_named(missing: tuple[Layer, ...], level: Level, text: str) -> None:
    confinement = Confinement(missing=missing)

    assert confinement.level is level
    assert str(confinement) == text


def test_the_levels_are_ordered() -> None:
    assert Level.NONE.rank < Level.PARTIAL.rank < Level.FULL.rank


def test_a_hub_that_is_not_root_says_that_the_user_is_shared() -> None:
    assert confined_as(12345, [Path("/usr/lib")]) == ["USER"]


def test_landlock_that_allows_everything_counts_as_none() -> None:
    """The layer took hold as far as the kernel is concerned; what is reported is whether it holds anything."""
    assert "FILES" in confined_as(12345, [Path("/")])


def confined_as(user: int, readable: list[Path]) -> list[str]:
    """Return the layers that are missing when a process of `user` confines itself."""
    reading, writing = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(user)
                os.setuid(user)
            missing = confine(readable, Limits(memory_bytes=1 << 40), parent=parent).missing
            os.write(writing, json.dumps([layer.name for layer in missing]).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    found: list[str] = json.loads(os.read(reading, 1000))
    os.close(reading)
    os.close(writing)
    return found
