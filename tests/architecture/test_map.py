"""The map of the hub shows the hub: every room in its order, and every file it names."""

import re
import tomllib
from itertools import pairwise

from architecture.tree import ROOT

HUB = ROOT / "hub"
TEXT = (HUB / "README.md").read_text()
ROOMS = TEXT[TEXT.index("## The rooms") : TEXT.index("## One word")]


def test_every_room_is_on_the_map() -> None:
    rooms = {folder.name for folder in HUB.iterdir() if (folder / "__init__.py").exists()}

    assert set(re.findall(r"`(\w+)/`", ROOMS)) - {"sandbox", "connectors", "schemas"} == rooms


def test_the_rooms_stand_in_the_order_that_is_enforced() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = next(each for each in project["tool"]["importlinter"]["contracts"] if each.get("containers") == ["hub"])
    order = [re.findall(r"\w+", layer) for layer in reversed(contract["layers"])]
    heights = {name: height for height, names in enumerate(order) for name in names}

    shown = [heights[room] for room in re.findall(r"^\| `(\w+)/` \|", ROOMS, re.MULTILINE)]

    assert len(shown) > 15
    assert all(lower <= higher for lower, higher in pairwise(shown))


def test_every_file_it_names_is_there() -> None:
    named = re.findall(r"`([a-z_]+/[a-z_./]*)`", TEXT)

    beside = {"sandbox/", "connectors/", "schemas/"}
    assert len(named) > 20
    assert [name for name in named if name not in beside and not (HUB / name).exists()] == []
