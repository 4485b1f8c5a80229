"""Limits of a batch, pure."""

from hub.approvals import Limit


def test_a_limit_of_money_lets_through_what_is_known_to_be_within_it() -> None:
    limit = Limit(money_minor=5000, currency="EUR")

    def beyond(money: int | None, currency: str | None) -> bool:
        return bool(limit.beyond({"blast": {"money_minor": money, "currency": currency, "rows": 1}}))

    assert [beyond(5000, "EUR"), beyond(5001, "EUR"), beyond(10, "USD"), beyond(None, None)] == [
        False,
        True,
        True,
        True,
    ]
