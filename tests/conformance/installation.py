"""Installs the conformance suite from npm, at the version that is pinned."""

from pathlib import Path
from typing import Final

from locked_packages import installed

SUITE: Final = Path(__file__).parent / "suite"
HOME: Final = Path(__file__).parents[2] / ".venvs"


def install(home: Path = HOME) -> Path:
    """Return the suite's program, installed from its lock file; made once and kept."""
    folder = installed(SUITE, home, "conformance")
    return folder / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
