"""Confining this process for good: limits, a user without rights, Landlock, seccomp; and what of it holds.

What is reported is what was tried afterwards: a layer that was accepted but does not hold counts as missing.
"""

import contextlib
import ctypes
import os
import resource
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from sandbox import landlock, seccomp
from sandbox.isolation import Space

NOBODY: Final = 65534
_KEEP_CAPABILITIES, _SET_DUMPABLE, _DIE_WITH_PARENT, _SET_NO_NEW_PRIVS = 8, 4, 1, 38
_KILL_SIGNAL: Final = 9
_READ_EVERYTHING: Final = 1 << 2  # CAP_DAC_READ_SEARCH
_CAPABILITY_VERSION: Final = 0x20080522

_LINUX_LIMITS: Final = tuple(
    getattr(resource, name)
    for name in ("RLIMIT_MSGQUEUE", "RLIMIT_RTPRIO", "RLIMIT_SIGPENDING")
    if hasattr(resource, name)
)

_libc = ctypes.CDLL(None, use_errno=True)
_is_linux: Final = sys.platform == "linux"


class Level(StrEnum):
    """How confined connector code runs; the order is that of the members."""

    NONE = "none"
    PARTIAL = "partial"
    FULL = "full"

    @property
    def rank(self) -> int:
        """Return the place in the order, 0 for none."""
        return list(Level).index(self)


class Layer(StrEnum):
    """What holds a confined process. Limits are always set; they are no layer of their own."""

    USER = "own user"
    FILES = "landlock"
    CALLS = "seccomp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What a process is held by, told by what is missing. As text: `full`, `partial(no seccomp)`, `none`."""

    missing: tuple[Layer, ...]
    spaces: tuple[Space, ...] = ()
    """The namespaces that hold it on top of that; they count for no level, because few machines permit all of them."""

    @property
    def level(self) -> Level:
        """Return the level: without file and call protection there is none, whatever else holds."""
        if not self.missing:
            return Level.FULL
        return Level.NONE if {Layer.FILES, Layer.CALLS} <= {*self.missing} else Level.PARTIAL

    def __str__(self) -> str:
        if self.level is not Level.PARTIAL:
            return self.level.value
        return f"partial({', '.join(f'no {layer.value}' for layer in self.missing)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one process may use: processor seconds, bytes of address space, open files.

    It may write no file and start no process or thread.
    """

    cpu_seconds: int = 30
    memory_bytes: int = 512 * 1024 * 1024
    open_files: int = 64


def confine(readable: Sequence[Path], limits: Limits, *, parent: int) -> Confinement:
    """Confine this process, which `parent` forked, and return what holds it. There is no way back."""
    started_as = os.geteuid()
    if _is_linux:
        _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    is_locked = landlock.restrict_to_reading(readable)
    _limit(limits)
    keep_reading = started_as == 0 and is_locked and not _open_to_everybody(readable)
    if started_as == 0:
        _become_nobody(keep_reading=keep_reading)
    if _is_linux:
        _drop_capabilities(keep_reading=keep_reading)
        _libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
        _libc.prctl(_DIE_WITH_PARENT, _KILL_SIGNAL, 0, 0, 0)  # a change of user would have undone it
    if os.getppid() != parent:
        os._exit(1)  # the parent died before that took hold
    seccomp.restrict_calls()
    return Confinement(missing=tuple(_missing(started_as)))


def _limit(limits: Limits) -> None:
    for kind, value, grace in (
        (resource.RLIMIT_CPU, limits.cpu_seconds, 1),  # told apart from other deaths by its own signal
        (resource.RLIMIT_AS, limits.memory_bytes, 0),
        (resource.RLIMIT_NOFILE, limits.open_files, 0),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),
        *((kind, 0, 0) for kind in _LINUX_LIMITS),
    ):
        with contextlib.suppress(ValueError, OSError):  # a lower hard limit is there already
            resource.setrlimit(kind, (value, value + grace))


def _become_nobody(*, keep_reading: bool) -> None:
    """Drop every right of root but, under Landlock, reading: the interpreter may live in a folder closed to others."""
    if _is_linux:
        _libc.prctl(_KEEP_CAPABILITIES, 1 if keep_reading else 0, 0, 0, 0)
    with contextlib.suppress(OSError):  # where it fails, the user is found missing afterwards
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def _drop_capabilities(*, keep_reading: bool) -> None:
    """Also what an ordinary user gets by making a namespace."""
    kept = _READ_EVERYTHING if keep_reading else 0
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _libc.capset(header, (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0))


def _open_to_everybody(paths: Iterable[Path]) -> bool:
    """Return whether a user without rights could enter every one of `paths` that exists."""
    steps = {step for path in paths if path.exists() for step in (path, *path.parents)}
    return all(step.stat().st_mode & (0o001 if step.is_dir() else 0o004) for step in steps)


def _missing(started_as: int) -> Iterable[Layer]:
    if 0 in {os.getuid(), os.geteuid()} or os.geteuid() == started_as:
        yield Layer.USER
    if _can(lambda: os.close(os.open("/", os.O_RDONLY))):
        yield Layer.FILES
    if _can(lambda: socket.socket().close()):
        yield Layer.CALLS


def _can(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True
