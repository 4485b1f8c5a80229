"""Whatever one tool or one resource of a server holds, the others are published: it is left out, with the reason."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from federation_servers import Federated

from connectors.mcp_upstream import Discovery, Owner
from hub.core.canonical import digest
from schemas import compile_schema, envelope_schema, lint_output

pytestmark = pytest.mark.anyio

GOOD: Final = {"name": "good", "description": "Finds.", "inputSchema": {"type": "object"}}
CAN: Final = {"tools": {}, "resources": {}, "prompts": {}}
LISTS: Final[dict[str, Any]] = {
    "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": CAN},
    "resources/list": {"resources": []},
    "resources/templates/list": {"resourceTemplates": []},
    "prompts/list": {"prompts": []},
}


def nested(depth: int) -> Any:  # noqa: ANN401  # lists in lists
    return [] if depth == 0 else [nested(depth - 1)]


def schema(**more: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON
    return {"inputSchema": {"type": "object", "properties": {"a": {"type": "number", **more}}}}


ODD: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "half a character in a schema": (schema(description="\ud800"), "character"),
    "half a character in a name": ({"name": "\ud800"}, "character"),
    "a null character": ({"description": "a\x00b"}, "character"),
    "half a character in a hint": ({"annotations": {"x": "\ud800"}}, "character"),
    "a number beyond all": (schema(default=10**400), "integer"),
    "a bound that nothing reaches": (schema(minimum=2**63), "integer"),
    "deep hints": ({"annotations": {"x": nested(300)}}, "deeper"),
    "a deep schema": (schema(enum=nested(300)), "deeper"),
    "a deep answer": ({"outputSchema": {"type": "object", "enum": nested(300)}}, "deeper"),
    "hints of more values than anybody reads": ({"annotations": {"x": [1] * 140_000}}, "longer"),
    "words that nobody reads to the end": (schema(description="a" * 300_000), "longer"),
    "a pattern of names that takes more than one pass": (schema(patternProperties={"(a)\\1": {}}), "one pass"),
    "a part where nobody looks": (schema(**{"$ref": "#/properties/a/x-a", "x-a": {"type": "none"}}), "no schema"),
    "arguments in a list": ({"inputSchema": {"type": "object", "properties": []}}, "understood"),
}


@asynccontextmanager
async def listing(lists: dict[str, Any]) -> AsyncGenerator[str]:
    """Serve lists word by word, whatever they hold."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                sizes = [
                    int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-l")
                ]
                message = json.loads(await reader.readexactly(sizes[0]))
                result = {**LISTS, **lists}[message["method"]]
                body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
                said = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                writer.write(said % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"


async def found(federated: Federated, **lists: Any) -> Discovery:  # noqa: ANN401  # any JSON
    async with listing({name.replace("_", "/"): value for name, value in lists.items()}) as url:
        house = await federated.connect(url)
        seen = await house.executor.discover(Owner(name="odd", reads=frozenset({"good"})), house.connection)
    assert isinstance(seen, Discovery), seen
    assert digest(seen.spec.model_dump(mode="json"))
    return seen


@pytest.mark.parametrize(("odd", "why"), ODD.values(), ids=ODD)
async def test_a_tool_that_cannot_be_kept_is_left_out_alone(
    federated: Federated, odd: dict[str, Any], why: str
) -> None:
    seen = await found(federated, tools_list={"tools": [GOOD, {**GOOD, "name": "odd", **odd}]})

    assert "good" in [one.name for one in seen.spec.operations]
    assert [why in one.reason for one in seen.refused] == [True]


POINT: Final = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
REFERRING: Final[dict[str, dict[str, Any]]] = {
    "another property": {"properties": {"start": POINT, "end": {"$ref": "#/properties/start"}}},
    "definitions": {
        "properties": {"end": {"$ref": "#/definitions/Point"}},
        "definitions": {
            "Point": {**POINT, "properties": {"x": {"$ref": "#/definitions/Long"}}},
            "Long": {"type": "number"},
        },
    },
    "definitions of both names": {
        "properties": {"end": {"$ref": "#/$defs/Point"}},
        "$defs": {"Point": {"$ref": "#/definitions/Point"}},
        "definitions": {"Point": POINT},
    },
    "a part of a definition": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"end": {"$ref": "#/$defs/Line/properties/end"}},
        "$defs": {"Line": {"properties": {"start": {"$ref": "#/$defs/Point"}, "end": POINT}}, "Point": POINT},
    },
}


@pytest.mark.parametrize("schema", REFERRING.values(), ids=REFERRING)
async def test_every_reference_of_an_output_schema_holds_where_the_schema_is_now(
    federated: Federated, schema: dict[str, Any]
) -> None:
    tool = {**GOOD, "outputSchema": {"type": "object", **schema}}

    seen = await found(federated, tools_list={"tools": [tool]})

    assert seen.refused == ()
    own = seen.spec.operations[0].output_schema
    far = {"content": [], "structuredContent": {"end": {"x": "far"}}}
    # where every client looks for them, unless there are two of them
    assert ("$defs" in own) == ("$defs" in schema or "definitions" in schema)
    assert ("definitions" in own["properties"]["structuredContent"]) == ({"$defs", "definitions"} <= {*schema})
    for shown in (own, envelope_schema(own)):  # as it is kept, and as clients see it
        assert lint_output(shown) == []
        assert compile_schema(shown).is_valid({"content": [], "structuredContent": {"end": {"x": 1}}})
    assert [place for place, _ in compile_schema(own).violations(far)] == ["/structuredContent/end/x"]


