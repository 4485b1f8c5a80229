"""The description of the API is complete: whoever has it needs to read no code."""

import json
from typing import Any

import pytest
from doors.people import api_of
from doors.working_hub import WorkingHub

from schemas import compile_schema

pytestmark = pytest.mark.anyio
JSON = "application/json"


@pytest.fixture
def document(hub: WorkingHub) -> dict[str, Any]:
    return api_of(hub.runtime)[1].openapi()


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in document["paths"].values() for operation in methods.values()]


async def test_every_operation_has_an_id_words_and_its_problems(document: dict[str, Any]) -> None:
    found = operations(document)

    assert len({operation["operationId"] for operation in found}) == len(found) > 40
    for operation in found:
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]
        for status in ("400", "401", "403", "404", "409", "413", "422", "503"):
            content = operation["responses"][status]["content"]
            assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    ahead: list[Any] = [document]
    while ahead:
        one = ahead.pop()
        if isinstance(one, dict):
            if isinstance(one.get("$ref"), str):
                assert one["$ref"] in known
            ahead.extend(one.values())
        elif isinstance(one, list):
            ahead.extend(one)


async def test_no_schema_of_the_framework_is_left(document: dict[str, Any]) -> None:
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])


async def test_examples_keep_the_schemas_they_stand_in(document: dict[str, Any]) -> None:
    described = json.dumps(document["components"]["schemas"]).replace("#/components/schemas/", "#/$defs/")
    schemas: dict[str, Any] = json.loads(described)
    for name, schema in schemas.items():
        for example in schema.get("examples", []):
            whole = compile_schema({**schema, "$defs": schemas})
            assert whole.violations(example) == [], name


async def test_logging_in_needs_no_credential_and_all_else_does(document: dict[str, Any]) -> None:
    open_to_all = [one["operationId"] for one in operations(document) if one.get("security") == []]

    assert open_to_all == ["logIn"]
    assert document["security"] == [{"session": []}, {"token": []}]


async def test_request_bodies_take_nothing_that_is_not_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for operation in operations(document):
        if "requestBody" in operation:
            reference = operation["requestBody"]["content"][JSON]["schema"]["$ref"]
            assert schemas[reference.rpartition("/")[2]]["additionalProperties"] is False, operation["operationId"]
