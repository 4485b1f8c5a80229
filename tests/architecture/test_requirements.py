"""Every promise about writes has its tests, and every test of the files that keep them belongs to a promise."""

import tomllib
from collections import Counter
from typing import Any, Final

import pytest

from architecture.named_tests import ROOT, names_in, skipped_in, skipped_of

REQUIREMENTS: Final = ROOT / "hub" / "requirements.toml"


def _requirements() -> dict[str, Any]:
    return tomllib.loads(REQUIREMENTS.read_text(encoding="utf-8"))


def test_every_promise_is_said_in_a_sentence_and_kept_by_tests_that_are_there() -> None:
    promises = _requirements()["promise"]
    named = {name for promise in promises for name in promise["tests"]}
    there = {name for path in {name.partition("::")[0] for name in named} for name in names_in(path)}

    assert promises
    assert all(promise["says"].endswith(".") and promise["tests"] for promise in promises)
    assert named - there == set(), "named in hub/requirements.toml, and not there: rename or remove them"
    assert max(Counter(promise["id"] for promise in promises).values()) == 1


def test_every_test_that_keeps_promises_belongs_to_one() -> None:
    wanted = _requirements()
    named = {name for promise in wanted["promise"] for name in promise["tests"]}
    kept_by = {name for path in wanted["kept_by"] for name in names_in(path)}

    assert kept_by - named == set(), "say in hub/requirements.toml which promise these tests keep"


def test_no_test_that_keeps_a_promise_is_skipped() -> None:
    assert skipped_of({name for promise in _requirements()["promise"] for name in promise["tests"]}) == []


@pytest.mark.parametrize(
    ("source", "skipped"),
    [
        ("def test_a(): ...", []),
        ("@pytest.mark.skip\ndef test_a(): ...\ndef test_b(): ...", ["test_a"]),
        ("@pytest.mark.skipif(True, reason='x')\nasync def test_a(): ...", ["test_a"]),
        ("pytestmark = [pytest.mark.anyio, pytest.mark.skip]\ndef test_a(): ...", ["test_a"]),
        ("pytest.importorskip('x')\ndef test_a(): ...", ["test_a"]),
        ("def test_a():\n    pytest.skip('not today')\ndef test_b(): ...", ["test_a"]),
        ("def test_a():\n    link.skip()", []),
    ],
)
def test_whatever_skips_a_test_is_found(source: str, skipped: list[str]) -> None:
    assert skipped_in(source) == skipped
