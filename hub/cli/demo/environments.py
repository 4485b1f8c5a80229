"""The environments beside the hub's own that the demo needs, made when they are missing: LangGraph's and Tryton's."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import hub
from connectors.tryton_server import Installation, SetupFailed, install
from hub.cli.demo.telling import Unexpected

Say = Callable[[str], None]
"""Takes one sentence of progress."""

ROOT: Final = Path(hub.__file__).parents[1]
ENVIRONMENTS: Final = ROOT / ".venvs"
CONSTRAINTS: Final = ROOT / "constraints" / "langgraph.txt"
_PACKAGES: Final = ("pip", "langgraph", "langchain", "langchain-mcp-adapters")
_CHARACTERS_SHOWN: Final = 2000


def langgraph(say: Say) -> Path:
    """Return the Python that has LangGraph, after installing it if it is missing (half a minute).

    It has an environment of its own because its MCP adapter pins an older `mcp` than the hub serves with.

    Raises:
        Unexpected: it could not be installed.
    """
    folder = ENVIRONMENTS / "langgraph"
    python, mark = folder / "bin" / "python", folder / "ready"
    if mark.exists():
        return python
    if not CONSTRAINTS.exists():
        raise Unexpected(f"{CONSTRAINTS} is missing: the demo runs from a checkout of the sources.")
    say("LangGraph: an environment of its own, from pinned constraints (about half a minute, the first time)")
    _run([sys.executable, "-m", "venv", str(folder)])
    quietly = ["--disable-pip-version-check", "--no-input", "--quiet", "--root-user-action=ignore"]
    _run([str(python), "-m", "pip", "install", *quietly, "--constraint", str(CONSTRAINTS), *_PACKAGES])
    mark.touch()
    return python


def tryton(say: Say) -> Installation:
    """Return Tryton with its seeded company, after making what is missing (about a minute).

    Raises:
        Unexpected: it could not be set up.
    """
    try:
        return install(ENVIRONMENTS, say)
    except SetupFailed as error:
        raise Unexpected(str(error)) from error


def _run(command: list[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own arguments
    if ended.returncode:
        said = (ended.stdout + ended.stderr)[-_CHARACTERS_SHOWN:]
        raise Unexpected(f"{' '.join(command[:4])} ... ended with {ended.returncode}:\n{said}")
