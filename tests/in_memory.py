"""Where tests keep their files: in memory, if there is room, since a new database there is made twenty times as fast.

Nothing of what they prove asks the files to outlive the machine: what crashes in them are processes.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")  # noqa: S108  # each test has a folder of its own there, as under /tmp
_ROOM: Final = 4 * 2**30
"""Bytes that have to be free: two servers of PostgreSQL with their logs, browsers and failed tests need about half."""


def pytest_configure() -> None:
    """Let everything that asks for a temporary folder get it in memory, unless `TMPDIR` says where."""
    if "TMPDIR" not in os.environ and _can_hold_files(MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def _can_hold_files(folder: Path) -> bool:
    """Return whether there is room in `folder`, and programs that tests write there can be started."""
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        return False
    is_barred = os.statvfs(folder).f_flag & os.ST_NOEXEC
    return not is_barred and shutil.disk_usage(folder).free >= _ROOM
