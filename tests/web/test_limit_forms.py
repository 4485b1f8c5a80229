"""Owns what people may type for a limit: lengths of time and money as they write them, and what is refused."""

import pytest

from hub.budgets import Limit, Measure, NewLimit, Per
from hub.core.errors import InputError
from hub.core.money import minor_units
from hub.web.forms import Form
from hub.web.limit_forms import amount_in, amount_typed, limit_in


def typed(*told: str, **fields: str) -> NewLimit:
    form = Form(fields={name: (value,) for name, value in fields.items()})
    return limit_in(form, per=Per.AGENT, subject="agt_1", told=told)


@pytest.mark.parametrize(
    ("window", "seconds"),
    [
        ("86400", 86_400),
        ("30 minutes", 1_800),
        ("15min", 900),
        ("an hour", 3_600),
        ("1 Hour", 3_600),
        ("day", 86_400),
        ("7 days", 604_800),
        ("2 weeks", 1_209_600),
        ("  ", 0),
    ],
)
def test_a_window_is_typed_as_people_say_it(window: str, seconds: int) -> None:
    assert typed(measure="calls", amount="5", unit="", window=window).seconds == seconds


@pytest.mark.parametrize("window", ["soon", "1 fortnight", "-1 hour", "1.5 hours", "1 hour 30 minutes", "\u0663 hours"])
def test_a_window_that_is_not_understood_is_refused_with_one_that_is(window: str) -> None:
    with pytest.raises(InputError, match="30 minutes, 1 hour, 7 days"):
        typed(measure="calls", amount="5", unit="", window=window)


@pytest.mark.parametrize(
    ("written", "currency", "minor"),
    [
        ("250", "EUR", 25_000),
        ("250.5", "EUR", 25_050),
        ("1,234.50", "EUR", 123_450),
        ("1234", "JPY", 1_234),
        ("1.234", "KWD", 1_234),
        ("1,500.000", "KWD", 1_500_000),
        ("1,500,000", "KWD", 1_500_000_000),
        ("77", "XTS", 77),
    ],
)
def test_money_is_written_in_the_figures_of_its_currency(written: str, currency: str, minor: int) -> None:
    assert minor_units(written, currency) == minor


@pytest.mark.parametrize(
    ("written", "currency", "told"),
    [
        ("12,50", "EUR", "like 1234.50"),
        ("1.234,50", "EUR", "like 1234.50"),
        ("1.234", "EUR", "like 1234.50"),
        ("1.5", "JPY", "like 1234."),
        ("-5", "EUR", "like 1234.50"),
        ("many", "KWD", "like 1234.500"),
        ("1,500", "KWD", "like 1234.500"),
        ("7.5", "XTS", "not known here"),
        ("", "EUR", "like 1234.50"),
    ],
)
def test_what_could_be_another_amount_is_refused_with_one_that_is_clear(written: str, currency: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        minor_units(written, currency)


@pytest.mark.parametrize(
    ("measure", "unit", "amount", "counted"),
    [
        (Measure.MONEY, "EUR", "250.00", 25_000),
        (Measure.COST, "EUR", "2.50", 250),
        (Measure.COST, "credits", "2", 2),
        (Measure.TIME, "", "10 minutes", 600),
        (Measure.AT_ONCE, "", "4", 4),
    ],
)
def test_an_amount_is_typed_as_what_it_is_and_shown_so_again(
    measure: Measure, unit: str, amount: str, counted: int
) -> None:
    assert amount_in(amount, measure, unit) == counted
    again = Limit(id="lim_1", per=Per.RUN, subject="", measure=measure, unit=unit, amount=counted, seconds=60)
    assert amount_in(amount_typed(again), measure, unit) == counted


@pytest.mark.parametrize(("measure", "unit"), [("calls", ""), ("cost", "credits")])
def test_what_is_counted_whole_has_no_decimals(measure: str, unit: str) -> None:
    with pytest.raises(InputError, match="whole numbers"):
        typed(measure=measure, amount="2.5", unit=unit, window="1 hour")


def test_a_currency_is_its_code_however_it_is_typed_for_money_in_eur_is_not_counted_as_eur_typed_small() -> None:
    assert typed(measure="money", amount="5", unit="eur", window="1 day").unit == "EUR"
    assert typed(measure="cost", amount="5", unit="Credits", window="1 day").unit == "Credits"


@pytest.mark.parametrize(
    ("told", "unit", "meant"),
    [
        (("all", "EUR"), "all", "all"),
        (("all", "ALL"), "all", "all"),
        (("all", "ALL"), "ALL", "ALL"),
        (("ALL",), "all", "ALL"),
        (("top",), "Top", "top"),
        (("EUR",), "eur", "EUR"),
        (("credits",), "Credits", "credits"),
        ((), "EUR", "EUR"),
    ],
)
def test_a_cost_is_limited_in_the_unit_that_tools_tell_it_in(told: tuple[str, ...], unit: str, meant: str) -> None:
    assert typed(*told, measure="cost", amount="5", unit=unit, window="1 day").unit == meant


def test_a_unit_of_a_cost_that_may_be_a_currency_or_not_is_asked_about() -> None:
    with pytest.raises(InputError, match=r"in all or in ALL\. If you mean the currency, write ALL"):
        typed("EUR", measure="cost", amount="5", unit="all", window="1 day")


@pytest.mark.parametrize(
    ("measure", "unit", "amount", "seconds", "words"),
    [
        (Measure.MONEY, "EUR", 500_000, 86_400, "EUR\u00a05,000.00 of money in a day for one agent"),
        (Measure.MONEY, "XTS", 7, 86_400, "7 minor units of XTS of money in a day for one agent"),
        (Measure.COST, "EUR", 250, 3_600, "EUR\u00a02.50 of cost in an hour for one agent"),
        (Measure.COST, "credits", 250, 3_600, "250 credits of cost in an hour for one agent"),
        (Measure.CALLS, "", 1_000, 1_800, "1,000 calls in 30 minutes for one agent"),
        (Measure.TIME, "", 5_400, 0, "90 minutes from its first call on for one agent"),
        (Measure.TIME, "", 0, 0, "no time from its first call on for one agent"),
    ],
)
def test_a_limit_says_what_it_allows_in_figures_that_people_read(
    measure: Measure, unit: str, amount: int, seconds: int, words: str
) -> None:
    limit = Limit(id="lim_1", per=Per.AGENT, subject="", measure=measure, unit=unit, amount=amount, seconds=seconds)

    assert limit.words == words
