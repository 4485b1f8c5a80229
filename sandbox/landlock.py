"""Landlock by system call: from here on this process may touch only the files that are named, or all but those.

Source: the kernel's documentation, userspace-api/landlock. Numbers of system calls are the same on every architecture.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION_FLAG: Final = 1
_PATH_BENEATH: Final = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_RIGHTS_BY_ABI: Final = {1: 13, 2: 14, 3: 15, 5: 16}  # how many rights over files each version knows
_NETWORK_SINCE: Final = 4
_NETWORK: Final = 0b11  # TCP bind and connect
_SCOPES_SINCE: Final = 6
_SCOPES: Final = 0b11  # abstract Unix sockets and signals to processes outside
_SIGNALS: Final = 0b10
_PROCESSES: Final = Path("/proc")
_OF_FILES: Final = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15  # execute, write, read, truncate, device control

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """Return the kernel's Landlock version, 0 if it has none."""
    if sys.platform != "linux":
        return 0
    return max(int(_libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)), 0)


def hide(hidden: Iterable[Path]) -> bool:
    """Deny every access to what is at or below `hidden`, for good, and to what is in other processes; tell whether so.

    Everything else that is there now stays as open as it was; files may be made in folders that hide nothing. What the
    kernel tells of a process, its environment included, is hidden of all, this one too. Needs `no_new_privs`.
    """
    version = abi()
    if version == 0:
        return False
    rights = _rights(version)
    scoped = version >= _SCOPES_SINCE
    attributes = struct.pack("QQQ", rights, 0, _SIGNALS) if scoped else struct.pack("Q", rights)
    ruleset = int(_libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    if ruleset < 0:
        return False
    try:
        for open_to_it in _beside(Path("/"), {path.resolve() for path in hidden}):
            _allow(ruleset, open_to_it, rights if open_to_it.is_dir() else rights & _OF_FILES)
        return int(_libc.syscall(_RESTRICT_SELF, ruleset, 0)) == 0
    finally:
        os.close(ruleset)


def _beside(folder: Path, hidden: set[Path]) -> Iterator[Path]:
    """Yield the topmost paths below `folder` that neither are hidden nor hold what is."""
    for entry in folder.iterdir():
        if entry in hidden or entry.is_symlink():  # a link gives nothing that the place it leads to does not give
            continue
        if folder == _PROCESSES and entry.name.isdigit():
            continue
        if entry == _PROCESSES or any(entry in path.parents for path in hidden):
            yield from _beside(entry, hidden)
        else:
            yield entry


def restrict_to_reading(folders: Iterable[Path]) -> bool:
    """Deny every access to files but reading below `folders`, for good; return whether it took hold.

    Where the kernel knows how, TCP and signals to other processes are denied too. Needs `no_new_privs`.
    """
    version = abi()
    if version == 0:
        return False
    attributes = _attributes(version)
    ruleset = int(_libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    if ruleset < 0:
        return False
    try:
        for folder in folders:
            _allow_reading(ruleset, folder)
        return int(_libc.syscall(_RESTRICT_SELF, ruleset, 0)) == 0
    finally:
        os.close(ruleset)


def _rights(version: int) -> int:
    return int((1 << max(bits for since, bits in _RIGHTS_BY_ABI.items() if since <= version)) - 1)


def _attributes(version: int) -> bytes:
    rights = _rights(version)
    if version < _NETWORK_SINCE:
        return struct.pack("Q", rights)
    if version < _SCOPES_SINCE:
        return struct.pack("QQ", rights, _NETWORK)
    return struct.pack("QQQ", rights, _NETWORK, _SCOPES)


def _allow_reading(ruleset: int, folder: Path) -> None:
    _allow(ruleset, folder, _READ_FILE | _READ_DIR if folder.is_dir() else _READ_FILE)


def _allow(ruleset: int, folder: Path, rights: int) -> None:
    try:
        opened = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no leave
    try:
        _libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, opened), 0)
    finally:
        os.close(opened)
