"""What a voter is shown when the preview is no longer the one on which the vote was cast."""

from typing import Any

from connectors.sdk.preview import Change, Preview
from connectors.sdk.vocabulary import Effect
from hub.web.approval import differences


def preview(*changes: Change) -> Preview:
    """Return a preview with these changes."""
    return Preview(changes=changes)


def update(before: dict[str, Any], after: dict[str, Any], **more: Any) -> Change:  # noqa: ANN401  # names of fields
    """Return a change of one record."""
    return Change(target="t/1", effect=Effect.UPDATE, before=before, after=after, **more)


def words(found: Any) -> list[tuple[str, list[str]]]:  # noqa: ANN401  # a tuple of differences
    """Return each difference as its title and the fields that differ."""
    return [
        (
            "".join(piece.text for piece in each.title.head),
            ["".join(piece.text for piece in field.name.head) for field in each.fields],
        )
        for each in found
    ]


def test_what_stands_and_what_would_become_are_told_apart() -> None:
    then = preview(update({"a": 1, "b": 1}, {"a": 2, "b": 1}))
    now = preview(update({"a": 1, "b": 5}, {"a": 3, "b": 5}))

    assert words(differences(then, now)) == [("t/1 as it stands", ["b"]), ("t/1 as it would become", ["a", "b"])]


def test_a_record_that_came_or_went_is_shown_whole() -> None:
    gone = Change(target="t/2", effect=Effect.DELETE, before={"x": 1})
    new = Change(target="t/3", effect=Effect.CREATE, after={"y": 1})

    assert words(differences(preview(gone), preview(new))) == [
        ("t/3 as it would become", ["y"]),
        ("t/2 as it stands", ["x"]),
    ]


def test_a_field_that_either_preview_calls_sensitive_stays_hidden() -> None:
    then = preview(update({"iban": "DE01"}, {"iban": "DE01"}, sensitive=("iban",)))
    now = preview(update({"iban": "DE02"}, {"iban": "DE02"}))

    shown = differences(then, now)

    assert words(shown)[0] == ("t/1 as it stands", ["iban"])
    assert {field.before.note for each in shown for field in each.fields} == {"hidden: sensitive"}


def test_the_same_preview_has_no_difference() -> None:
    one = preview(update({"a": 1}, {"a": 2}))

    assert differences(one, one) == ()
