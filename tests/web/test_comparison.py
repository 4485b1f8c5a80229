"""Before and after per field: nothing that changes is shown as unchanged, nothing sensitive is shown at all."""

import json
import re
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.preview import Change
from connectors.sdk.vocabulary import Effect
from hub.web.comparison import Field, FieldState, Veil, compare_records, comparison
from hub.web.field_words import FieldWords
from hub.web.inert import Inert

LEAVES: Final = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["", "a", "b"]))
VALUES: Final = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["id", "a", "b", "a.b"]), inner, max_size=3)
    ),
    max_leaves=8,
)
RECORDS: Final = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3)


def text_of(shown: Inert) -> str:
    """Return all of a text."""
    return "".join(piece.text for piece in (*shown.head, *shown.rest))


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


def test_a_list_with_a_member_in_front_shows_that_one_and_leaves_the_others_as_they_are() -> None:
    fields = compare({"tags": ["b", "c"]}, {"tags": ["a", "b", "c"]})

    assert {name: field.state for name, field in fields.items()} == {
        "tags[→1]": FieldState.ADDED,
        "tags[1→2]": FieldState.UNCHANGED,
        "tags[2→3]": FieldState.UNCHANGED,
    }


def test_lines_with_ids_are_the_same_lines_wherever_they_stand() -> None:
    before = {"lines": [{"id": 1, "qty": 2}, {"id": 2, "qty": 4}]}
    after = {"lines": [{"id": 2, "qty": 6}, {"id": 3, "qty": 1}]}

    fields = compare(before, after)

    assert {name: field.state for name, field in fields.items()} == {
        "lines[1→].id": FieldState.REMOVED,
        "lines[1→].qty": FieldState.REMOVED,
        "lines[2→1].id": FieldState.UNCHANGED,
        "lines[2→1].qty": FieldState.CHANGED,
        "lines[→2].id": FieldState.ADDED,
        "lines[→2].qty": FieldState.ADDED,
    }


@pytest.mark.parametrize("before", [[1, 2], [{"id": 1}, {"id": 2}], ["a", "a", "b"]])
def test_members_in_another_order_are_a_change(before: list[Any]) -> None:
    fields = compare({"list": before}, {"list": before[::-1]})

    assert {FieldState.ADDED, FieldState.REMOVED, FieldState.CHANGED} & {field.state for field in fields.values()}


def test_a_sensitive_field_of_a_line_stays_hidden_wherever_the_line_stands() -> None:
    before = {"lines": [{"id": 1, "tax": "s1"}, {"id": 2, "tax": "s2"}]}
    after = {"lines": [{"id": 2, "tax": "s3"}, {"id": 3, "tax": "s4"}]}

    shown = comparison(
        Change(target="t/1", effect=Effect.UPDATE, before=before, after=after, sensitive=("lines.tax",)),
    )

    assert not re.search(r"s[1-4]", repr(shown))


def test_what_the_system_assigns_in_a_new_line_is_said_to_be_assigned() -> None:
    fields = compare(
        {"lines": [{"no": 1, "qty": 1}]},
        {"lines": [{"no": 5, "qty": 9}, {"no": 1, "qty": 1}]},
        unknown=("lines[1].no",),
    )

    assert fields["lines[→1].no"].state is FieldState.ASSIGNED


def test_a_record_that_becomes_a_value_shows_both() -> None:
    fields = compare({"a": {"b": 1}}, {"a": 2})

    assert {name: field.state for name, field in fields.items()} == {"a": FieldState.ADDED, "a.b": FieldState.REMOVED}


def test_fields_are_called_by_their_titles_and_keep_their_names_beside_them() -> None:
    words = FieldWords(titles={"lines": "Line", "lines.unit_price_minor": "Price of one", "due_date": "Due Date"})
    change = Change(
        target="t/1",
        effect=Effect.CREATE,
        after={"due_date": "x", "lines": [{"unit_price_minor": 1}], "customerName": "y", "a.b": 1, "IBAN": "z"},
    )

    titles = {text_of(field.name): text_of(field.title) for field in comparison(change, words).changed}

    assert titles == {
        "due_date": "Due date",
        "lines[1].unit_price_minor": "Line 1 \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} Price of one",
        "customerName": "Customer name",
        '"a.b"': "a.b",
        "IBAN": "IBAN",
    }


def test_places_of_a_list_are_said_in_words() -> None:
    words = FieldWords()

    assert [words.called(name) for name in ("tags[→1]", "tags[2→]", "tags[1→2]", "tags[3]")] == [
        "Tags 1 (new)",
        "Tags 2 (removed)",
        "Tags 2 (was 1)",
        "Tags 3",
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2026-12-01", "1 Dec 2026"),
        ("2026-12-01T09:30:00Z", "1 Dec 2026, 09:30 UTC"),
        ("2026-12-01T09:30:05+02:00", "1 Dec 2026, 09:30:05 +0200"),
        ("2026-12-01 09:30", "1 Dec 2026, 09:30"),
        ("2026-13-01", "2026-13-01"),
        ("2026-12-01T09:30:05.123Z", "2026-12-01T09:30:05.123Z"),
        ("on 2026-12-01", "on 2026-12-01"),
        (True, "yes"),
    ],
)
def test_dates_and_times_are_said_with_all_that_they_say(value: object, said: str) -> None:
    fields = compare({}, {"when": value})

    assert words(fields["when"], "after") == said


def test_long_texts_are_shown_as_what_was_taken_out_and_put_in_and_stand_whole_beside_it() -> None:
    clause = "Nothing of this sentence changes at all. " * 12
    before, after = f"{clause}Pay within 30 days.", f"{clause}Pay within 60 days."

    field = compare({"terms": before}, {"terms": after})["terms"]

    signed = [(line.sign, text_of(line.source)) for line in field.lines if line.sign != " "]
    assert signed == [("-", "Pay within 30 days."), ("+", "Pay within 60 days.")]
    assert (words(field, "before"), words(field, "after")) == (before, after)


def test_the_record_stands_beside_its_comparison_as_the_connector_gave_it() -> None:
    change = Change(
        target="t/1",
        effect=Effect.UPDATE,
        before={"when": "2026-12-01", "iban": "DE01"},
        after={"when": "2026-12-02", "iban": "DE01"},
        sensitive=("iban",),
    )

    raw = json.loads(text_of(comparison(change).raw))

    assert raw == {
        "before": {"when": "2026-12-01", "iban": "hidden: sensitive"},
        "after": {"when": "2026-12-02", "iban": "hidden: sensitive"},
    }


@given(before=RECORDS, after=RECORDS)
def test_no_row_is_called_unchanged_if_it_is_not_and_the_same_records_differ_nowhere(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    fields = compare_records(before, after, Veil())

    is_same = json.dumps(before) == json.dumps(after)
    assert is_same == all(field.state is FieldState.UNCHANGED for field in fields) or json.dumps(
        before, sort_keys=True
    ) == json.dumps(after, sort_keys=True)
    assert len({text_of(field.name) for field in fields}) == len(fields)
