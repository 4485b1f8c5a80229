"""What every client of the matrix does at a real hub, and that the README says exactly that.

`make matrix` writes what is observed into `observed.json` and into the README's table; without it, what is observed has
to be what stands there.
"""

import re
import subprocess
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from clients.clients import CLIENTS, Played
from clients.mishaps import Mishaps
from clients.stage import Fell, Stage, opened
from clients.story import STEPS, gives_up, loses_an_answer, observe, unanswered
from clients.table import SHORT, recorded, shown, table
from hub.storage import Database

NOT_PINNED = ("pip==", "setuptools==")
"""What Python 3.11 puts into every environment that it makes."""


@pytest.mark.more
@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(CLIENTS))
async def test_a_client_does_what_the_table_says_and_no_decision_of_its_model_has_two_effects(
    name: str, database: Database, tmp_path: Path
) -> None:
    async with opened(CLIENTS[name], database, tmp_path / name) as stage:
        seen = (await observe(stage)).as_json()

    assert seen == recorded()[name]


@pytest.mark.more
@pytest.mark.anyio
@pytest.mark.parametrize("step", [loses_an_answer, gives_up])
async def test_a_client_gets_through_no_step_whose_mishap_does_not_happen(
    step: Callable[[Stage], Awaitable[str]], database: Database, tmp_path: Path
) -> None:
    async with opened(CLIENTS["langgraph"], database, tmp_path / "stage") as stage:
        with pytest.raises(Fell, match="nothing happened to the answer"):
            await step(replace(stage, mishaps=Mishaps(nothing_behind)))


def test_a_client_that_saw_the_answer_all_the_same_gets_through_no_mishap() -> None:
    saw = Played(offered=(), shown=("502", "the ruler is there"), raised=None)

    unanswered(saw, "pencil", struck=True)
    unanswered(saw, "ruler", struck=True, resumed=True)
    with pytest.raises(Fell, match="the answer arrived all the same: the ruler is there"):
        unanswered(saw, "ruler", struck=True)


async def nothing_behind(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer nothing: nobody's messages come this way."""


def test_the_readme_shows_what_was_observed() -> None:
    assert shown() == table(recorded())


def test_every_client_of_the_matrix_was_observed_in_every_step() -> None:
    assert recorded().keys() == CLIENTS.keys()
    for seen in recorded().values():
        assert list(seen["cells"]) == list(STEPS) == list(SHORT)


@pytest.mark.parametrize("name", sorted(name for name, client in CLIENTS.items() if client.packages))
def test_what_was_observed_is_what_is_pinned(name: str) -> None:
    pins = dict(line.split("==") for line in CLIENTS[name].constraints.read_text().splitlines() if "==" in line)

    canonical = {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in pins.items()}

    for package, version in recorded()[name]["versions"].items():
        assert canonical[package] == version
    for package in CLIENTS[name].packages:
        assert package.split("[")[0] in canonical


@pytest.mark.more
@pytest.mark.parametrize("name", sorted(name for name, client in CLIENTS.items() if client.packages))
def test_what_is_installed_for_a_client_is_what_is_pinned(name: str) -> None:
    client = CLIENTS[name]
    freeze = [str(client.python), "-m", "pip", "--disable-pip-version-check", "freeze", "--all"]

    installed = subprocess.run(freeze, capture_output=True, text=True, check=True).stdout.splitlines()

    pinned = client.constraints.read_text().splitlines()
    assert _without_pip(installed) == _without_pip(line for line in pinned if not line.startswith("#"))


def _without_pip(lines: Iterable[str]) -> set[str]:
    return {line for line in lines if not line.startswith(NOT_PINNED)}
