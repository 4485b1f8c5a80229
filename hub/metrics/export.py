"""Numbers as CSV (RFC 4180), for spreadsheets: a row for each metric of each line."""

import csv
from io import StringIO
from typing import Final

from hub.metrics.answers import Answer

HEADER: Final = (
    "first_day",
    "last_day",
    "by",
    "key",
    "label",
    "metric",
    "value",
    "unit",
    "of",
    "n",
    "rests_on_few",
    "formula",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How text begins that a spreadsheet would take for a formula of its own."""


def as_csv(answer: Answer) -> str:
    """Return the answer as CSV; where there is no data, the value is empty."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    wanted = answer.allowed.wanted
    for line in answer.lines:
        for one in line.measured:
            row = (
                wanted.first.isoformat(),
                wanted.last.isoformat(),
                wanted.by.value,
                line.key,
                line.label,
                one.metric.name,
                "" if one.value is None else str(one.value),
                one.unit or one.metric.unit,
                "" if one.of is None else str(one.of),
                str(one.n),
                "yes" if one.rests_on_few else "no",
                one.metric.formula,
            )
            writer.writerow([inert_cell(cell) for cell in row])
    return text.getvalue()


def inert_cell(cell: str) -> str:
    """Return a cell that no spreadsheet computes: names are chosen by others."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
