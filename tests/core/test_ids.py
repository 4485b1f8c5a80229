"""Identifiers: in the order in which one process made them, whatever the clock does within a second."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from hub.core.ids import earliest_id, is_id, new_id

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: int(moment.timestamp() * 1000) * 1_000_000)


def test_ids_of_one_millisecond_sort_as_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, NOW)

    made = [new_id("inv") for _ in range(5000)]

    assert made == sorted(set(made))
    assert all(is_id(one, "inv") for one in made)
    assert all(earliest_id("inv", NOW) <= one < earliest_id("inv", NOW + timedelta(seconds=1)) for one in made)


def test_a_clock_that_is_set_right_makes_no_disorder(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, NOW)
    before = new_id("inv")
    at(monkeypatch, NOW - timedelta(milliseconds=900))

    assert new_id("inv") > before


def test_ids_follow_a_clock_that_was_wrong_by_far(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, NOW + timedelta(days=1))
    new_id("inv")
    at(monkeypatch, NOW)

    assert earliest_id("inv", NOW) <= new_id("inv") < earliest_id("inv", NOW + timedelta(seconds=1))


def test_nobody_guesses_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, NOW)
    ends = [new_id("inv")[-8:] for _ in range(1000)]

    assert len(set(ends)) == len(ends), "their last forty bits are as random as ever"
    assert ends != sorted(ends)
