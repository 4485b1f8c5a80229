"""Authors get their types checked: both checkers infer the sample's types and refuse its misuse."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = Path(__file__).with_name("typed_sample.py")
MYPY = ("mypy", "--strict", "--warn-unused-ignores", "--config-file=", "--cache-dir=/dev/null")


@pytest.mark.parametrize("command", [MYPY, ("pyright",)], ids=["mypy", "pyright"])
def test_a_type_checker_infers_what_an_author_wrote(command: tuple[str, ...], tmp_path: Path) -> None:
    strict = tmp_path / "typed_sample.py"
    sample = SAMPLE.read_text()
    if command[0] == "pyright":  # it would take mypy's marks for its own
        sample = re.sub(r"# type: ignore\S*", "", sample)
    strict.write_text(f"# pyright: strict, reportUnnecessaryTypeIgnoreComment=true\n{sample}")

    checked = [sys.executable, "-m", *command, str(strict)]
    run = subprocess.run(checked, cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr
