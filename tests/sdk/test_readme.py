"""The README's way to a connector is one that works: its code runs, and prints what it says it prints."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from upstream.fixtures import running

README = Path(__file__).parents[2] / "connectors" / "README.md"


def blocks(kind: str) -> dict[str, str]:
    """Return the code blocks marked `kind=NAME`, those with the same name one after another."""
    found: dict[str, str] = {}
    for name, text in re.findall(rf"^```\w+ {kind}=(\S+)\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL):
        found[name] = found.get(name, "") + text
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder with the README's files, and the address of the system that its first command starts."""
    folder = tmp_path_factory.mktemp("readme") / "var" / "stock"
    folder.mkdir(parents=True)
    for name, text in blocks("file").items():
        (folder / name).write_text(text)
    (module, *options) = commands()[0].partition("-m ")[2].split()
    given = dict(zip(options[::2], options[1::2], strict=False)) | {"--database": str(folder / "stock.sqlite")}
    assert options[-1] == "--example"
    with running(module, "--database", given["--database"], "--example") as (_, port):
        yield folder, f"http://127.0.0.1:{port}"


def commands() -> list[str]:
    """Return the shell commands."""
    return re.findall(r"^```sh\n(.*?)\n```$", README.read_text(), re.MULTILINE | re.DOTALL)


def run_in(shop: tuple[Path, str], *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a reader of the README does."""
    variables = {**os.environ, **environment}
    return subprocess.run(command, cwd=shop[0], env=variables, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.more
def test_the_way_of_the_readme_can_be_gone_to_its_end(shop: tuple[Path, str], sqlite_template: Path) -> None:
    checkout = shop[0].parents[1]
    home = checkout / "home"
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "toolhub.db")
    steps = "\n".join(["set -e", *commands()[1:]]).replace("http://127.0.0.1:8700", shop[1])
    script = steps.replace(".venv/bin/toolhub", str(Path(sys.executable).with_name("toolhub")))

    gone = subprocess.run(
        ["sh", "-c", script],
        cwd=checkout,
        env={**os.environ, "TOOLHUB_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert gone.stdout.count("No line failed.") == script.count("connector check") == 2
    assert "Not tried" not in gone.stdout
    assert "It works." in gone.stdout


def test_the_programs_of_the_readme_print_what_it_says_they_print(shop: tuple[Path, str]) -> None:
    for name, printed in blocks("output").items():
        run = run_in(shop, sys.executable, name, shop[1])
        assert run.stderr == ""
        assert run.stdout == printed


def test_the_connectors_of_the_readme_are_declared_without_contradictions(shop: tuple[Path, str]) -> None:
    for name, connector in (("stock", "stock"), ("shelf", "shelf"), ("lists", "crm"), ("calls", "crm")):
        run = run_in(shop, sys.executable, "-c", f"import {name}; print({name}.{connector}.spec.entry)")
        assert (run.stdout, run.stderr) == (f"{name}:{connector}\n", "")
    # terms.py is a server; it is run where federation is tested
    assert set(blocks("file")) == {"stock.py", "shelf.py", "lists.py", "calls.py", "terms.py", *blocks("output")}


def test_every_block_of_the_readme_is_run_or_is_no_program() -> None:
    languages = re.findall(r"^```(\w+)(.*)$", README.read_text(), re.MULTILINE)

    assert [kind for kind, name in languages if not name] == ["sh", "sh", "sh", "toml"]
