"""The older protocol's sessions: opened once and kept, opened again when the server has forgotten them."""

from pathlib import Path

import pytest
from execution_house import order
from federation_servers import Federated, text_of, unruly_over_http
from upstream.fixtures import running_mcp_upstream

from connectors.mcp_upstream import Owner
from hub.execution import Failed, Succeeded

pytestmark = pytest.mark.anyio


async def test_a_session_is_opened_once_for_many_calls(federated: Federated, tmp_path: Path) -> None:
    with running_mcp_upstream(tmp_path, "--era", "legacy", "--sse", "--sessions") as server:
        house = await federated.connect(server.url)
        spec = await federated.discovered(house, Owner(name="notes", reads=frozenset({"add"})))

        reads = [await house.read(spec, "add", a=1, b=number) for number in range(4)]
        written = await house.commit(spec, "notes_post", order(), text="hi")

    assert spec.operation("add").binding["opens_sessions"] is True
    assert [one.outcome.output["structuredContent"]["sum"] for one in reads if isinstance(one.outcome, Succeeded)] == [
        1,
        2,
        3,
        4,
    ]
    assert [len(one.passage.transcript) for one in reads] == [1, 1, 1, 1]
    assert isinstance(written.outcome, Succeeded), written


async def test_a_read_finds_another_session_when_the_server_has_forgotten_the_one_there_was(
    federated: Federated,
) -> None:
    with unruly_over_http("forgetful") as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house)

        reads = [await house.read(spec, "echo", text=str(number)) for number in range(3)]

    assert [text_of(one.outcome) for one in reads if isinstance(one.outcome, Succeeded)] == ["0", "1", "2"]


async def test_a_write_in_a_forgotten_session_was_not_done_and_is_not_sent_twice(federated: Federated) -> None:
    with unruly_over_http("forgetful") as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, Owner(name="echo"))

        done = await house.commit(spec, "echo", order(), text="one")
        refused = await house.commit(spec, "echo", order(), text="two")
        again = await house.commit(spec, "echo", order(), text="three")

    assert isinstance(done.outcome, Succeeded), done
    assert isinstance(refused.outcome, Failed), refused
    assert isinstance(again.outcome, Succeeded), again
