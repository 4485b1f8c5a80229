"""Money and time are shown as people read them, and never guessed at."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.core.money import money
from hub.web.moments import at, span

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (123450, "EUR", "EUR\u00a01,234.50"),
        (5, "USD", "USD\u00a00.05"),
        (0, "EUR", "EUR\u00a00.00"),
        (-123450, "EUR", "\u2212EUR\u00a01,234.50"),
        (1500, "JPY", "JPY\u00a01,500"),
        (1500, "KWD", "KWD\u00a01.500"),
        (1500, "XTS", "1,500 minor units of XTS"),
        (1500, None, "1,500 minor units of an unnamed currency"),
    ],
)
def test_minor_units_are_shown_with_the_decimals_of_their_currency(
    minor: int, currency: str | None, shown: str
) -> None:
    assert money(minor, currency) == shown


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(seconds=20), "in less than a minute"),
        (timedelta(seconds=-20), "just now"),
        (timedelta(minutes=1), "in 1 minute"),
        (timedelta(minutes=-12, seconds=-40), "12 minutes ago"),
        (timedelta(hours=23, minutes=59), "in 23 hours"),
        (timedelta(days=-2), "2 days ago"),
    ],
)
def test_how_far_away_a_moment_is_stands_beside_it(distance: timedelta, words: str) -> None:
    assert at(NOW + distance, now=NOW).relative == words


def test_a_moment_has_a_form_for_machines_and_one_for_people() -> None:
    shown = at(NOW, now=NOW)

    assert (shown.iso, shown.clock, shown.is_past) == ("2026-11-21T14:00:00Z", "21 Nov 2026, 14:00 UTC", True)
    assert span(timedelta(seconds=600)) == "10 minutes"
