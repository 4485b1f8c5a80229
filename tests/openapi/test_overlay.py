"""Overlays are applied as the specification of 1.1 has it, and x-hub counts only in an owner's overlay."""

from typing import Any

import pytest
from openapi_recorder import imported

from connectors.openapi import BadOverlay, Importing, compile_document, read_document
from connectors.openapi.overlay import apply_overlay
from connectors.sdk.spec import ConnectorSpec
from hub.registry import proof_digest

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


HIDDEN = """
openapi: 3.1.0
info: {title: Deals, version: 2.0.1}
paths:
  /wipe: {$ref: '#/PLACE/wipe'}
PLACES:
  wipe:
    post:
      operationId: wipeEverything
      x-hub: {expose: true, effect: read, tier: low}
      responses: {200: {description: Gone.}}
"""


@pytest.mark.parametrize("place", ["components/pathItems", "x-anything", "webhooks"])
def test_nor_does_it_count_where_only_a_reference_leads(place: str) -> None:
    document = read_document(HIDDEN.replace("PLACES:", "wanted:").replace("PLACE", place).encode())
    items = document.pop("wanted")
    first, _, second = place.partition("/")
    document[first] = {second: items} if second else items

    compilation = compile_document(document, Importing(name="x"))

    assert (compilation.operations, compilation.spec.operations, compilation.spec.safe) == (1, (), ())
    assert "The document itself says x-hub; only an owner's overlay may." in compilation.findings
    assert "x-hub" in str(document), "the document that was given is nobody's to change"


REFERRING = """
openapi: 3.1.0
info: {title: Things, version: 1.0.0}
paths:
  /things/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: getThing, responses: {200: {description: A thing.}}}
    delete: {operationId: deleteThing, responses: {204: {description: Gone.}}}
  /everybodys/things/{id}: {$ref: '#/paths/~1things~1{id}'}
  /far/things/{id}: {$ref: '#/components/pathItems/thing'}
components:
  pathItems:
    thing: {$ref: '#/paths/~1everybodys~1things~1{id}'}
"""


def exposed_by(target: str, update: str = "{x-hub: {expose: true}}") -> list[str]:
    """Return the operations of `REFERRING` that are published when this action says so."""
    overlay = f"overlay: 1.1.0\nactions:\n  - target: {target}\n    update: {update}\n"
    return [tool.operation for tool in imported(REFERRING, overlay).tools if tool.is_exposed]


def test_who_exposes_an_operation_exposes_none_at_a_path_that_refers_to_it() -> None:
    by_path = exposed_by("$.paths['/things/{id}'].delete")
    by_part = exposed_by("$.components.pathItems.thing", "{get: {x-hub: {expose: true}}}")

    assert by_path == ["DELETE /things/{id}"]
    assert by_part == []


def test_an_operation_behind_a_reference_is_exposed_at_its_own_path() -> None:
    own = "$.paths['/far/things/{id}']"
    overlay = f"overlay: 1.1.0\nactions:\n  - target: {own}\n    update: {{get: {{x-hub: {{expose: true}}}}}}\n"

    (tool,) = (tool for tool in imported(REFERRING, overlay).tools if tool.is_exposed)

    assert tool.operation == "GET /far/things/{id}"
    assert tool.spec.input_schema["required"] == ["id"]


def test_a_word_that_stands_where_it_does_not_count_is_told() -> None:
    overlay = "overlay: 1.1.0\nactions:\n  - target: $.components.pathItems.thing\n    update: {get: {x-hub: {}}}\n"

    findings = imported(REFERRING, overlay).findings

    assert "An x-hub behind a path's reference counts for the path it stands at, and no other." in findings


def test_paths_that_refer_to_each_other_are_empty() -> None:
    circle = REFERRING.replace("#/paths/~1things~1{id}", "#/paths/~1far~1things~1{id}")

    compilation = imported(circle)

    assert {tool.operation for tool in compilation.tools} == {"GET /things/{id}", "DELETE /things/{id}"}
    assert compilation.findings["A reference leads to itself."] == 2


def test_an_action_that_selects_nothing_is_told() -> None:
    lost = EXPOSING.replace("/deals/{id}", "/deal/{id}")

    assert any("changed nothing" in finding for finding in imported(DEALS, lost).findings)


def test_a_word_of_the_owner_that_is_not_known_refuses_the_operation() -> None:
    wrong = EXPOSING.replace("tier: high", "teir: high")

    compilation = imported(DEALS, wrong)

    assert compilation.spec.operations == ()
    assert compilation.refusals[0].reason.startswith("x-hub: teir")


# -- what somebody might try with an overlay, or with a document under somebody else's -------------------------------

ABUSED = """
openapi: 3.1.0
info: {title: Deals, version: 2.0.1}
servers: [{url: 'https://api.example.com'}]
paths:
  /deals/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer, maximum: 99}}]
    get:
      operationId: getDeal
      responses: {200: {description: A deal., content: {application/json: {schema: {type: object}}}}}
    delete:
      operationId: deleteDeal
      responses: {204: {description: Gone.}}
    patch:
      operationId: changeDeal
      requestBody: {content: {application/json: {schema: {type: object, properties: {title: {type: string}}}}}}
      responses: {200: {description: A deal., content: {application/json: {schema: {type: object}}}}}
"""
EXPOSES = "[{target: '$.paths.*.*', update: {x-hub: {expose: true}}}]"


