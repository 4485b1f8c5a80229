"""Made-up messages at the door for agents: every answer is one of the protocol, and tells nothing of the inside."""

from typing import Any, Final

import anyio
import httpx2
import pytest
from doors.working_hub import WorkingHub
from fuzzing import AT_LENGTH, EVERY_DAY, encoded, examples, header_values, is_sound, texts, values, whole
from hypothesis import given
from hypothesis import strategies as st

Json = Any

pytestmark = pytest.mark.anyio

LONGEST_SECONDS: Final = 120
_METHODS: Final = (
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
    "notifications/cancelled",
    "notifications/initialized",
    "logging/setLevel",
)
"""All but the stream, whose answer does not end."""
_TOOLS: Final = (
    "item_get",
    "item_list",
    "hub_invocation_get",
    "hub_invocation_cancel",
    "hub_find_tools",
    "hub_call_tool",
)
_ABOUT: Final = "io.modelcontextprotocol"

metas = st.fixed_dictionaries(
    {},
    optional={
        f"{_ABOUT}/protocolVersion": st.one_of(st.sampled_from(["2026-07-28", "2025-11-25", "1"]), values),
        f"{_ABOUT}/clientCapabilities": st.one_of(st.just({}), values),
        f"{_ABOUT}/clientInfo": values,
        "progressToken": values,
        "traceparent": values,
        "dev.toolhub/run": values,
        "dev.toolhub/idempotency-key": values,
    },
)
params = st.fixed_dictionaries(
    {},
    optional={
        "name": st.one_of(st.sampled_from(_TOOLS), values),
        "arguments": st.one_of(st.fixed_dictionaries({"id": values}), values),
        "uri": values,
        "cursor": values,
        "taskId": values,
        "requestState": values,
        "inputResponses": values,
        "ref": values,
        "argument": values,
        "protocolVersion": values,
        "capabilities": values,
        "clientInfo": values,
        "_meta": st.one_of(metas, values),
    },
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.one_of(st.just("2.0"), values),
        "id": st.one_of(st.integers(1, 9), values),
        "method": st.one_of(st.sampled_from(_METHODS), texts),
        "params": st.one_of(params, values),
    },
)
bodies = st.one_of(messages.map(encoded), st.lists(messages, max_size=3).map(encoded), st.binary(max_size=200))
headers = st.fixed_dictionaries(
    {},
    optional={
        "MCP-Protocol-Version": st.one_of(st.sampled_from(["2026-07-28", "2025-11-25", "2024-11-05"]), header_values),
        "Mcp-Method": st.one_of(st.sampled_from(_METHODS), header_values),
        "Mcp-Name": st.one_of(st.sampled_from(_TOOLS), header_values),
        "Mcp-Session-Id": header_values,
        "Idempotency-Key": header_values,
        "traceparent": header_values,
        "Accept": st.one_of(st.just("application/json, text/event-stream"), header_values),
        "Content-Type": st.one_of(st.just("application/json"), header_values),
    },
)


async def _sent(http: httpx2.AsyncClient, token: str, body: bytes, said: dict[str, str]) -> httpx2.Response:
    usual = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    named = {**usual, **said, "Authorization": f"Bearer {token}"}
    raw = [(name.encode(), value.strip().encode("latin-1")) for name, value in named.items()]
    with anyio.fail_after(LONGEST_SECONDS):
        return await http.post("/mcp", content=body, headers=raw)


@given(body=bodies, said=headers)
@examples(EVERY_DAY)
async def test_whatever_is_sent_is_answered_and_tells_nothing_of_the_inside(
    hub: WorkingHub, http: httpx2.AsyncClient, body: bytes, said: dict[str, str]
) -> None:
    token = await hub.token()

    assert is_sound(await _sent(http, token, body, said), token)


@pytest.mark.more
@given(body=bodies, said=headers)
@examples(AT_LENGTH)
async def test_whatever_is_sent_for_longer_is_answered_all_the_same(
    hub: WorkingHub, http: httpx2.AsyncClient, body: bytes, said: dict[str, str]
) -> None:
    token = await hub.token()

    assert is_sound(await _sent(http, token, body, said), token)


@given(bearer=header_values, query=st.dictionaries(texts, texts, max_size=3))
@examples(EVERY_DAY)
async def test_nobody_comes_in_by_a_made_up_token(http: httpx2.AsyncClient, bearer: str, query: dict[str, str]) -> None:
    raw = [(b"authorization", bearer.strip().encode("latin-1")), (b"content-type", b"application/json")]
    asked = {whole(name): whole(value) for name, value in query.items()}
    message = encoded({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})

    answer = await http.post("/mcp", content=message, headers=raw, params=asked)

    assert is_sound(answer)
    assert answer.status_code == 401
