"""Safe rules by path template: a variable crosses no slash, and what looks alike but is not meant is not covered."""

import pytest

from connectors.sdk.spec import SafeRule
from connectors.sdk.templates import is_narrower, overlaps
from connectors.sdk.wire import WireRequest

DEAL = SafeRule(method="GET", template="/deals/{id}", besides=("/deals/export",))


def covers(rule: SafeRule, path: str, *, method: str = "GET", query: str = "") -> bool:
    return rule.covers(WireRequest.model_validate({"method": method, "path": path, "encoded_query": query}), None)


@pytest.mark.parametrize("path", ["/deals/7", "/deals/a.b", "/deals/x%20y"])
def test_a_template_covers_one_segment(path: str) -> None:
    assert covers(DEAL, path)


@pytest.mark.parametrize(
    "path", ["/deals", "/deals/7/notes", "/deals/7/", "/other/7", "/deals/export", "/DEALS/Export"]
)
def test_a_template_covers_nothing_else(path: str) -> None:
    assert not covers(DEAL, path)


@pytest.mark.parametrize(
    "path",
    ["/deals/%65xport", "/deals/expor%74", "/deals/EXPOR%54", "/deals/export;v=1", "/deals/export%3Bv=1",
     "/deals;x/export", "/deals/export%2F"],
)  # fmt: skip
def test_what_a_rule_leaves_out_is_left_out_however_it_is_written(path: str) -> None:
    assert not covers(DEAL, path)
    assert not covers(SafeRule(method="GET", path="/deals*", besides=("/deals/export",)), path)


def test_what_only_begins_like_what_is_left_out_is_covered() -> None:
    assert covers(DEAL, "/deals/exports")
    assert covers(DEAL, "/deals/%65")


def test_characters_of_a_template_stand_for_themselves() -> None:
    rule = SafeRule(method="GET", template="/Orders({id})")

    assert covers(rule, "/Orders(7)")
    assert not covers(rule, "/Orders7")


DRY_RUNS = {
    "validateOnly=true": True,
    "a=1&validateOnly=true": True,
    "": False,
    "validateOnly=false": False,
    "validateOnly=true&validateOnly=false": False,
    "validateOnly=TRUE": False,
    "validateOnly=true&validateonly=false": False,
    "validateOnly=true&validateOnly%5B%5D=0": False,
    "validateOnly=true&validateOnly%5B0%5D=0": False,
    "validateOnly=true&%20validateOnly=0": False,
    "a=1;validateOnly=false&validateOnly=true": False,
    "validateOnly=true;a=1": False,
    "validateonly=true": False,
    "validateOnly=true&validateOnlyThen=false": True,
}


@pytest.mark.parametrize(("query", "is_covered"), DRY_RUNS.items())
def test_a_dry_run_is_safe_only_when_asked_for_once(query: str, is_covered: bool) -> None:  # noqa: FBT001  # a parameter
    rule = SafeRule(method="PATCH", template="/deals/{id}", query={"validateOnly": "true"}, preview_only=True)

    assert covers(rule, "/deals/7", method="PATCH", query=query) is is_covered


@pytest.mark.parametrize(
    "rule",
    [
        {"method": "DELETE"},
        {"method": "DELETE", "preview_only": True},
        {"method": "PATCH", "query": {"dry_run": "true"}},
        {"method": "GET", "path": "/deals/*", "template": "/deals/{id}"},
    ],
)
def test_a_contradicting_rule_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"dry run|not both"):
        SafeRule.model_validate(rule)


def test_templates_overlap_where_one_request_could_be_meant_by_both() -> None:
    assert overlaps("/deals/{id}", "/deals/export")
    assert overlaps("/{kind}/me", "/deals/{id}")
    assert not overlaps("/deals/{id}", "/deals/{id}/notes")
    assert not overlaps("/deals/{id}", "/notes/{id}")


def test_the_template_that_is_concrete_where_the_other_is_not_is_narrower() -> None:
    assert is_narrower("/deals/export", "/deals/{id}")
    assert not is_narrower("/deals/{id}", "/deals/export")