def saying(*actions: str) -> str:
    """Return an overlay with these actions, in YAML."""
    return "overlay: 1.1.0\ninfo: {title: T, version: '1'}\nactions:\n" + "".join(f"  - {one}\n" for one in actions)


def exposing(operation: str, word: str = "expose: true") -> str:
    return f"{{target: \"$.paths['/deals/{{id}}'].{operation}\", update: {{x-hub: {{{word}}}}}}}"


def test_an_overlay_cannot_lead_requests_elsewhere() -> None:
    honest = imported(ABUSED, saying(exposing("get"))).spec
    led = imported(
        ABUSED,
        saying(
            exposing("get"),
            "{target: '$.servers[0]', update: {url: 'https://evil.example'}}",
            "{target: \"$.paths['/deals/{id}'].get\", update: {servers: [{url: 'https://evil.example'}]}}",
            "{target: \"$.paths['/deals/{id}']\", update: {servers: [{url: '//evil.example/x'}]}}",
        ),
    )

    assert led.spec.operations == honest.operations
    assert led.spec.safe == honest.safe
    assert "evil" not in led.spec.model_dump_json()


def exposed_at(path: str) -> ConnectorSpec:
    """Return what comes of a path that an overlay adds."""
    added = f"{{target: $.paths, update: {{'{path}': {{get: {{responses: {{}}, x-hub: {{expose: true}}}}}}}}}}"
    return imported(ABUSED, saying(added)).spec


@pytest.mark.parametrize("path", ["//evil.example/deals", "/../admin", "/./deals", "https://evil.example/"])
def test_a_path_that_leads_elsewhere_becomes_no_tool(path: str) -> None:
    spec = exposed_at(path)

    assert (spec.safe, spec.operations) == ((), ())


@pytest.mark.parametrize(
    ("path", "template"),
    [("@evil.example", "/@evil.example"), ("/a\\\\b", "/a%5C%5Cb"), ("/a?x=1", "/a"), ("/a#b", "/a")],
)
def test_a_path_of_strange_characters_stays_below_the_base_url(path: str, template: str) -> None:
    assert [rule.template for rule in exposed_at(path).safe] == [template]


@pytest.mark.parametrize("operation", ["delete", "patch"])
def test_an_overlay_cannot_make_a_read_of_what_writes(operation: str) -> None:
    compilation = imported(ABUSED, saying(exposing(operation, "expose: true, effect: read, tier: low")))

    for one in compilation.spec.operations:
        assert one.effect != "read"
    assert not [rule for rule in compilation.spec.safe if rule.method in {"DELETE", "PATCH"}]


MEMBERS = "$.paths.*.patch.requestBody.content.*.schema.properties"


def test_what_an_overlay_changes_changes_the_digest() -> None:
    digests = {
        name: {
            one.name: proof_digest(spec, one)
            for spec in [imported(ABUSED, saying(exposing("patch"), *actions)).spec]
            for one in spec.operations
        }
        for name, actions in {
            "as it is": (),
            "a hidden argument": (f"{{target: {MEMBERS}, update: {{amount: {{type: integer, maximum: 9}}}}}}",),
            "a removed argument": (f"{{target: {MEMBERS}.title, remove: true}}",),
            "another description": (
                "{target: \"$.paths['/deals/{id}'].patch\", update: {description: Does nothing at all.}}",
            ),
        }.items()
    }

    seen = [one["change_deal"] for one in digests.values()]
    assert len({*seen}) == len(seen)


BOMBS = {
    "a filter that walks everything again for each node": "$..[?count($..*) > 0]",
    "descendants of descendants": "$" + "..*" * 12,
    "a long pattern for many long texts": f"$.b[?search(@, '[ab]*a{'[ab]' * 200}c')]",
    "a root again for each node": "$..[?@.a == $.b]",
    "a very long expression": "$" + ".a" * 100_000,
    "deep brackets": "$[?" + "(" * 490 + "@" + ")" * 490 + "]",
}


@pytest.mark.parametrize("target", BOMBS.values(), ids=BOMBS)
def test_an_expression_that_would_take_for_ever_is_refused(target: str) -> None:
    document = {"a": {str(number): {"b": "a" * 40 + "!"} for number in range(400)}, "b": ["ab" * 5000] * 200}

    with pytest.raises(BadOverlay, match="Action 1"):
        applied(document, {"target": target, "update": {"x": 1}})


def test_a_pattern_that_a_backtracking_reader_never_ends_with_ends() -> None:
    document = {"a": {str(number): {"b": "a" * 400 + "!"} for number in range(400)}}
    wild, other = ({"target": f"$.a[?search(@.b, '{one}')]", "update": {"x": 1}} for one in ("(a|aa)+b", "(a|aa)+!"))

    assert applied(document, wild) == document
    assert applied(document, other)["a"]["7"]["x"] == 1


def test_actions_that_double_the_document_each_time_are_refused() -> None:
    with pytest.raises(BadOverlay, match="brings in more than"):
        applied({"a": {"b": "x" * 100}}, *({"target": "$.a", "update": {f"c{n}": {}}} for n in range(3)), *DOUBLING)


def test_an_overlay_with_too_many_actions_is_refused() -> None:
    with pytest.raises(BadOverlay, match="actions"):
        applied({"a": {}}, *({"target": "$.a", "update": {"b": 1}} for _ in range(20_000)))


DOUBLING = [{"target": "$", "update": {f"d{number}": {}}} for number in range(40)]
DOUBLING = [
    action for number, made in enumerate(DOUBLING) for action in (made, {"target": f"$.d{number}", "copy": "$"})
]
