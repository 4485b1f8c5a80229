"""The fence around a twin: previews alone reach it, and nothing that writes does, there or at the live system."""

from collections.abc import Callable

import pytest
from sandbox_broker import channel_to, fates, get, post, upstream_at
from sandbox_server import Asked, Reply, Server, serving

from connectors.sdk.wire import WireRequest
from sandbox.broker import Channel, ChannelKind, Stopped
from sandbox.transcript import Fate
from sandbox.upstream import Upstream

pytestmark = pytest.mark.anyio


def answering(name: str, _asked: Asked) -> Reply:
    return Reply(body={"from": name})


def on_twin(request: WireRequest) -> WireRequest:
    return request.model_copy(update={"on_twin": True})


def with_twin(channel: Channel, twin: Upstream) -> Channel:
    channel.twin = twin
    return channel


@pytest.mark.parametrize("request_of", [get, lambda: post("/trials")], ids=["a read", "a trial"])
async def test_a_preview_asks_the_twin_and_the_transcript_says_so(
    way: Upstream, server: Server, request_of: Callable[[], WireRequest]
) -> None:
    async with serving(lambda asked: answering("twin", asked)) as copy:
        twin = upstream_at(copy.base_url)
        channel = with_twin(channel_to(way, ChannelKind.PREVIEW), twin)

        answer = await channel.send(on_twin(request_of()))
        await channel.send(get())
        await twin.close()

    assert answer.body == '{"from": "twin"}'
    assert (len(copy.asked), len(server.asked)) == (1, 1)
    assert [entry.on_twin for entry in channel.transcript.entries] == [True, False]


@pytest.mark.parametrize("is_on_twin", [True, False], ids=["to the twin", "to the live system"])
async def test_a_preview_with_a_twin_may_write_nowhere(way: Upstream, server: Server, is_on_twin: bool) -> None:  # noqa: FBT001  # a case
    async with serving(lambda asked: answering("twin", asked)) as copy:
        twin = upstream_at(copy.base_url)
        channel = with_twin(channel_to(way, ChannelKind.PREVIEW), twin)

        with pytest.raises(Stopped):
            await channel.send(post().model_copy(update={"on_twin": is_on_twin}))
        await twin.close()

    assert fates(channel) == [Fate.FENCED]
    assert channel.transcript.violations
    assert (copy.asked, server.asked) == ([], [])


@pytest.mark.parametrize("kind", [ChannelKind.READ, ChannelKind.WRITE])
@pytest.mark.parametrize("request_of", [get, post])
async def test_no_read_and_no_commit_goes_to_a_twin_nor_to_the_live_system_instead(
    way: Upstream, server: Server, kind: ChannelKind, request_of: Callable[[], WireRequest]
) -> None:
    async with serving(lambda asked: answering("twin", asked)) as copy:
        twin = upstream_at(copy.base_url)
        channel = with_twin(channel_to(way, kind), twin)

        with pytest.raises(Stopped):
            await channel.send(on_twin(request_of()))
        await twin.close()

    assert (copy.asked, server.asked) == ([], [])


async def test_what_is_meant_for_a_twin_that_there_is_not_goes_nowhere(way: Upstream, server: Server) -> None:
    channel = channel_to(way, ChannelKind.PREVIEW)

    with pytest.raises(Stopped):
        await channel.send(on_twin(get()))

    assert server.asked == []
