"""Tables show what they hold on a terminal of 80 columns: names fold, and nothing is cut."""

import io

from rich.console import Console
from rich.table import Table

from hub.cli.console import folding, whole

ID = "pro_06dvh3x5m8qk2v7c1n4pz9tbwr"
ROW = ("contact_phone_set_for_everybody", "staging", "1.0.1 3fa9c2d1, not 1.0.0 8810fe21", "withdrawn")


def printed(*columns: object, row: tuple[str, ...]) -> str:
    table = Table(*columns)  # type: ignore[arg-type]  # columns, or heads
    table.add_row(*row)
    console = Console(file=io.StringIO(), width=80)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]  # it is the one above


def test_names_fold_and_nothing_is_cut_at_80_columns() -> None:
    heads = ("connector", "to", "release", "state")

    told = printed(
        whole("id", [ID]), *(folding(*one) for one in zip(heads, ([each] for each in ROW), strict=True)), row=(ID, *ROW)
    )

    cells = [line[1:-1].split("│") for line in told.splitlines() if line.startswith("│")]
    assert "…" not in told
    assert max(map(len, told.splitlines())) <= 80
    assert "".join(line[1].strip() for line in cells) == ROW[0]
    assert [" ".join(line[at].strip() for line in cells).strip() for at in (0, 2, 3, 4)] == [ID, *ROW[1:]]
    assert all(head in told for head in heads)


def test_seven_columns_show_whole_names_of_tools() -> None:
    heads = ("there", "effect", "tier", "class", "preview", "undo")
    row = ("contact_phone_set", "contact-phone-set", "update", "critical", "A", "simulated", "partial")

    told = printed(folding("tool", row[:1]), *map(folding, heads), row=row)

    cells = [line[1:-1].split("│") for line in told.splitlines() if line.startswith("│")]
    assert "…" not in told
    assert max(map(len, told.splitlines())) <= 80
    assert tuple("".join(line[at].strip() for line in cells) for at in range(7)) == row
