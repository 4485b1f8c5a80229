"""What to look at before a valid bundle decides; and that one that permits nothing is none."""

import pytest

from hub.bundles import default_bundle_text
from hub.policy import Bundle, BundleInvalid, refuse_unfit, remarks

OPEN = '@id("anything") permit (principal, action, resource);\n'
SUSPENDED = '@id("suspended") forbid (principal, action, resource) when { context.is_suspended };\n'
STOPPED = '@id("stopped") forbid (principal, action, resource) when { !context.stops.isEmpty() };\n'
TESTED = '//? {"example": "it goes", "action": "commit", "expect": "allowed"}\n'


def test_the_default_bundle_leaves_nothing_to_look_at() -> None:
    assert remarks(Bundle.parse(default_bundle_text())) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OPEN + SUSPENDED + STOPPED + TESTED, []),
        (OPEN + STOPPED + TESTED, ["context.is_suspended"]),
        (OPEN + SUSPENDED + TESTED, ["context.stops"]),
        (OPEN + SUSPENDED + STOPPED, ["No example"]),
        (
            OPEN + STOPPED + TESTED + SUSPENDED.replace("action, ", 'action == Action::"propose", '),
            ["context.is_suspended"],
        ),
        (
            OPEN
            + STOPPED
            + TESTED
            + SUSPENDED.replace("action, ", 'action in [Action::"propose", Action::"commit"], '),
            [],
        ),
        (
            OPEN + STOPPED + TESTED + SUSPENDED.replace("resource)", 'resource == Tool::"upstream.item_get")'),
            ["context.is_suspended"],
        ),
        (OPEN + STOPPED + TESTED + SUSPENDED.replace("forbid", "permit"), ["context.is_suspended"]),
    ],
    ids=["all", "suspended", "stopped", "untested", "not-on-commit", "both-named", "one-tool", "permits"],
)
def test_a_guard_that_a_bundle_lost_is_said(text: str, said: list[str]) -> None:
    found = remarks(Bundle.parse(text))

    assert len(found) == len(said)
    assert all(words in told for words, told in zip(said, found, strict=True))


@pytest.mark.parametrize("text", ["", "// nothing\n", SUSPENDED], ids=["empty", "comment", "only-forbids"])
def test_a_bundle_that_permits_nothing_is_refused(text: str) -> None:
    with pytest.raises(BundleInvalid, match="No rule permits anything"):
        refuse_unfit(Bundle.parse(text))
