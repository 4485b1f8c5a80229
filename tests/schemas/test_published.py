"""The published schemas: valid examples pass, invalid ones fail for the reason they state, and the code agrees."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from upstream.connector import connector as test_connector

import connectors.tryton
import schemas
from connectors.sdk.preview import Preview
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.api.problems import Problem
from hub.audit import EventKind
from hub.invocations.envelope import STANDINGS, Status
from hub.registry import Declaration
from schemas import ENVELOPE, PUBLISHED, check_published, compile_schema, document

Json = Any

EXAMPLES = Path(schemas.__file__).parent / "examples"
MODELS: dict[str, type[BaseModel]] = {
    "operation": OperationSpec,
    "connector": ConnectorSpec,
    "preview": Preview,
    "composite": Declaration,
}


def examples(kind: str, *names: str) -> list[Any]:
    """Return (schema, content) of every example of a kind, each with its file's name."""
    found = [
        pytest.param(name, json.loads(file.read_text()), id=f"{name}/{file.stem}")
        for name in names or PUBLISHED
        for file in sorted((EXAMPLES / name / kind).glob("*.json"))
    ]
    assert found
    return found


def test_every_schema_has_examples_of_both_kinds_and_every_file_is_published() -> None:
    files = {file.name.removesuffix(".v1.json") for file in EXAMPLES.parent.glob("*.v1.json")}

    assert files == set(PUBLISHED) == {folder.name for folder in EXAMPLES.iterdir()}
    for name in PUBLISHED:
        assert all(list((EXAMPLES / name / kind).glob("*.json")) for kind in ("valid", "invalid"))
        assert compile_schema({key: said for key, said in document(name).items() if key != "properties"})


@pytest.mark.parametrize(("name", "value"), examples("valid"))
def test_a_valid_example_breaks_no_rule(name: str, value: Json) -> None:
    assert check_published(name, value) == []


@pytest.mark.parametrize(("name", "content"), examples("invalid"))
def test_an_invalid_example_breaks_exactly_the_rules_it_states(name: str, content: Json) -> None:
    found = check_published(name, content["value"])

    assert [finding.pointer for finding in found] == [stated["pointer"] for stated in content["breaks"]]
    for finding, stated in zip(found, content["breaks"], strict=True):
        assert stated["message"] in finding.message


@pytest.mark.parametrize(("name", "value"), examples("valid", *MODELS))
def test_what_the_schema_accepts_the_model_reads_and_writes_back(name: str, value: Json) -> None:
    read = MODELS[name].model_validate_json(json.dumps(value))

    assert check_published(name, read.model_dump(mode="json")) == []


@pytest.mark.parametrize(("name", "content"), examples("invalid", *MODELS))
def test_what_the_schema_refuses_the_model_refuses(name: str, content: Json) -> None:
    with pytest.raises(ValidationError):
        MODELS[name].model_validate_json(json.dumps(content["value"]))


def _mutations(value: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """Yield `value` with one member dropped or replaced, in every way that could contradict the others."""
    for field in value:
        yield {name: member for name, member in value.items() if name != field}
    replacements: dict[str, list[Json]] = {
        "effect": ["read", "create", "update", "delete", "send", "look", None],
        "tier": ["low", "medium", "high", "critical", "none"],
        "reversal": ["exact", "partial", "none", "maybe"],
        "residue": [[], ["something"], [1], "text"],
        "compensation": [None, {}, {"tool": "undo", "arguments": {}, "kind": "partial"}, {"tool": "undo"}, []],
        "data_classes": [[], ["salary"], None],
        "fidelity": ["none", "executed", "best"],
        "upstream_class": ["A", "E"],
        "facts": [{}, {"a": "/a"}, {"a": 1}],
        "examples": [[], [{}], [1]],
        "name": ["", "a", "A", "a" * 49, "a b"],
        "title": ["", "x" * 120, "x" * 121],
        "description": ["", "x" * 1023, "x" * 1024],
        "timeout_seconds": [0, 1, 300, 301],
        "max_unsafe_requests": [-1, 0, 20, 21],
        "quarantine_seconds": [0, 86_400, 86_401],
        "spec_version": [1, 2],
        "input_schema": [{}, [], None],
        "tier_when": [
            {},
            {"critical": "true"},
            {"high": "input.id > 7"},
            {"medium": "true"},
            {"low": "true"},
            {"high": ""},
        ],
        "idempotency": [
            None,
            {"kind": "natural"},
            {"kind": "natural", "name": "x"},
            {"kind": "field"},
            {"kind": "header", "name": "idempotency-key"},
            {"kind": "lookup", "name": "reference"},
        ],
        "cost": [None, {"amount": 1, "unit": "EUR"}, {"amount": 0, "unit": "EUR"}, {"amount": 1, "unit": "E U"}],
        "has_check": [True, False],
        "binding": [{}, {"a": [1]}, []],
        "extra": [1],
    }
    for field, options in replacements.items():
        yield from ({**value, field: option} for option in options)


def test_operation_schema_and_model_agree_on_every_mutation_of_every_example() -> None:
    compared, refused = 0, 0
    for param in examples("valid", "operation"):
        base = OperationSpec.model_validate_json(json.dumps(param.values[1])).model_dump(mode="json")
        for first in _mutations(base):
            for mutated in (first, *_mutations(first)) if first.get("effect") != base["effect"] else (first,):
                value = deepcopy(mutated)
                accepted = check_published("operation", value) == []
                assert accepted == _model_accepts(value), value
                compared, refused = compared + 1, refused + (not accepted)
    assert compared > 2000
    assert 0 < refused < compared


def _model_accepts(value: Json) -> bool:
    try:
        OperationSpec.model_validate_json(json.dumps(value))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("spec", [connectors.tryton.connector.spec, test_connector.spec])
def test_the_connectors_here_are_what_is_published(spec: ConnectorSpec) -> None:
    assert check_published("connector", spec.model_dump(mode="json")) == []


def test_the_table_of_states_is_the_one_the_hub_answers_by() -> None:
    published = document("invocation")["$defs"]["states"]["const"]

    assert published == {
        state.value: {"status": standing.status.value, "task": standing.task, "is_error": standing.is_error}
        for state, standing in STANDINGS.items()
    }
    assert set(document("invocation")["$defs"]["status"]["enum"]) == {status.value for status in Status} - {"done"}


@pytest.mark.parametrize(("name", "value"), examples("valid", "invocation"))
def test_the_small_envelope_in_every_tool_accepts_what_the_full_one_does(name: str, value: Json) -> None:
    assert name == "invocation"
    assert compile_schema(ENVELOPE).violations(value) == []
    assert set(ENVELOPE["properties"]) == set(document("invocation")["properties"])


def test_a_problem_is_what_the_api_says() -> None:
    fields = Problem.model_json_schema()

    assert set(document("problem")["properties"]) == set(fields["properties"])
    assert set(document("problem")["required"]) == set(fields["required"])


def test_every_kind_of_event_fits_the_published_pattern() -> None:
    event = json.loads((EXAMPLES / "audit-event" / "valid" / "commit-sent.json").read_text())

    assert [kind for kind in EventKind if check_published("audit-event", event | {"kind": kind.value})] == []
