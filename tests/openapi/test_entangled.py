"""Schemas made of themselves or of each other without end: the import ends, and only what is hopeless falls."""

from typing import Any

import pytest

from connectors.openapi import Compilation, Importing, compile_document
from connectors.openapi.combining import Combiner
from connectors.openapi.document import Document
from connectors.openapi.report import report_of
from connectors.openapi.rules import distinct

Json = Any

MOST_LOOKS = 250_000


@pytest.fixture(autouse=True)
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody look into a document more often than a document of many operations needs."""
    looks, resolved = iter(range(MOST_LOOKS)), Document.resolved

    def counting(self: Document, node: Json) -> dict[str, Json]:
        assert next(looks, None) is not None, "the import goes on and on"
        return resolved(self, node)

    monkeypatch.setattr(Document, "resolved", counting)


def of(name: str, **beside: Json) -> Json:
    return {"$ref": f"#/components/schemas/{name}", **beside}


def compiled(schemas: dict[str, Json]) -> Compilation:
    """Import one operation that takes and gives a `Pet`, and one that does neither."""
    body = {"content": {"application/json": {"schema": of("Pet")}}}
    post = {"operationId": "add", "requestBody": body, "responses": {"200": {"description": "x", **body}}}
    get = {"operationId": "count", "responses": {"200": {"description": "x"}}}
    return compile_document(
        {
            "openapi": "3.0.3",
            "info": {"title": "Pets", "version": "1.0.0"},
            "paths": {"/pets": {"post": post, "get": get}},
            "components": {"schemas": schemas},
        },
        Importing(name="pets"),
    )


def input_of(compilation: Compilation) -> Json:
    return next(tool for tool in compilation.tools if tool.operation == "POST /pets").spec.input_schema["properties"]


def chain(**beside: Json) -> dict[str, Json]:
    """Return 24 schemas that each name the next one twice."""
    links = {f"S{number}": {"allOf": [of(f"S{number + 1}", **beside)] * 2} for number in range(24)}
    return {**links, "S24": {"properties": {"name": {"type": "string"}}}, "Pet": of("S0")}


KINDS = {
    "Pet": {
        "oneOf": [of("Cat"), of("Dog")],
        "discriminator": {"propertyName": "kind"},
        "properties": {"kind": {"type": "string"}},
    },
    "Cat": {"allOf": [of("Pet"), {"properties": {"lives": {"type": "integer"}}}]},
    "Dog": {"allOf": [of("Pet"), {"properties": {"breed": {"type": "string"}}}]},
}
EACH_OF_ALL = {
    name: {"allOf": [of(other) for other in "ABCDEFGHIJKL" if other != name], "properties": {name: {"type": "string"}}}
    for name in "ABCDEFGHIJKL"
}
FORKS = {
    f"{side}{number}": {"anyOf": [of(f"A{number + 1}"), of(f"B{number + 1}")]} for number in range(24) for side in "AB"
}


def test_kinds_that_extend_the_parent_that_lists_them_are_one_tool_with_the_members_of_all() -> None:
    compilation = compiled(KINDS)

    assert {*input_of(compilation)} == {"kind", "lives", "breed"}
    assert not report_of(compilation)["refusals"]


def test_what_a_kind_is_does_not_depend_on_what_was_looked_at_before() -> None:
    document = Document({"openapi": "3.0.3", "components": {"schemas": KINDS}})
    after_others = Combiner(document)
    after_others.combined(of("Pet"))
    after_others.combined(of("Cat"))

    assert after_others.combined(of("Dog")) == Combiner(document).combined(of("Dog"))


def test_a_schema_made_of_itself_twice_is_what_it_says_beside() -> None:
    compilation = compiled({"Pet": {"allOf": [of("Pet")] * 2, "properties": {"name": {"type": "string"}}}})

    assert {*input_of(compilation)} == {"name"}


def test_a_chain_of_schemas_that_each_stand_in_the_other_twice_is_followed_once() -> None:
    assert {*input_of(compiled(chain()))} == {"name"}


@pytest.mark.parametrize(
    "schemas", [chain(description="The next."), {**EACH_OF_ALL, "Pet": of("A")}], ids=["a chain", "each of all others"]
)
def test_what_cannot_be_followed_is_refused_and_the_rest_is_imported(schemas: dict[str, Json]) -> None:
    compilation = compiled(schemas)

    assert [(one.operation, "more ways than can be followed" in one.reason) for one in compilation.refusals] == [
        ("POST /pets", True)
    ]
    assert [tool.operation for tool in compilation.tools] == ["GET /pets"]


@pytest.mark.parametrize("reference", [{}, [], 7, None], ids=["an object", "a list", "a number", "null"])
def test_a_reference_that_is_no_text_leads_nowhere(reference: Json) -> None:
    wrong = {"$ref": reference}

    assert compiled({"Pet": {"properties": {"a": wrong, "b": {"allOf": [wrong]}}, "anyOf": [wrong]}}).operations == 2


UNIONS: dict[str, dict[str, Json]] = {
    "of itself": {"Pet": {"anyOf": [of("Pet"), {"type": "string"}]}},
    "of itself or nothing": {"Pet": {"anyOf": [of("Pet"), {"type": "null"}]}},
    "of a list of itself": {"Pet": {"anyOf": [{"type": "array", "items": of("Pet")}, {"type": "string"}]}},
    "of another that is one of it": {
        "Pet": {"oneOf": [of("Other"), {"type": "string"}]},
        "Other": {"oneOf": [of("Pet"), {"type": "integer"}]},
    },
    "of two that are each one of the next two": {
        **FORKS, "A24": {"type": "string"}, "B24": {"type": "integer"}, "Pet": of("A0"),
    },
}  # fmt: skip


@pytest.mark.parametrize("schemas", UNIONS.values(), ids=UNIONS)
def test_a_union_without_end_may_be_anything_at_its_end(schemas: dict[str, Json]) -> None:
    report = report_of(compiled(schemas))

    assert (len(report["tools"]), report["refusals"], report["invalid"], report["non_portable"]) == (2, [], 0, 0)


class Watched(dict[str, Json]):
    """An object that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Watched.compared += 1
        return super().__eq__(other)

    def __hash__(self) -> int:
        return len(self)


def test_choices_that_are_objects_are_not_each_compared_with_all_others() -> None:
    """Of four thousand that took six seconds."""
    choices = [Watched(number=number % 300) for number in range(400)]

    assert distinct(choices) == [{"number": number} for number in range(300)]
    assert Watched.compared <= 400


def test_choices_that_are_said_twice_are_kept_once_in_their_order() -> None:
    assert distinct(["b", 2, "a", {"x": 1, "y": [2]}, "b", 2.0, {"y": [2], "x": 1}, None]) == [
        "b", 2, "a", {"x": 1, "y": [2]}, None,
    ]  # fmt: skip
