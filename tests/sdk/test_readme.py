"""The README's way to a connector is one that works: its code runs, and prints what it says it prints."""

import re
import subprocess
import sys
from pathlib import Path

from upstream.fixtures import running

README = Path(__file__).parents[2] / "connectors" / "README.md"


def blocks(kind: str) -> dict[str, str]:
    """Return the code blocks marked `kind=NAME`, those with the same name one after another."""
    found: dict[str, str] = {}
    for name, text in re.findall(rf"^```\w+ {kind}=(\S+)\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL):
        found[name] = found.get(name, "") + text
    return found


def test_the_connector_of_the_readme_passes_the_checks_it_shows(tmp_path: Path) -> None:
    for name, text in blocks("file").items():
        (tmp_path / name).write_text(text)

    with running("upstream.server", "--database", str(tmp_path / "stock.sqlite")) as (_, port):
        command = [sys.executable, "check.py", f"http://127.0.0.1:{port}"]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    assert run.stderr == ""
    assert run.stdout == blocks("output")["check.py"]
