"""What a server answers that is no result of its tool ends no write well, and no read: either era, either way."""

import json
import sys
from collections.abc import AsyncGenerator
from typing import Any, Final

import pytest
from execution_house import House, order
from federation_servers import ME, Federated
from scripted_servers import Asked, Scripted, result, said, usual

from connectors.mcp_upstream import Owner
from connectors.mcp_upstream.results import tool_result
from connectors.sdk.declaration import OPERATION
from connectors.sdk.errors import Unknown as UnknownError
from connectors.sdk.spec import ConnectorSpec
from hub.execution import Asks, Failed, Observed, Previewed, Succeeded, Unknown
from sandbox.programs import Program

Json = Any

pytestmark = pytest.mark.anyio

PHASES: Final = {"preview": "pay_preview", "observe": "pay_observe", "lookup": "pay_lookup"}
DECLARED: Final[dict[str, Json]] = {
    "see": {"effect": "read", "tier": "low"},
    "pay": {"effect": "update", "tier": "high", "fidelity": "simulated", "phases": PHASES},
}
TAKES: Final = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
GIVES: Final = {"type": "object", "properties": {"paid": {"type": "integer"}}, "required": ["paid"]}
TOOLS: Final[list[dict[str, Json]]] = [
    *({"name": name, "description": name, "inputSchema": TAKES} for name in ("find", "post", *PHASES.values())),
    *(
        {
            "name": name,
            "description": name,
            "inputSchema": TAKES,
            "outputSchema": GIVES,
            "_meta": {OPERATION: declared},
        }
        for name, declared in DECLARED.items()
    ),
]
MODERN: Final = "2026-07-28"
OWNER: Final = Owner(name="obliging", reads=frozenset({"find"}), vouches=True)
OVER_PIPES: Final = """
import json, sys
era, tools = sys.argv[1], json.loads(sys.argv[2])
about = {"capabilities": {"tools": {}}, "serverInfo": {"name": "x", "version": "1"}}
for line in sys.stdin:
    asked = json.loads(line)
    match asked["method"]:
        case "server/discover" if era >= "2026":
            said = {"result": {**about, "supportedVersions": [era]}}
        case "initialize":
            said = {"result": {**about, "protocolVersion": era}}
        case "tools/list":
            said = {"result": {"tools": tools}}
        case "tools/call":
            given = asked["params"]["arguments"]
            said = json.loads(given.get("input", given)["text"])
        case _:
            said = {"error": {"code": -32601, "message": "no"}}
    if "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **said}), flush=True)
"""
"""A server that answers a call with what the call says."""

ASKING: Final = {"resultType": "input_required", "inputRequests": {}, "requestState": "half-way"}
SAYS_ALL: Final = {"structuredContent": {"paid": 1, "changes": [], "records": {}, "found": {"paid": 1}}}
NO_RESULT: Final[dict[str, dict[str, Json]]] = {
    "it asks": {"result": ASKING},
    "it asks, and answers": {"result": {**ASKING, **SAYS_ALL, "content": []}},
    "a task": {"result": {"resultType": "task", "task": {"taskId": "t1", "status": "working"}}},
    "a task of the older protocol": {"result": {"task": {"taskId": "t1", "status": "working"}}},
    "a task, and content": {"result": {"task": {"taskId": "t1", "status": "working"}, **SAYS_ALL, "content": []}},
    "another kind": {"result": {"resultType": "surprise", **SAYS_ALL, "content": []}},
    "a kind that is none": {"result": {"resultType": 5, **SAYS_ALL, "content": []}},
    "nothing": {"result": {}},
    "nothing of it": {"result": {"foo": 1}},
    "null": {"result": {"content": None, "structuredContent": None}},
    "content in a word": {"result": {"content": "paid", **SAYS_ALL}},
    "content in words": {"result": {"content": ["paid"], **SAYS_ALL}},
    "a result and an error": {"result": {"content": [], **SAYS_ALL}, "error": {"code": -32601, "message": "no"}},
    "a result and a false error": {"result": {"content": [], **SAYS_ALL}, "error": False},
    "a result that is a list": {"result": []},
}


def server(session: str) -> Scripted:
    """Return the same server over HTTP; with a `session` it is of the older protocol."""

    async def answer(asked: Asked) -> bytes:
        match asked.method:
            case "tools/list":
                return said(result(asked, {"tools": TOOLS}))
            case "tools/call":
                given = asked.message["params"]["arguments"]
                told = json.loads(given.get("input", given)["text"])
                return said(json.dumps({"jsonrpc": "2.0", "id": asked.message["id"], **told}).encode())
            case _:
                return usual(asked, session=session)

    return Scripted(answer)


