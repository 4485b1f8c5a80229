"""Every demand of the protocol on security has tests that are there, and tests written for demands belong to one."""

import tomllib
from collections import Counter
from typing import Any, Final

from architecture.named_tests import ROOT, names_in, skipped_of

MUSTS: Final = ROOT / "tests" / "conformance" / "musts.toml"


def _musts() -> dict[str, Any]:
    return tomllib.loads(MUSTS.read_text(encoding="utf-8"))


def _named() -> set[str]:
    return {name for must in _musts()["must"] for name in must["tests"]}


def test_every_demand_is_said_in_a_sentence_and_shown_by_tests_that_are_there() -> None:
    musts = _musts()["must"]
    there = {name for path in {name.partition("::")[0] for name in _named()} for name in names_in(path)}

    assert musts
    assert all(must["says"].endswith(".") and must["of"] and must["tests"] for must in musts)
    assert _named() - there == set(), "named in tests/conformance/musts.toml, and not there: rename or remove them"
    assert max(Counter(must["id"] for must in musts).values()) == 1


def test_every_test_that_was_written_for_demands_belongs_to_one() -> None:
    shown_by = {name for path in _musts()["shown_by"] for name in names_in(path)}

    assert shown_by - _named() == set(), "say in tests/conformance/musts.toml which demand these tests show"


def test_no_test_that_shows_a_demand_is_skipped() -> None:
    assert skipped_of(_named()) == []
