"""Confining this process for good: limits, a user without rights, Landlock, seccomp; and the level that was reached."""

import contextlib
import ctypes
import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from sandbox import landlock, seccomp

NOBODY: Final = 65534
_KEEP_CAPABILITIES, _SET_DUMPABLE, _DIE_WITH_PARENT, _SET_NO_NEW_PRIVS = 8, 4, 1, 38
_KILL_SIGNAL: Final = 9
_NEW_NETWORK, _NEW_IPC = 0x40000000, 0x08000000
_READ_EVERYTHING: Final = 1 << 2  # CAP_DAC_READ_SEARCH
_CAPABILITY_VERSION: Final = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class Level(StrEnum):
    """How confined connector code ran, from not at all to fully; the order is that of the members."""

    NONE = "none"
    LIMITS = "limits"
    PARTIAL = "partial"
    FULL = "full"

    @property
    def rank(self) -> int:
        """Return the place in the order, 0 for none."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one process may use: processor seconds, bytes of address space, open files, bytes written to a file."""

    cpu_seconds: int = 30
    memory_bytes: int = 1 << 30
    open_files: int = 64
    file_bytes: int = 0


def confine(readable: Sequence[Path], limits: Limits) -> Level:
    """Confine this process and return the level reached. What it says is what holds; it never rounds up."""
    _die_with_parent()
    _limit(limits)
    is_root = os.geteuid() == 0
    if is_root:
        # without a network namespace seccomp still refuses every socket; with it there is nothing to reach either
        _libc.unshare(_NEW_NETWORK | _NEW_IPC)
    can_lock = landlock.abi() > 0
    is_nobody = not is_root or _become_nobody(keep_reading=can_lock)
    _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    is_locked = landlock.restrict_to_reading(readable)
    is_filtered = seccomp.restrict_calls()
    if is_nobody and is_locked and is_filtered:
        return Level.FULL
    return Level.PARTIAL if is_locked or is_filtered else Level.LIMITS


def _die_with_parent() -> None:
    _libc.prctl(_DIE_WITH_PARENT, _KILL_SIGNAL, 0, 0, 0)


def _limit(limits: Limits) -> None:
    for kind, value in (
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # a lower hard limit is there already
            resource.setrlimit(kind, (value, value))


def _become_nobody(*, keep_reading: bool) -> bool:
    """Drop every right of root but, under Landlock, reading: the interpreter may live in a folder closed to others."""
    _libc.prctl(_KEEP_CAPABILITIES, 1 if keep_reading else 0, 0, 0, 0)
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return False
    kept = _READ_EVERYTHING if keep_reading else 0
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)
    return int(_libc.capset(header, sets)) == 0
