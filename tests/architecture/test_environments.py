"""The pinned environments are complete: what is installed is what is written, and what is asked for is pinned."""

import re
import subprocess
import tomllib
from importlib.metadata import Distribution, distributions

import pytest

from architecture.tree import ROOT

NOT_PINNED = {"toolhub", "setuptools"}  # ourselves, and what Python 3.11 puts into every environment it makes
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / "constraints" / name).read_text().splitlines()
    found = (line.partition("==") for line in lines if not line.startswith("#"))
    return {canonical(package): version for package, _, version in found}


def is_connector(installed: Distribution) -> bool:
    """Return whether somebody works on a connector of their own here, which is no part of the hub."""
    return bool(installed.entry_points.select(group="toolhub.connectors"))


def test_what_is_installed_is_what_is_pinned() -> None:
    pinned = pins("hub.txt")
    installed = {
        name: each.version
        for each in distributions()
        if (name := canonical(each.metadata["Name"])) in pinned or not is_connector(each)
    }

    for name in NOT_PINNED:
        installed.pop(name, None)
    assert installed == pinned


def test_what_the_project_asks_for_is_pinned() -> None:
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]

    names = {canonical(re.match(r"[\w.-]+", each)[0]) for each in asked}

    assert names <= set(pins("hub.txt"))


@pytest.mark.parametrize("name", ["langgraph", "langchain", "langchain-mcp-adapters"])
def test_the_agent_framework_is_pinned(name: str) -> None:
    assert name in pins("langgraph.txt")


def test_every_rule_that_is_off_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    ruff = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.pydocstyle]")]

    off = [line for line in ruff.splitlines() if re.match(r'\s+"[A-Z]+\d*",', line)]

    assert off
    assert [line for line in off if not re.search(r'",\s+# \S+', line)] == []


def test_make_without_a_target_says_what_there_is_to_make() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    for target in ("help", "demo", "test", "test-more", "check", "bench", "run", "clean"):
        assert f"make {target} " in shown


def test_the_two_commands_are_what_runs_before_a_change_lands() -> None:
    script = (ROOT / ".ci" / "run").read_text()

    assert script.index("\nmake test\n") < script.index("\nmake test-more\n")
    assert "exec </dev/null" in script
