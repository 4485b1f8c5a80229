"""Whatever a server answers, its call ends in an outcome that can be put on record, and a write that left in doubt."""

import sys
from typing import Final

import pytest
from execution_house import House, order
from federation_servers import ME, Federated
from scripted_servers import OWNER, Asked, Scripted, events, result, said, usual

from connectors import mcp_upstream
from connectors.mcp_upstream import Owner
from connectors.sdk.run import PhaseCall, PhaseResult
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.wire import Transport
from hub.execution import Failed, Unknown, direct
from sandbox.mcp.hearing import MOST_VALUES
from sandbox.programs import Program

pytestmark = pytest.mark.anyio

OBLIGING: Final = """
import json, sys
SELF = {"name": "x", "version": "1"}
ABOUT = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "serverInfo": SELF}
TAKES = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS = {"tools": [{"name": name, "description": name, "inputSchema": TAKES} for name in ("find", "post")]}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    said = '"result": ' + json.dumps(ABOUT if asked["method"] == "server/discover" else TOOLS)
    if asked["method"] == "tools/call":
        said = asked["params"]["arguments"]["text"]
    print('{"jsonrpc": "2.0", "id": %d, %s}' % (asked["id"], said), flush=True)
"""
"""A server that answers a call with what the call says."""
FAILING: Final = {
    "a code that is a word": '"error": {"code": "x", "message": "y"}',
    "a code that is a list": '"error": {"code": [1], "message": {}}',
    "a code that is true": '"error": {"code": true}',
    "no error at all": '"error": 5',
    "an error in words": '"result": {"content": ["x"], "isError": true}',
    "an error in a number": '"result": {"content": 5, "isError": true}',
    "an error without content": '"result": {"content": null, "isError": true}',
    "a text that is none": '"result": {"content": [{"type": "text", "text": {"a": 1}}], "isError": true}',
}


@pytest.fixture(scope="module")
async def obliging(federated: Federated) -> tuple[House, ConnectorSpec]:
    """A connection to the server that answers what it is told to."""
    program = Program(command=(sys.executable, "-c", OBLIGING), user=ME)
    house = await federated.connect(federated.allow("obliging", program))
    return house, await federated.discovered(house, Owner(name="obliging", reads=frozenset({"find"})))


@pytest.mark.parametrize("answer", FAILING.values(), ids=FAILING)
async def test_an_error_of_any_shape_ends_a_read_and_leaves_a_write_in_doubt(
    obliging: tuple[House, ConnectorSpec], answer: str
) -> None:
    house, spec = obliging

    read = await house.read(spec, "find", text=answer)
    wrote = await house.commit(spec, "post", order(), text=answer)

    assert isinstance(read.outcome, Failed), read
    assert isinstance(wrote.outcome, Unknown), wrote


@pytest.mark.parametrize(
    ("code", "kept"),
    [("-32001", -32001), ("404", 404), ('"x"', -32603), ("true", -32603), ("1.5", -32603), (str(2**53), -32603)],
)
async def test_the_code_of_an_error_is_kept_of_a_read_if_it_is_one(
    obliging: tuple[House, ConnectorSpec], code: str, kept: int
) -> None:
    house, spec = obliging

    read = await house.read(spec, "find", text=f'"error": {{"code": {code}, "message": "y"}}')

    assert isinstance(read.outcome, Failed), read
    assert read.outcome.rpc_code == kept


@pytest.mark.parametrize("content", ["5", '["x"]', "null", '{"a": 1}'])
async def test_content_of_another_shape_is_no_answer_of_a_tool(
    obliging: tuple[House, ConnectorSpec], content: str
) -> None:
    house, spec = obliging

    read = await house.read(spec, "find", text=f'"result": {{"content": {content}, "resultType": "complete"}}')

    assert isinstance(read.outcome, Failed), read
    assert read.outcome.code == "upstream_unreadable"


@pytest.mark.parametrize("has_sent", [False, True])
async def test_code_that_an_answer_breaks_ends_its_call_by_what_has_left(
    obliging: tuple[House, ConnectorSpec],
    monkeypatch: pytest.MonkeyPatch,
    has_sent: bool,  # noqa: FBT001  # a column
) -> None:
    house, spec = obliging

    async def broken(spec: ConnectorSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
        if has_sent:
            await mcp_upstream.carry_out(spec, call, transport)
        raise OverflowError("int too large to convert to float")

    monkeypatch.setitem(direct.DIRECT_RUNNERS, spec.entry, broken)  # type: ignore[arg-type]  # a dict
    answer = '"result": {"content": [], "resultType": "complete"}'

    read = await house.read(spec, "find", text=answer)
    wrote = await house.commit(spec, "post", order(), text=answer)

    assert isinstance(read.outcome, Failed), read
    assert read.outcome.code == "connector_broken"
    assert "OverflowError" in read.outcome.message
    assert type(wrote.outcome) is (Unknown if has_sent else Failed), wrote


@pytest.mark.parametrize("session", ["", "one"], ids=["alone", "in a session"])
@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
async def test_what_holds_more_values_than_anybody_reads_is_read_by_nobody(
    federated: Federated, session: str, *, is_stream: bool
) -> None:
    many = {"content": [], "structuredContent": {"rows": [[]] * MOST_VALUES}, "resultType": "complete"}

    async def answer(asked: Asked) -> bytes:
        if asked.method != "tools/call":
            return usual(asked, session=session)
        return events(result(asked, many)) if is_stream else said(result(asked, many))

    async with Scripted(answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        read = await house.read(spec, "find", text="one")
        wrote = await house.commit(spec, "post", order(), text="one")

    assert isinstance(read.outcome, Failed)
    assert "more than 300,000 values" in read.outcome.message
    assert isinstance(wrote.outcome, Unknown)


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
async def test_numbers_that_take_as_long_to_read_as_all_else_are_read_by_nobody(
    federated: Federated, *, is_stream: bool
) -> None:
    digits = "7" * 4000
    as_text = {"content": [{"type": "text", "text": f"pi: {digits}, again: {digits * 20}"}], "resultType": "complete"}
    as_number = {"content": [], "structuredContent": {"rows": ["DIGITS"] * 20}, "resultType": "complete"}

    async def answer(asked: Asked) -> bytes:
        if asked.method != "tools/call":
            return usual(asked)
        said_of = as_text if asked.message["params"]["arguments"]["text"] == "text" else as_number
        written = result(asked, said_of).replace(b'"DIGITS"', digits.encode())
        return events(written) if is_stream else said(written)

    async with Scripted(answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        text = await house.read(spec, "find", text="text")
        number = await house.read(spec, "find", text="number")

    assert not isinstance(text.outcome, Failed), text
    assert isinstance(number.outcome, Failed)
    assert "a number of more than 400 digits" in number.outcome.message
