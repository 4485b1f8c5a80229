"""Landlock by system call: from here on this process may read below the given folders, and touch no other file."""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION_FLAG: Final = 1
_PATH_BENEATH: Final = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_RIGHTS_BY_ABI: Final = {1: 13, 2: 14, 3: 15, 5: 16}  # how many file rights each version knows
_NETWORK_SINCE: Final = 4
_SCOPES_SINCE: Final = 6

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """Return the kernel's Landlock version, 0 if it has none."""
    return max(int(_libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)), 0)


def restrict_to_reading(folders: Iterable[Path]) -> bool:
    """Deny every file access but reading below `folders`, every TCP bind and connect; return whether it took hold."""
    version = abi()
    if version == 0:
        return False
    rights = (1 << max(bits for since, bits in _RIGHTS_BY_ABI.items() if since <= version)) - 1
    network = 3 if version >= _NETWORK_SINCE else 0
    scopes = 3 if version >= _SCOPES_SINCE else 0
    attributes = struct.pack("QQQ", rights, network, scopes)
    size = 8 if version < _NETWORK_SINCE else 16 if version < _SCOPES_SINCE else 24
    ruleset = int(_libc.syscall(_CREATE_RULESET, attributes[:size], size, 0))
    if ruleset < 0:
        return False
    try:
        for folder in folders:
            _allow_reading(ruleset, folder)
        return int(_libc.syscall(_RESTRICT_SELF, ruleset, 0)) == 0
    finally:
        os.close(ruleset)


def _allow_reading(ruleset: int, folder: Path) -> None:
    try:
        opened = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no leave
    try:
        rights = _READ_FILE | _READ_DIR if folder.is_dir() else _READ_FILE
        rule = struct.pack("=Qi", rights, opened)
        _libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(opened)
