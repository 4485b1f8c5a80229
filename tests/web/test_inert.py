"""Foreign text is shown whole, with everything that would not be seen made visible."""

import pytest

from hub.web.inert import NAME_LENGTH, SHOWN_AT_ONCE, Kind, compared, inert, inert_name, inert_prose


def told(text: str) -> str:
    """Return what a reader sees of `text`, marks in brackets."""
    shown = inert(text)
    return "".join(f"[{p.text}]" if p.kind is Kind.MARK else p.text for p in (*shown.head, *shown.rest))


def changed(text: str, other: str) -> str:
    """Return the part of `text` that is set apart because it differs from `other`."""
    shown = compared(text, other)
    return "".join(p.text for p in (*shown.head, *shown.rest) if p.kind is Kind.CHANGED)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain text\nwith a line", "plain text\nwith a line"),
        ("safe\u202egnp.exe", "safe[U+202E]gnp.exe"),
        ("zero\u200bwidth", "zero[U+200B]width"),
        ("tag\U000e0041", "tag[U+E0041]"),
        ("bell\x07", "bell[U+0007]"),
        ("tab\there", "tab[U+0009]here"),
        ("filler\u3164", "filler[U+3164]"),
        (" edge ", "[U+0020]edge[U+0020]"),
        ("z" + "\u0300" * 6, "z" + "\u0300" * 3 + "[U+0300]" * 3),
        ("Grüße, 日本語, שלום", "Grüße, 日本語, שלום"),
    ],
)
def test_characters_that_hide_are_shown_by_their_code_points(text: str, seen: str) -> None:
    assert told(text) == seen


def test_a_reader_is_warned_of_hidden_characters_and_mixed_alphabets() -> None:
    assert inert("pay\u200bpal p\u0430ypal").warning == (
        "Contains 1 hidden character and a word that mixes Cyrillic and Latin letters."
    )
    assert inert("an ordinary sentence").warning == ""


def test_long_text_folds_away_but_is_never_left_out() -> None:
    text = "".join(chr(97 + place % 26) for place in range(SHOWN_AT_ONCE * 3))

    shown = inert(text)

    assert "".join(p.text for p in shown.head) == text[:SHOWN_AT_ONCE]
    assert shown.rest_length == SHOWN_AT_ONCE * 2
    assert told(text) == text


def test_a_name_is_cut_short_and_says_how_much_is_missing() -> None:
    shown = inert_name("n" * (NAME_LENGTH + 5))

    assert shown.rest_length == 5


@pytest.mark.parametrize(
    ("before", "after", "apart_before", "apart_after"),
    [
        ("10 days net", "60 days net", "10", "60"),
        ("30 days net", "30 days gross", "net", "gross"),
        ("one two", "one two three", "", " three"),
        ("same", "same", "", ""),
        ("abc", "abd", "abc", "abd"),
    ],
)
def test_only_the_words_that_differ_are_set_apart(before: str, after: str, apart_before: str, apart_after: str) -> None:
    assert changed(before, after) == apart_before
    assert changed(after, before) == apart_after


def test_a_difference_behind_the_fold_is_still_set_apart() -> None:
    same = "word " * SHOWN_AT_ONCE

    assert changed(f"{same}old", f"{same}new") == "old"


def test_what_authors_set_between_backticks_is_code_and_hides_nothing() -> None:
    shown = inert_prose("Give `party` or ``a\u202eb``, not `two\nlines`.")

    assert [(piece.text, piece.kind) for piece in shown.head] == [
        ("Give ", Kind.PLAIN),
        ("party", Kind.CODE),
        (" or ", Kind.PLAIN),
        ("a", Kind.CODE),
        ("U+202E", Kind.MARK),
        ("b", Kind.CODE),
        (", not `two\nlines`.", Kind.PLAIN),
    ]
    assert shown.warning == "Contains 1 hidden character."