@pytest.fixture(scope="module", params=["pipes, newer", "pipes, older", "HTTP, newer", "HTTP, older"])
async def obliging(federated: Federated, request: pytest.FixtureRequest) -> AsyncGenerator[tuple[House, ConnectorSpec]]:
    """A connection to the server that answers what it is told to, and what it lists."""
    way, _, age = str(request.param).partition(", ")
    if way == "pipes":
        command = (sys.executable, "-c", OVER_PIPES, MODERN if age == "newer" else "2025-11-25", json.dumps(TOOLS))
        program = Program(command=command, user=ME)
        house = await federated.connect(federated.allow(f"obliging-{age}", program))
        yield house, await federated.discovered(house, OWNER)
        return
    async with server("one" if age == "older" else "").running() as url:
        house = await federated.connect(url)
        yield house, await federated.discovered(house, OWNER)


@pytest.mark.parametrize("answer", NO_RESULT.values(), ids=NO_RESULT)
async def test_a_write_that_was_answered_so_is_in_doubt(obliging: tuple[House, ConnectorSpec], answer: Json) -> None:
    house, spec = obliging

    wrote = [(await house.commit(spec, tool, order(), text=json.dumps(answer))).outcome for tool in ("post", "pay")]

    assert all(isinstance(one, Unknown) for one in wrote), wrote


@pytest.mark.parametrize("answer", NO_RESULT.values(), ids=NO_RESULT)
async def test_a_read_that_was_answered_so_fails(obliging: tuple[House, ConnectorSpec], answer: Json) -> None:
    house, spec = obliging
    may_ask = spec.operation("find").binding["version"] == MODERN and "input_required" in json.dumps(answer)

    read = [(await house.read(spec, tool, text=json.dumps(answer))).outcome for tool in ("find", "see")]

    if may_ask:
        assert all(isinstance(one, Asks) for one in read), read
    else:
        assert all(isinstance(one, Failed) and one.code == "upstream_unreadable" for one in read), read


@pytest.mark.parametrize("answer", NO_RESULT.values(), ids=NO_RESULT)
async def test_nothing_is_concluded_of_a_write_from_a_phase_that_was_answered_so(
    obliging: tuple[House, ConnectorSpec], answer: Json
) -> None:
    house, spec = obliging
    arguments = {"text": json.dumps(answer)}
    pay = house.target(spec, "pay")

    previewed = await house.preview(spec, "pay", **arguments)
    found = await house.executor.look_up(pay, arguments, idempotency_key="k")
    observed = await house.executor.observe(pay, arguments, before={}, output=None)

    assert isinstance(previewed.outcome, Failed), previewed
    assert isinstance(found.outcome, Unknown), found
    assert isinstance(observed.outcome, Failed), observed


async def test_a_result_is_taken_for_one(obliging: tuple[House, ConnectorSpec]) -> None:
    house, spec = obliging
    arguments = {"text": json.dumps({"result": {"content": [], **SAYS_ALL}})}
    pay = house.target(spec, "pay")

    wrote = [(await house.commit(spec, tool, order(), **arguments)).outcome for tool in ("post", "pay")]
    read = [(await house.read(spec, tool, **arguments)).outcome for tool in ("find", "see")]
    previewed = await house.preview(spec, "pay", **arguments)
    found = await house.executor.look_up(pay, arguments, idempotency_key="k")
    observed = await house.executor.observe(pay, arguments, before={}, output=None)

    assert all(isinstance(one, Succeeded) and not one.findings for one in (*wrote, *read)), (wrote, read)
    assert isinstance(previewed.outcome, Previewed), previewed
    assert isinstance(found.outcome, Succeeded), found
    assert isinstance(observed.outcome, Observed), observed


async def test_a_write_that_says_it_is_complete_and_not_what_it_did_is_done_with_a_finding(
    obliging: tuple[House, ConnectorSpec],
) -> None:
    house, spec = obliging

    wrote = await house.commit(spec, "pay", order(), text=json.dumps({"result": {"content": []}}))

    assert isinstance(wrote.outcome, Succeeded), wrote
    assert wrote.outcome.findings


@pytest.mark.parametrize("found", [False, True, 0, "", "no", []])
async def test_a_lookup_that_finds_what_is_no_answer_of_the_tool_finds_nothing_out(
    obliging: tuple[House, ConnectorSpec], found: Json
) -> None:
    house, spec = obliging
    arguments = {"text": json.dumps({"result": {"content": [], "structuredContent": {"found": found}}})}

    looked = await house.executor.look_up(house.target(spec, "pay"), arguments, idempotency_key="k")

    assert isinstance(looked.outcome, Unknown), looked


