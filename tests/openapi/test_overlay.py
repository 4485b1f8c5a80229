"""Overlays are applied as the specification of 1.1 has it, and x-hub counts only in an owner's overlay."""

from typing import Any

import pytest
from openapi_recorder import imported

from connectors.openapi import BadOverlay
from connectors.openapi.overlay import apply_overlay

Json = Any


def applied(document: dict[str, Json], *actions: dict[str, Json]) -> dict[str, Json]:
    overlay = {"overlay": "1.1.0", "info": {"title": "T", "version": "1"}, "actions": list(actions)}
    return apply_overlay(document, overlay)[0]


DOCUMENT = {"info": {"title": "A", "contact": {"name": "B"}}, "tags": [{"name": "a"}, {"name": "b"}], "on": True}

UPDATES: dict[str, tuple[dict[str, Json], dict[str, Json]]] = {
    "an object is merged, member by member": (
        {"target": "$.info", "update": {"title": "C", "contact": {"url": "u"}}},
        {**DOCUMENT, "info": {"title": "C", "contact": {"name": "B", "url": "u"}}},
    ),
    "the root is merged": ({"target": "$", "update": {"on": False}}, {**DOCUMENT, "on": False}),
    "a list is joined to a list": (
        {"target": "$.tags", "update": [{"name": "c"}, {"name": "d"}]},
        {**DOCUMENT, "tags": [{"name": one} for one in "abcd"]},
    ),
    "an object is appended to a list": (
        {"target": "$.tags", "update": {"name": "c"}},
        {**DOCUMENT, "tags": [{"name": one} for one in "abc"]},
    ),
    "a list within an object is joined": (
        {"target": "$", "update": {"tags": [{"name": "c"}]}},
        {**DOCUMENT, "tags": [{"name": one} for one in "abc"]},
    ),
    "a plain value is replaced": (
        {"target": "$.info.title", "update": "C"},
        {**DOCUMENT, "info": {"title": "C", "contact": {"name": "B"}}},
    ),
    "every node that is selected is changed": (
        {"target": "$.tags[*]", "update": {"x": 1}},
        {**DOCUMENT, "tags": [{"name": "a", "x": 1}, {"name": "b", "x": 1}]},
    ),
    "what is removed is gone": (
        {"target": "$.tags[?@.name == 'a']", "remove": True},
        {**DOCUMENT, "tags": [{"name": "b"}]},
    ),
    "all of a list is removed": ({"target": "$.tags[*]", "remove": True}, {**DOCUMENT, "tags": []}),
    "removing wins over updating": (
        {"target": "$.tags", "remove": True, "update": [1]},
        {"info": DOCUMENT["info"], "on": True},
    ),
    "a copy is merged like an update": (
        {"target": "$.tags[0]", "copy": "$.info.contact"},
        {**DOCUMENT, "tags": [{"name": "B"}, {"name": "b"}]},
    ),
    "what selects nothing changes nothing": ({"target": "$.nothing", "update": {"a": 1}}, DOCUMENT),
}


@pytest.mark.parametrize(("action", "expected"), UPDATES.values(), ids=UPDATES)
def test_an_action_does_what_its_specification_says(action: dict[str, Json], expected: dict[str, Json]) -> None:
    assert applied(DOCUMENT, action) == expected


def test_actions_build_on_each_other_and_leave_the_document_as_it_was() -> None:
    document = {"a": {}}

    changed = applied(document, {"target": "$.a", "update": {"b": {}}}, {"target": "$.a.b", "update": {"c": 1}})

    assert changed == {"a": {"b": {"c": 1}}}
    assert document == {"a": {}}


BROKEN = {
    "kinds that do not fit": {"target": "$.info", "update": [1]},
    "kinds that do not fit, further in": {"target": "$", "update": {"info": "text"}},
    "targets of several kinds": {"target": "$.*", "update": {"a": 1}},
    "a copy of two": {"target": "$.info", "copy": "$.tags[*]"},
    "a copy of nothing": {"target": "$.info", "copy": "$.nothing"},
    "update and copy": {"target": "$.info", "update": {}, "copy": "$.info"},
    "no target": {"update": {}},
    "no JSONPath": {"target": "$.info[", "update": {}},
    "an unknown field": {"target": "$.info", "replace": {}},
    "the whole document removed": {"target": "$", "remove": True},
}


@pytest.mark.parametrize("action", BROKEN.values(), ids=BROKEN)
def test_an_action_that_cannot_be_carried_out_is_refused_by_its_number(action: dict[str, Json]) -> None:
    with pytest.raises(BadOverlay, match="Action 2 of the overlay"):
        applied(DOCUMENT, {"target": "$.info", "update": {}}, action)


def test_what_is_no_overlay_is_refused() -> None:
    with pytest.raises(BadOverlay, match=r"overlay: 1\.1\.0"):
        apply_overlay({}, {"openapi": "3.1.0"})


DEALS = """
openapi: 3.1.0
info: {title: Deals, version: 2.0.1}
paths:
  /deals/{id}:
    get:
      operationId: getDeal
      x-hub: {expose: true}
      responses: {200: {description: A deal.}}
"""
EXPOSING = """
overlay: 1.1.0
info: {title: Ours, version: 1.0.0}
actions:
  - target: $.paths['/deals/{id}'].get
    update: {x-hub: {expose: true, tier: high}}
"""


def test_nothing_is_published_that_the_owner_has_not_exposed() -> None:
    without, exposed = imported(DEALS), imported(DEALS, EXPOSING)

    assert [tool.is_exposed for tool in without.tools] == [False]
    assert without.spec.operations == ()
    assert without.spec.safe == ()
    assert [operation.name for operation in exposed.spec.operations] == ["get_deal"]


def test_what_the_document_itself_says_to_the_hub_counts_for_nothing_and_is_told() -> None:
    assert "The document itself says x-hub; only an owner's overlay may." in imported(DEALS).findings


def test_an_action_that_selects_nothing_is_told() -> None:
    lost = EXPOSING.replace("/deals/{id}", "/deal/{id}")

    assert any("changed nothing" in finding for finding in imported(DEALS, lost).findings)


def test_a_word_of_the_owner_that_is_not_known_refuses_the_operation() -> None:
    wrong = EXPOSING.replace("tier: high", "teir: high")

    compilation = imported(DEALS, wrong)

    assert compilation.spec.operations == ()
    assert compilation.refusals[0].reason.startswith("x-hub: teir")
