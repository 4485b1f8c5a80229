"""How a look reads what a server says it is and lists: to the end, in the protocol it speaks, turn by turn."""

import asyncio
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
from pins.noted import FIND, OWNER, POST

from connectors.mcp_upstream import Discovery, discover
from connectors.mcp_upstream.apart import apart, each_apart
from connectors.mcp_upstream.serving import LISTED
from connectors.sdk.errors import ConnectorError, Unreadable
from connectors.sdk.vocabulary import SERVES
from connectors.sdk.wire import WireRequest, WireResponse

pytestmark = pytest.mark.anyio

Json = Any

MODERN: Final = "2026-07-28"
LEGACY: Final = "2025-11-25"


class Paged:
    """A server that lists its tools on pages: each cursor stands for the page after the one that gave it."""

    def __init__(self, pages: Sequence[Json], cursors: Sequence[Json], *, versions: Json) -> None:
        self._pages, self._cursors, self._versions = pages, cursors, versions
        self.asked = list[str]()

    async def send(self, request: WireRequest) -> WireResponse:
        """Answer what a look asks."""
        message = json.loads(request.body or "")
        self.asked.append(message["method"])
        result = self._result(message)
        said = {"error": {"code": -32601, "message": "no such method"}} if result is None else {"result": result}
        answer = json.dumps({"jsonrpc": "2.0", "id": 1, **said})
        return WireResponse(status=200, headers={"content-type": "application/json"}, body=answer)

    def _result(self, message: Json) -> Json:
        match message["method"]:
            case "server/discover":
                return {"supportedVersions": self._versions, "capabilities": {"tools": {}}}
            case "initialize":
                return {"protocolVersion": LEGACY, "capabilities": {"tools": {}}}
            case "notifications/initialized":
                return {}
            case _:
                cursor = message["params"].get("cursor")
                at = 0 if cursor is None else self._cursors.index(cursor) + 1
                more = {"nextCursor": self._cursors[at]} if at < len(self._cursors) else {}
                return {"tools": [self._pages[at]], **more}


def names(found: Discovery) -> list[str]:
    return sorted(str(one.binding["tool"]) for one in found.spec.operations)


async def test_an_empty_cursor_leads_to_another_page_as_the_newer_protocol_says() -> None:
    server = Paged([FIND, POST], [""], versions=[MODERN])

    assert names(await discover(server, OWNER)) == ["find", "post"]


async def test_an_empty_cursor_ends_the_list_of_a_server_of_the_older_protocol() -> None:
    server = Paged([FIND], [""], versions=[])

    assert names(await discover(server, OWNER)) == ["find"]
    assert server.asked.count("tools/list") == 1


@pytest.mark.parametrize("cursor", [7, False, ["a"], {"page": 2}], ids=repr)
async def test_a_cursor_that_is_no_text_leads_nowhere(cursor: Json) -> None:
    server = Paged([FIND, POST], [cursor], versions=[MODERN])

    with pytest.raises(Unreadable, match="a cursor that is no text"):
        await discover(server, OWNER)
    assert server.asked.count("tools/list") == 1


class Resources(Paged):
    """A server that lists resources, too; `unknown` is a method, or a page of one, that it says it does not know."""

    def __init__(self, *, unknown: str) -> None:
        super().__init__([FIND], [], versions=[MODERN])
        self._unknown = unknown

    def _result(self, message: Json) -> Json:
        method, cursor = message["method"], message["params"].get("cursor")
        if self._unknown == (f"{method} at {cursor}" if cursor else method):
            return None
        match method:
            case "server/discover":
                return {"supportedVersions": [MODERN], "capabilities": {"tools": {}, "resources": {}}}
            case "resources/list":
                return {"resources": [{"uri": f"notes://{cursor}", "name": "note"}], "nextCursor": "a later one"}
            case "resources/templates/list":
                return {"resourceTemplates": []}
            case _:
                return super()._result(message)


async def test_a_list_that_its_server_does_not_know_is_empty() -> None:
    server = Resources(unknown="resources/list")

    (resources,) = [one for one in (await discover(server, OWNER)).spec.operations if SERVES in one.binding]

    assert resources.binding[LISTED] == {"resources": [], "templates": []}


async def test_a_list_that_breaks_off_is_not_taken_for_an_empty_one() -> None:
    server = Resources(unknown="resources/list at a later one")

    with pytest.raises(ConnectorError):
        await discover(server, OWNER)
    assert server.asked.count("resources/list") == 2


@pytest.mark.parametrize("versions", [None, 1, MODERN, {MODERN: True}], ids=repr)
async def test_a_server_that_does_not_say_which_versions_it_speaks_is_met_in_the_older_protocol(versions: Json) -> None:
    server = Paged([FIND], [], versions=versions)

    assert names(await discover(server, OWNER)) == ["find"]
    assert "initialize" in server.asked


@pytest.mark.parametrize(
    ("seconds", "order"),
    [(0.0, [0, "another look", 1, 2]), (3600.0, [0, 1, 2, "another look"])],
    ids=["its turn is over", "its turn lasts"],
)
async def test_a_long_list_holds_a_thread_no_longer_than_a_turn(
    seconds: float, order: list[Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    done, threads = list[Json](), sys.modules[each_apart.__module__]
    with ThreadPoolExecutor(max_workers=1) as alone:
        monkeypatch.setattr(threads, "_THREADS", alone)
        monkeypatch.setattr(threads, "_TURN_SECONDS", seconds)

        await asyncio.gather(each_apart(done.append, range(3)), apart(lambda: done.append("another look")))

    assert done == order