async def test_an_output_schema_that_contains_itself_is_left_away_as_no_client_could_read_it(
    federated: Federated,
) -> None:
    tree = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}}

    seen = await found(federated, tools_list={"tools": [{**GOOD, "outputSchema": tree}]})

    assert seen.refused == ()
    assert seen.spec.operations[0].output_schema["properties"]["structuredContent"] == {"type": "object"}


async def test_a_pattern_that_takes_more_than_one_pass_is_left_away_and_the_tool_is_kept(federated: Federated) -> None:
    asked = {"type": "object", "properties": {"word": {"type": "string", "pattern": r"^(?=.*\d)(?=.*[a-z]).{8,}$"}}}

    seen = await found(federated, tools_list={"tools": [{**GOOD, "inputSchema": asked, "outputSchema": asked}]})

    tool = seen.spec.operations[0]
    assert seen.refused == ()
    assert tool.input_schema["properties"] == {"word": {"type": "string"}}
    assert tool.output_schema["properties"]["structuredContent"]["properties"] == {"word": {"type": "string"}}


async def test_a_bound_that_keeps_nothing_out_is_left_away_and_the_tool_is_kept(federated: Federated) -> None:
    wide = {"minimum": -(2**63), "maximum": 2**63 - 1}
    odd = {
        "inputSchema": {"type": "object", "properties": {"id": {"type": "integer", **wide}}},
        "outputSchema": {"type": "object", "properties": {"share": {"type": "number", "exclusiveMaximum": 2**64}}},
    }

    seen = await found(federated, tools_list={"tools": [{**GOOD, "name": "odd", **odd}]})

    tool = next(one for one in seen.spec.operations if one.name == "odd")
    bounds = {"minimum": -(2**53) + 1, "maximum": 2**53 - 1}
    assert seen.refused == ()
    assert tool.input_schema["properties"] == {"id": {"type": "integer", **bounds}}
    assert tool.output_schema["properties"]["structuredContent"]["properties"] == {"share": {"type": "number"}}


@pytest.mark.parametrize("odd", [{"title": "\ud800"}, {"annotations": {"x": nested(300)}}, {"size": 10**40}], ids=str)
async def test_a_resource_or_a_prompt_that_cannot_be_kept_is_left_out_alone(
    federated: Federated, odd: dict[str, Any]
) -> None:
    resources = [{"uri": "a://good", "name": "good"}, {"uri": "a://odd", "name": "odd", **odd}]
    prompts = [{"name": "good"}, {"name": "odd", "arguments": odd}]

    seen = await found(
        federated,
        tools_list={"tools": [GOOD]},
        resources_list={"resources": resources},
        prompts_list={"prompts": prompts},
    )

    listed = {one.name: one.binding.get("listed", {}) for one in seen.spec.operations}
    assert [one["uri"] for one in listed["odd_resources"]["resources"]] == ["a://good"]
    assert [one["name"] for one in listed["odd_prompts"]["prompts"]] == ["good"]
    assert [one.tool for one in seen.refused] == ["a://odd", "odd"]


async def test_what_a_server_says_of_itself_keeps_nothing_out(federated: Federated) -> None:
    about = {**LISTS["server/discover"], "instructions": "\ud800"}

    seen = await found(federated, tools_list={"tools": [GOOD]}, server_discover=about)

    assert seen.spec.description.endswith("What it says of itself cannot be kept.")


@pytest.mark.parametrize("length", [1024, 2000, 2001])
async def test_an_address_or_a_prompts_name_is_kept_whole_or_left_out_with_the_reason(
    federated: Federated, length: int
) -> None:
    uri, template, name = (start.ljust(length, "x") for start in ("book://", "book://{a}", "review"))

    seen = await found(
        federated,
        tools_list={"tools": []},
        resources_list={"resources": [{"uri": uri, "name": "n" * 1024}, {"uri": "book://1", "name": "one"}]},
        resources_templates_list={"resourceTemplates": [{"uriTemplate": template, "name": "a"}]},
        prompts_list={"prompts": [{"name": name}]},
    )

    listed = {kind: lists for one in seen.spec.operations for kind, lists in one.binding["listed"].items()}
    kept = [one[key] for kind, key in KEYS.items() for one in listed[kind]]
    is_kept = length <= 2000
    assert kept == (["book://1", uri, template, name] if is_kept else ["book://1"])
    assert ["longer than 2000" in one.reason for one in seen.refused] == ([] if is_kept else [True] * 3)


KEYS: Final = {"resources": "uri", "templates": "uriTemplate", "prompts": "name"}
