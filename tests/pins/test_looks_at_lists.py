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
        answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": self._result(message)})
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
