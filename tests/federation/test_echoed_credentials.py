"""A server that repeats the credential it was shown, spelled as it likes: nobody reads it, wherever it comes in."""

import json
import sys
from collections.abc import Mapping
from typing import Any, Final

import pytest
from federation_servers import ME, Federated
from scripted_servers import USUAL, Asked, Scripted, events, result, said, usual

from connectors.mcp_upstream import Owner
from connectors.sdk.auth import ApiKey, AuthSpec
from hub.execution import Client, Failed, Succeeded
from sandbox.mcp.standing import Told, Wanted
from sandbox.programs import Program
from sandbox.sign_in import Proof

pytestmark = pytest.mark.anyio

KEY: Final = "s3cr3t-key-0123456789abcdef"
WAYS: Final = {
    "a cookie": ApiKey(header="cookie", prefix="session="),
    "a parameter": ApiKey(header="authorization", prefix="Token token="),
    "a prefix": ApiKey(prefix="v1-"),
    "a header of two parts": AuthSpec().with_header("x-auth", "hub:{key}"),
    "a quoted parameter": AuthSpec().with_header("x-auth", 'Key key="{key}"'),
}
TOKEN: Final = "c2Vj+cmV0/dG9rZW4+8888=="
BEARER: Final = AuthSpec(kind="bearer", secret_fields=("token",))
OWNER: Final = Owner(name="scripted", reads=frozenset({"find"}), auth=BEARER)


def spelled(message: Any) -> bytes:  # noqa: ANN401  # any JSON
    """Return JSON as some servers write it."""
    text = json.dumps(message).replace("+", "\\u002B").replace("=", "\\u003d").replace("/", "\\/")
    return text.encode()


def note(text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "message": text}}


@pytest.mark.parametrize("how", ["result", "error", "stream"])
@pytest.mark.parametrize("session", ["", "s1"])
async def test_a_call_is_answered_without_it(federated: Federated, how: str, session: str) -> None:
    heard = list[Mapping[str, Any]]()

    async def hear(message: Mapping[str, Any]) -> None:
        heard.append(message)

    async def answer(asked: Asked) -> bytes:
        if asked.method != "tools/call":
            return usual(asked, session=session)
        echo = asked.headers["authorization"]
        if how == "error":
            return said(spelled({"jsonrpc": "2.0", "id": asked.message["id"], "error": {"code": 1, "message": echo}}))
        told = spelled(json.loads(result(asked, {**USUAL["tools/call"], "content": [{"type": "text", "text": echo}]})))
        return events(spelled(note(echo)), told) if how == "stream" else said(told)

    async with Scripted(answer).running() as url:
        house = await federated.connect(url)
        await house.connect(url, {"token": TOKEN})
        spec = await federated.discovered(house, OWNER)
        target = house.target(spec, "find")
        ran = await house.executor.read(target, {"text": "a"}, deadline_seconds=20, client=Client(hear=hear))

    assert isinstance(ran.outcome, Failed if how == "error" else Succeeded), ran
    assert "[redacted]" in repr(ran.outcome)
    assert "c2Vj" not in repr((ran, heard))
    assert len(heard) == (how == "stream")


async def test_news_are_told_without_it() -> None:
    heard = list[Mapping[str, Any]]()
    wanted = Wanted(version="2026-07-28", uris=(), tell=heard.append, opened=lambda: None)

    async def no_reply(_answer: Mapping[str, Any]) -> None:
        """Nobody is there to be answered."""

    told = Told(wanted, Proof(headers={"authorization": f"Bearer {TOKEN}"}), no_reply)
    news = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": f"doc://{TOKEN}"}}
    await told.take(b"data: " + spelled(news) + b"\n\n")

    assert [one["params"]["uri"] for one in heard] == ["doc://[redacted]"]


ECHOING: Final = r"""
import json, os, sys
TAKES = {"type": "object", "properties": {"text": {"type": "string"}}}
for line in sys.stdin:
    asked = json.loads(line)
    answer = {
        "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}},
        "tools/list": {"tools": [{"name": "find", "description": "Finds.", "inputSchema": TAKES}]},
        "tools/call": {"content": [{"type": "text", "text": os.environ["ACCESS"]}], "resultType": "complete"},
    }[asked["method"]]
    text = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": answer})
    print(text.replace("+", "\\u002B").replace("=", "\\u003d").replace("/", "\\/"), flush=True)
"""


async def test_a_program_answers_without_it(federated: Federated) -> None:
    program = Program(command=(sys.executable, "-c", ECHOING), user=ME, secrets={"ACCESS": "token"})
    house = await federated.connect(federated.allow("echoing", program))
    await house.connect("stdio:echoing", {"token": TOKEN})
    spec = await federated.discovered(house, OWNER)

    ran = await house.read(spec, "find", text="a")

    assert isinstance(ran.outcome, Succeeded), ran
    assert ran.outcome.output["content"] == [{"type": "text", "text": "[redacted]"}]


@pytest.mark.parametrize("auth", WAYS.values(), ids=WAYS)
async def test_a_key_comes_back_neither_in_its_header_nor_alone(federated: Federated, auth: AuthSpec) -> None:
    async def answer(asked: Asked) -> bytes:
        if asked.method != "tools/call":
            return usual(asked)
        shown = next(value for value in asked.headers.values() if KEY in value)
        text = f"{shown} was sent, and {KEY} may not do this"
        return said(result(asked, {**USUAL["tools/call"], "content": [{"type": "text", "text": text}]}))

    async with Scripted(answer).running() as url:
        house = await federated.connect(url)
        await house.connect(url, {"key": KEY})
        spec = await federated.discovered(house, Owner(name="scripted", reads=frozenset({"find"}), auth=auth))
        ran = await house.read(spec, "find", text="a")

    assert isinstance(ran.outcome, Succeeded), ran
    assert KEY not in repr(ran)
    assert ran.outcome.output["content"][0]["text"] == "[redacted] was sent, and [redacted] may not do this"