NOT_DECLARED: Final[dict[str, tuple[Json, dict[str, str]]]] = {
    "text alone": (
        {"content": [{"type": "text", "text": "would pay"}]},
        dict.fromkeys(("see", *PHASES.values()), "answered without structured content."),
    ),
    "an empty object": (
        {"content": [], "structuredContent": {}},
        {
            "see": "/paid: is required",
            "pay_preview": "answered something else than declared: changes: Field required.",
            "pay_observe": "answered something else than declared: records: Input should be a JSON object,",
            "pay_lookup": "answered something else than declared: a lookup says what it found, or null.",
        },
    ),
    "a list": (
        {"content": [], "structuredContent": []},
        {
            "see": "/: ",
            **dict.fromkeys(
                PHASES.values(), "answered something else than declared: its structured content is no object."
            ),
        },
    ),
    "a guess": (
        {"content": [], "structuredContent": {"changes": [{"target": "x", "effect": "guess"}], "records": {"x": 1}}},
        {
            "pay_preview": "answered something else than declared: changes/0/effect: Input should be 'read',",
            "pay_observe": "answered something else than declared: records/x: Input should be a JSON object,",
        },
    ),
}


@pytest.mark.parametrize(("answer", "says"), NOT_DECLARED.values(), ids=NOT_DECLARED)
async def test_what_is_wrong_with_a_declared_answer_is_said_in_words_of_the_hub(
    obliging: tuple[House, ConnectorSpec], answer: Json, says: dict[str, str]
) -> None:
    house, spec = obliging
    arguments = {"text": json.dumps({"result": answer})}
    pay = house.target(spec, "pay")
    outcomes: dict[str, Json] = {
        "see": (await house.read(spec, "see", **arguments)).outcome,
        "pay_preview": (await house.preview(spec, "pay", **arguments)).outcome,
        "pay_lookup": (await house.executor.look_up(pay, arguments, idempotency_key="k")).outcome,
        "pay_observe": (await house.executor.observe(pay, arguments, before={}, output=None)).outcome,
    }

    for tool, words in says.items():
        told = outcomes[tool].message
        assert words in told
        assert "pydantic" not in told
        assert "validation error" not in told
        assert tool == "see" or told.startswith(f"{tool}, which pay names for its {tool.removeprefix('pay_')}, ")


async def test_a_declared_write_that_answers_text_alone_is_done_and_says_what_was_missing(
    obliging: tuple[House, ConnectorSpec],
) -> None:
    house, spec = obliging

    wrote = await house.commit(spec, "pay", order(), text=json.dumps({"result": {"content": []}}))

    assert isinstance(wrote.outcome, Succeeded), wrote
    assert wrote.outcome.findings[0] == "pay answered without structured content."


async def test_the_doubt_says_why(obliging: tuple[House, ConnectorSpec]) -> None:
    house, spec = obliging

    asked = await house.commit(spec, "pay", order(), text=json.dumps(NO_RESULT["it asks"]))
    task = await house.commit(spec, "post", order(), text=json.dumps(NO_RESULT["a task"]))

    assert isinstance(asked.outcome, Unknown)
    assert "asks for more input" in asked.outcome.message
    assert isinstance(task.outcome, Unknown)
    assert "a task to wait for" in task.outcome.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "it does not say which"),
        ("paid", "it does not say which"),
        ([{"type": "text"}], "it does not say which"),
        (
            [7, {"type": "image", "text": "x"}, {"type": "text", "text": "No"}, {"type": "text", "text": "money."}],
            "No money.",
        ),
        ([{"type": "text", "text": "a" * 301}], "a" * 300),
    ],
)
def test_an_error_of_a_tool_is_told_by_its_texts(content: Json, words: str) -> None:
    assert tool_result({"content": content, "isError": True}, is_safe=False).words == words


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        ({"structuredContent": {"paid": 1}}, {"content": [], "structuredContent": {"paid": 1}}),
        ({"content": []}, {"content": []}),
        ({"content": [], "task": "t1"}, {"content": []}),
        ({"content": [], "task": {"name": "t1"}}, {"content": []}),
    ],
)
def test_a_result_is_told_as_its_tool_gave_it(answer: Json, output: Json) -> None:
    assert tool_result(answer, is_safe=False).output == output


def test_a_kind_that_nobody_knows_is_named_no_longer_than_it_takes_to_know_it() -> None:
    with pytest.raises(UnknownError, match=f": '{'x' * 40}'"):
        tool_result({"resultType": "x" * 41, "content": []}, is_safe=False)
