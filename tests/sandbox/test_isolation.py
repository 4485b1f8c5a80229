"""Namespaces: what is claimed of them is so, for root and for ordinary users, and having none does no harm."""

import json
import os
import socket
import sys
from pathlib import Path

import pytest
from sandbox_prison import Prisoner

from sandbox.isolation import Space, isolate


@pytest.mark.parametrize("user", [0, 12345])
def test_what_is_claimed_is_so(user: int, tmp_path: Path) -> None:
    (tmp_path / "shown").write_text("seen")

    told = isolated_as(user if os.geteuid() == 0 else os.geteuid(), tmp_path)

    assert (told["interfaces"] == ["lo"]) == (Space.NETWORK in told["spaces"])
    assert (told["number"] == 1) == (Space.PROCESSES in told["spaces"])
    assert (told["root"] == [tmp_path.parts[1]]) == (Space.FILES in told["spaces"])
    assert told["shown"] == "seen"
    assert not (told["may_write"] and Space.FILES in told["spaces"])


@pytest.mark.anyio
async def test_a_confined_process_sees_nothing_but_code(prisoner: Prisoner) -> None:
    shown = folders_seen_by(prisoner.pid)

    is_bare = not {"proc", "root", "home", "tmp", "var", "sys"} & (shown - folders_of_code())
    assert is_bare == (Space.FILES in prisoner.host.confinement.spaces)


def folders_seen_by(pid: int) -> set[str]:
    return {path.name for path in Path(f"/proc/{pid}/root").iterdir()}


def folders_of_code() -> set[str]:
    return {path.resolve().parts[1] for path in map(Path, [*sys.path, sys.base_prefix]) if path.is_dir()}


def isolated_as(user: int, visible: Path) -> dict[str, object]:
    """Return what a process of `user` claims after isolating itself, and what it finds then."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0 and user:
                for folder in (visible, *visible.parents):
                    folder.chmod(folder.stat().st_mode | 0o005)
                os.setgid(user)
                os.setuid(user)
            spaces = isolate([visible, Path("/no/such/folder")])
            told = {
                "spaces": spaces,
                "interfaces": [name for _, name in socket.if_nameindex()],
                "number": os.getpid(),
                "root": sorted(path.name for path in Path("/").iterdir()),
                "shown": (visible / "shown").read_text(),
                "may_write": os.access(visible, os.W_OK),
            }
            os.write(writing, json.dumps(told).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    found: dict[str, object] = json.loads(os.read(reading, 10_000))
    os.close(reading)
    os.close(writing)
    return found
