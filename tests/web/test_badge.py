"""A badge as people read it."""

from datetime import UTC, datetime

from hub.registry import Badge, BadgeLine, BadgeVerdict, Grade, Promise
from hub.web.badge import claim_of
from hub.web.inert import Kind

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)


def test_names_in_the_words_of_the_kit_are_shown_as_names_and_what_was_not_tried_says_so() -> None:
    line = BadgeLine(
        operation="item_count",
        promise=Promise.GUARD,
        verdict=BadgeVerdict.NOT_TRIED,
        grade=Grade.LIVE,
        reason="By reading back; with `contents` it would be more.",
    )
    badge = Badge(
        connector="stock",
        version="1.0.0",
        artefact_digest="0" * 64,
        system="shop",
        checked_at=NOW,
        covers={"item_count": "1" * 64},
        lines=[line],
    )

    shown = claim_of(badge, "item_count", now=NOW)

    assert shown is not None
    assert [(piece.text, piece.kind is Kind.CODE) for piece in shown.lines[0].reason.head] == [
        ("By reading back; with ", False),
        ("contents", True),
        (" it would be more.", False),
    ]
    assert shown.lines[0].verdict.label == "not tried"
