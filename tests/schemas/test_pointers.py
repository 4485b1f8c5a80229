"""Pointers to items: every reader of them finds the item that is there, and no number is too long for any."""

import pytest

from connectors.odata.loading import read_metadata
from connectors.sdk.pointer import resolve
from hub.registry.references import picked
from schemas.pointers import position

LONG = "1" * 5000
"""More digits than Python reads a number of."""


@pytest.mark.parametrize(
    ("step", "found"), [("0", 0), ("2", 2), ("3", None), ("-1", None), ("", None), ("one", None), (LONG, None)]
)
def test_a_step_names_an_item_that_is_there_or_none(step: str, found: int | None) -> None:
    assert position(step, ["a", "b", "c"]) == found


def test_values_are_followed_and_picked_by_the_same_rule() -> None:
    value = {"rows": ["a", "b"]}

    assert resolve(value, "/rows/1") == "b"
    assert resolve(value, f"/rows/{LONG}") is None
    assert picked(value, ["/rows/1", f"/rows/{LONG}"]) == {"rows": [None, "b"]}


def test_numbers_of_metadata_that_nobody_reads_are_left_out() -> None:
    metadata = (
        '<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0"><edmx:DataServices>'
        '<Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="n"><EntityType Name="e">'
        f'<Property Name="a" Type="Edm.String" MaxLength="{LONG}"/><Property Name="b" Type="Edm.String" MaxLength="9"/>'
        "</EntityType></Schema></edmx:DataServices></edmx:Edmx>"
    )

    read = str(read_metadata(metadata.encode()))

    assert LONG not in read
    assert "'$MaxLength': 9" in read
