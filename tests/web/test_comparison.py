"""Before and after per field: nothing that changes is shown as unchanged, nothing sensitive is shown at all."""

from typing import Any

from connectors.sdk.preview import Change
from connectors.sdk.vocabulary import Effect
from hub.web.comparison import Field, FieldState, comparison


def compare(before: dict[str, Any] | None, after: dict[str, Any] | None, **more: tuple[str, ...]) -> dict[str, Field]:
    """Return the fields of an update by their names."""
    shown = comparison(
        Change(target="t/1", effect=Effect.UPDATE, before=before, after=after, **more)
    )  # the names of unknown or sensitive fields
    return {"".join(p.text for p in field.name.head): field for field in (*shown.changed, *shown.unchanged)}


def words(field: Field, side: str) -> str:
    """Return what stands in the column `side` of a field."""
    shown = getattr(field, side)
    text = "" if shown.text is None else "".join(p.text for p in (*shown.text.head, *shown.text.rest))
    return " ".join(part for part in (text, shown.note) if part)


def test_each_field_says_what_happens_to_it() -> None:
    fields = compare({"a": 1, "b": "x", "gone": 1}, {"a": 1, "b": "y", "new": 2}, unknown=("number",))

    assert {name: field.state for name, field in fields.items()} == {
        "b": FieldState.CHANGED,
        "new": FieldState.ADDED,
        "number": FieldState.ASSIGNED,
        "gone": FieldState.REMOVED,
        "a": FieldState.UNCHANGED,
    }


def test_values_of_another_type_are_a_change_and_say_their_types() -> None:
    fields = compare({"limit": "1", "flag": 1}, {"limit": 1, "flag": True})

    assert fields["limit"].state is FieldState.CHANGED
    assert words(fields["limit"], "before") == "1 text"
    assert words(fields["limit"], "after") == "1 number"
    assert fields["flag"].state is FieldState.CHANGED


def test_nothing_empty_and_absent_are_told_apart() -> None:
    fields = compare({"a": None, "b": "", "c": [], "d": {}}, {"a": "x", "b": "x", "c": "x", "e": "x"})

    assert [words(fields[name], "before") for name in "abcde"] == [
        "nothing",
        "empty text",
        "empty list",
        "empty record",
        "not there",
    ]


def test_nested_records_and_lists_are_compared_leaf_by_leaf() -> None:
    fields = compare({"lines": [{"qty": 1}, {"qty": 2}]}, {"lines": [{"qty": 1}, {"qty": 3}]})

    assert fields["lines[1].qty"].state is FieldState.UNCHANGED
    assert fields["lines[2].qty"].state is FieldState.CHANGED


def test_a_key_with_a_dot_cannot_pass_for_a_nested_field() -> None:
    fields = compare({"a.b": 1, "a": {"b": 1}}, {"a.b": 1, "a": {"b": 2}})

    assert fields['"a.b"'].state is FieldState.UNCHANGED
    assert fields["a.b"].state is FieldState.CHANGED


def test_sensitive_values_are_never_in_the_page_but_their_change_is() -> None:
    before = {"iban": "DE01", "lines": [{"tax": "s1"}], "odd.key": "s2"}
    after = {"iban": "DE02", "lines": [{"tax": "s1"}], "odd.key": "s2"}

    fields = compare(before, after, sensitive=("iban", "lines.tax", "odd.key"))

    assert fields["iban"].state is FieldState.CHANGED
    assert {words(field, side) for field in fields.values() for side in ("before", "after")} == {"hidden: sensitive"}


def test_minor_units_are_money_in_the_currency_of_their_record() -> None:
    fields = compare({"total_minor": 5, "currency": "EUR"}, {"total_minor": 123456, "currency": "EUR"})

    assert words(fields["total_minor"], "before") == "EUR\u00a00.05"
    assert words(fields["total_minor"], "after") == "EUR\u00a01,234.56"


def test_minor_units_in_a_line_take_the_currency_of_the_record_around_it() -> None:
    fields = compare(None, {"currency": "JPY", "lines": [{"price_minor": 1500}]})

    assert words(fields["lines[1].price_minor"], "after") == "JPY\u00a01,500"


def test_a_value_deeper_than_the_page_goes_is_shown_as_json() -> None:
    deep: Any = "<end>"
    for _ in range(9):
        deep = {"d": deep}

    fields = compare({}, {"deep": deep})

    assert words(fields["deep.d.d.d.d.d"], "after") == '{"d": {"d": {"d": {"d": "<end>"}}}}'
