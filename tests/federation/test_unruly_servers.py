"""One bad MCP server hurts nobody else: its calls fail within their time, and those of its neighbour keep working."""

import asyncio
import resource
from collections.abc import AsyncGenerator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from execution_house import House, order
from federation_servers import OWNER, Federated, program, text_of, unruly_over_http

from connectors.sdk.spec import ConnectorSpec
from hub.execution import Client, Failed, Ran, Succeeded, Unknown

pytestmark = pytest.mark.anyio

WAYS: Final = ("http", "stdio")
BAD: Final = ("huge", "nested", "endless", "wrong-ids", "mute", "crash", "flood", "closing", "deaf")
"""What ends a call badly; `garbage` and `duplicates` are endured."""
MEGABYTE: Final = 1024 * 1024
MOST_MEMORY: Final = 80 * MEGABYTE


@pytest.fixture(scope="module")
async def good(federated: Federated) -> AsyncGenerator[tuple[House, ConnectorSpec]]:
    with unruly_over_http("honest") as url:
        house = await federated.connect(url)
        yield house, await federated.discovered(house)


async def connected(federated: Federated, stack: ExitStack, way: str, manner: str) -> House:
    """Return a house with a connection to an unruly server."""
    if way == "stdio":
        return await federated.connect(federated.over_stdio(manner))
    return await federated.connect(stack.enter_context(unruly_over_http(manner)))


async def neighbours(good: tuple[House, ConnectorSpec], until: "asyncio.Future[Any]") -> list[Ran[Any]]:
    """Call the good server one call after the other until a task has ended, and at least once."""
    house, spec = good
    found = [await house.read(spec, "echo", text="good")]
    while not until.done():
        found.append(await house.read(spec, "echo", text="good"))
        await asyncio.sleep(0.02)
    return found


@pytest.mark.parametrize("way", WAYS)
async def test_bad_servers_fail_their_own_calls_and_no_others(
    federated: Federated, good: tuple[House, ConnectorSpec], way: str
) -> None:
    with ExitStack() as stack:
        bad = [await connected(federated, stack, way, manner) for manner in BAD]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        calling = asyncio.gather(*(house.read(good[1], "echo", 4.0, text="hello") for house in bad))
        others = await neighbours(good, calling)
        outcomes = dict(zip(BAD, await calling, strict=True))

        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    failed = {manner for manner, ran in outcomes.items() if isinstance(ran.outcome, Failed)}
    endured = {"flood"} if way == "stdio" else set()  # complaints go nowhere, if its machine is quick enough to answer
    assert failed | endured == {*BAD}
    assert len(others) > 1
    assert all(isinstance(one.outcome, Succeeded) for one in others), others
    assert {text_of(one.outcome) for one in others} == {"good"}
    assert grown < MOST_MEMORY


@pytest.mark.parametrize("manner", ["garbage", "duplicates", "flood"])
async def test_noise_beside_the_answer_is_endured_over_pipes(federated: Federated, manner: str) -> None:
    house = await federated.connect(federated.over_stdio(manner))
    spec = await federated.discovered(house)

    outcomes = [(await house.read(spec, "echo", text=str(number))).outcome for number in range(5)]

    assert [text_of(one) for one in outcomes] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_bad_server_leaves_a_write_in_doubt_and_never_done(
    federated: Federated, good: tuple[House, ConnectorSpec], way: str
) -> None:
    written = await federated.discovered(good[0], replace(OWNER, reads=frozenset()))
    manners = ("wrong-ids", "huge", "nested", "crash")
    with ExitStack() as stack:
        bad = [await connected(federated, stack, way, manner) for manner in manners]

        ran = await asyncio.gather(*(one.commit(written, "echo", order(seconds=8.0), text="hello") for one in bad))

    assert [type(one.outcome) for one in ran] == [Unknown] * len(manners), ran


@pytest.mark.parametrize("way", WAYS)
async def test_a_list_of_too_many_tools_is_refused_whole(federated: Federated, way: str) -> None:
    with ExitStack() as stack:
        house = await connected(federated, stack, way, "many-tools")

        told = await federated.undiscovered(house)

    assert "more than 5000 tools" in told.message


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_never_answers_is_not_waited_for_forever(
    federated: Federated, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    from hub.execution import executor

    monkeypatch.setattr(executor, "DISCOVERY_SECONDS", 1.0)
    with ExitStack() as stack:
        house = await connected(federated, stack, way, "mute")

        told = await federated.undiscovered(house)

    assert "did not list its tools" in told.message


@pytest.mark.parametrize("way", WAYS)
async def test_who_listens_hears_how_far_a_call_has_come(federated: Federated, way: str) -> None:
    heard = list[Any]()

    async def hear(message: Mapping[str, Any]) -> None:
        heard.append(message)

    with ExitStack() as stack:
        house = await connected(federated, stack, way, "chatty")
        spec = await federated.discovered(house)
        target = house.target(spec, "echo")
        ran = await house.executor.read(target, {"text": "hello"}, deadline_seconds=20, client=Client(hear=hear))
        unheard = await house.read(spec, "echo", text="quietly")

    assert text_of(ran.outcome) == "hello"
    assert [one["params"]["message"] for one in heard] == ["step 1", "step 2", "step 3"]
    assert text_of(unheard.outcome) == "quietly"


async def test_a_server_that_says_that_its_lists_have_changed_is_noted_over_pipes_too(
    federated: Federated, tmp_path: Path
) -> None:
    tools = tmp_path / "tools.json"
    await asyncio.to_thread(tools.write_text, '[{"name": "echo", "inputSchema": {"type": "object"}}]')
    house = await federated.connect(federated.allow("told", program("upstream.unruly", "stdio", "told", str(tools))))
    spec = await federated.discovered(house)
    federated.house.executor.take_changed()

    await house.read(spec, "echo")

    assert federated.house.executor.take_changed() == {house.connection.id}
    assert federated.house.executor.take_changed() == set()


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_asks_is_answered_by_who_listens_or_told_that_nobody_does(
    federated: Federated, way: str
) -> None:
    asked = list[Any]()

    async def hear(message: Mapping[str, Any]) -> dict[str, str]:
        asked.append(message["params"]["message"])
        return {"action": "decline"}

    with ExitStack() as stack:
        house = await connected(federated, stack, way, "curious")
        spec = await federated.discovered(house)
        target = house.target(spec, "echo")
        ran = await house.executor.read(target, {"text": "hello"}, deadline_seconds=20, client=Client(hear=hear))
        unheard = await house.read(spec, "echo", text="quietly")

    assert text_of(ran.outcome) == "hello"
    assert asked == ["Really?"]
    assert text_of(unheard.outcome) == "quietly"
