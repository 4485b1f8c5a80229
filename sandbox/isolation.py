"""Namespaces for the zygote and all it forks: an empty network, processes, messages, names and files of its own.

They come on top of what `confinement` does, where the machine permits them: to root with the right to, and to others
where ordinary users may make user namespaces. Nothing is lost without them; `toolhub doctor` says which there are.
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, NoReturn

_NEW_MOUNTS, _NEW_NAMES, _NEW_MESSAGES = 0x00020000, 0x04000000, 0x08000000
_NEW_USERS, _NEW_PROCESSES, _NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
_BIND, _REMOUNT, _READ_ONLY, _RECURSIVE, _PRIVATE = 0x1000, 0x20, 0x1, 0x4000, 0x40000
_NO_SETUID, _NO_DEVICES, _NO_PROGRAMS, _DETACH = 0x2, 0x4, 0x8, 0x2
_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
_DIE_WITH_PARENT: Final = 1
_SCRATCH: Final = Path("/sys")
"""Where the new root is put together: a folder that exists everywhere and holds nothing that is to be seen in it."""
_FIRST_TO_DIE: Final = "800"

_libc = ctypes.CDLL(None, use_errno=True)


class Space(StrEnum):
    """A kind of namespace."""

    NETWORK = "network"
    MESSAGES = "messages"
    NAMES = "names"
    FILES = "files"
    PROCESSES = "processes"


def isolate(visible: Iterable[Path]) -> tuple[Space, ...]:
    """Give this process and all it forks namespaces of their own, and return which were to be had.

    Of files, only those below `visible` are there then, to be read. With PROCESSES, what runs from here on is a new
    process, the first of its namespace; this one waits for it and ends with it.
    """
    if sys.platform != "linux":
        return ()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_DIE)  # rather than the hub
    if os.geteuid() != 0 and not _become_user_of_a_namespace():
        return ()
    made = [
        space
        for space, flag in (
            (Space.NETWORK, _NEW_NETWORK),
            (Space.MESSAGES, _NEW_MESSAGES),
            (Space.NAMES, _NEW_NAMES),
        )
        if _libc.unshare(flag) == 0
    ]
    if _libc.unshare(_NEW_MOUNTS) == 0 and _see_only(visible):
        made.append(Space.FILES)
    if _libc.unshare(_NEW_PROCESSES) == 0:
        _go_on_in_the_first()
        made.append(Space.PROCESSES)
    return tuple(made)


def own_processes() -> bool:
    """Give what this process forks from here on a namespace of processes, and return whether it could be had.

    Its first process is the next one to be forked; with that one the kernel ends all the others, wherever they hide.
    From within, no process outside has a number by which it could be stopped or killed.
    """
    if sys.platform != "linux" or (os.geteuid() != 0 and not _become_user_of_a_namespace()):
        return False
    return int(_libc.unshare(_NEW_PROCESSES)) == 0


def _become_user_of_a_namespace() -> bool:
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(_NEW_USERS) != 0:
        return False
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    except OSError:
        return False
    return True


def _go_on_in_the_first() -> None:
    first = os.fork()
    if first == 0:
        _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        return
    _wait_for(first)


def _wait_for(first: int) -> NoReturn:
    os.close(0)  # the hub is to see at once that the other one has gone
    _, status = os.waitpid(first, 0)
    os._exit(max(os.waitstatus_to_exitcode(status), 0))


def _see_only(visible: Iterable[Path]) -> bool:
    """Make a root of nothing but `visible`, read-only; return whether it is the root now."""
    number = _PIVOT_ROOT.get(os.uname().machine)
    if number is None or _mount(None, Path("/"), _RECURSIVE | _PRIVATE) != 0:
        return False
    flags = _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS
    if _libc.mount(b"none", bytes(_SCRATCH), b"tmpfs", flags, b"size=1m,mode=755") != 0:
        return False
    try:
        for path in _outermost(visible):
            _show(path)
    except OSError:
        _libc.umount2(bytes(_SCRATCH), _DETACH)
        return False
    os.chdir(_SCRATCH)
    if _libc.syscall(number, b".", b".") != 0:  # the old root lies on top of the new one then
        _libc.umount2(bytes(_SCRATCH), _DETACH)
        return False
    _libc.umount2(b".", _DETACH)
    os.chdir("/")
    _mount(None, Path("/"), _REMOUNT | _BIND | _READ_ONLY | flags)
    return True


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """Return those of `paths` that exist and do not lie below another."""
    there = [path for path in paths if path.exists()]
    kept: list[Path] = []
    for path in sorted({step for one in there for step in (*_links_to(one), one.resolve())}):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return kept


def _links_to(path: Path) -> Sequence[Path]:
    return [step for step in (path, *path.parents) if step.is_symlink()]


def _show(path: Path) -> None:
    shown = _SCRATCH / path.relative_to("/")
    shown.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        shown.symlink_to(path.readlink())
        return
    if path.is_dir():
        shown.mkdir()
    else:
        shown.touch()
    if _mount(path, shown, _BIND | _RECURSIVE) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    _mount(None, shown, _REMOUNT | _BIND | _READ_ONLY | _NO_SETUID)  # where it may not, Landlock sees to it


def _mount(source: Path | None, target: Path, flags: int) -> int:
    return int(_libc.mount(None if source is None else bytes(source), bytes(target), None, flags, None))
