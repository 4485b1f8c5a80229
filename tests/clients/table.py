"""The table of the README: made of what was observed, and of nothing else."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from clients.clients import CLIENTS, HERE, ROOT
from clients.story import YES

Json = Any

OBSERVED: Final = HERE / "observed.json"
README: Final = ROOT / "README.md"
BEGIN: Final = "<!-- the client matrix, written by `make matrix` -->"
END: Final = "<!-- end of the client matrix -->"
SHORT: Final = {
    "lists": "lists",
    "reads": "reads",
    "waits, then gets the result": "waits, gets the result",
    "is told of a refusal": "refusal",
    "loses an answer": "answer lost",
    "gives up waiting": "gives up",
    "meets a slow system": "slow system",
}
"""What stands at the head of each column."""


def recorded() -> dict[str, Json]:
    """Return what was observed when the matrix was last written."""
    found: dict[str, Json] = json.loads(OBSERVED.read_text())
    return found


def record(observed: Mapping[str, Json]) -> None:
    """Write what was observed, and the README's table of it."""
    OBSERVED.write_text(json.dumps(observed, indent=2, ensure_ascii=False) + "\n")
    text = README.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n{table(observed)}\n{END}{after}")


def shown() -> str:
    """Return the table that stands in the README."""
    return README.read_text().split(BEGIN)[1].split(END)[0].strip()


def table(observed: Mapping[str, Json]) -> str:
    """Return the table of `observed`, with a line below it for each step that a client did not get through."""
    heads = ["client", "protocol", "token", *SHORT.values()]
    rows = [_row(name, observed[name]) for name in CLIENTS if name in observed]
    falls = [
        f"\n{_named(name, observed[name])}, {step}: {cell.removeprefix('no: ')}"
        for name in CLIENTS
        if name in observed
        for step, cell in observed[name]["cells"].items()
        if not cell.startswith(YES)
    ]
    return "\n".join([_line(heads), _line(["---"] * len(heads)), *rows, *falls])


def _row(name: str, seen: Mapping[str, Json]) -> str:
    cells = [cell if (cell := seen["cells"][step]).startswith(YES) else "**no**" for step in SHORT]
    return _line([_named(name, seen), seen["protocol"], seen["token"], *cells])


def _named(name: str, seen: Mapping[str, Json]) -> str:
    client = CLIENTS[name]
    return f"{client.title} ({client.told.rpartition('/')[2]} {seen['versions'][client.told]})"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
