"""How fast a system is asked, and again: bursts within its rate, waits as long as it asks, reads tried again."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from sandbox_broker import channel_to, get, post, upstream_at
from sandbox_server import Asked, Reply, Server, serving

from connectors.sdk import RateLimit
from connectors.sdk.errors import Unavailable, Unknown
from connectors.sdk.wire import WireResponse
from sandbox.broker import Bounds, ChannelKind
from sandbox.pace import LONGEST_HOLD_SECONDS, Pace, asked_to_wait
from sandbox.transcript import Fate
from sandbox.upstream import Upstream

pytestmark = pytest.mark.anyio

BOUNDS = Bounds(pauses=(0, 0), unsafe_requests=1)


def waits(pace: Pace, *times: float) -> list[float]:
    return [round(pace.next(now), 3) for now in times]


def test_a_burst_goes_at_once_and_the_rest_in_its_rate() -> None:
    assert waits(Pace(RateLimit(2, burst=3)), 100, 100, 100, 100, 100) == [0, 0, 0, 0.5, 1]
    assert waits(Pace(RateLimit(60, per="minute", burst=1)), 100, 100, 101.5) == [0, 1, 0.5]
    assert waits(Pace(), 100, 100, 100) == [0, 0, 0]


def test_a_bucket_fills_again_but_never_beyond_its_burst() -> None:
    pace = Pace(RateLimit(1, burst=2))

    assert waits(pace, 100, 100, 900, 900, 900) == [0, 0, 0, 0, 1]


def test_who_would_wait_too_long_is_told_at_once_and_does_not_count() -> None:
    pace = Pace(RateLimit(1, per="hour", burst=1), longest_wait=5)
    assert waits(pace, 100) == [0]

    for _ in range(3):
        with pytest.raises(Unavailable, match=r"try again in 3600 seconds\. Nothing was sent"):
            pace.next(100)
    assert waits(pace, 100 + 3598) == [2]


def busy(retry_after: str, status: int = 429) -> WireResponse:
    return WireResponse(status=status, headers={"retry-after": retry_after}, body="")


def test_everybody_waits_as_long_as_the_system_asks() -> None:
    pace = Pace(longest_wait=5)
    pace.heed(busy("3"), 100)
    pace.heed(busy("1", 503), 100)
    pace.heed(busy("60", 200), 100)

    assert waits(pace, 100, 102, 104) == [3, 1, 0]
    pace.heed(busy("9" * 400), 100)
    assert waits(pace, 100 + LONGEST_HOLD_SECONDS) == [0]


@pytest.mark.parametrize(
    "said",
    [
        *("", "soon", "-5", "1.5", "\u0661", "Mon, 99 Foo 2026"),
        f"Mon, {'9' * 30} Jan 2026 00:00:00 GMT",
        f"Mon, 5 Jan 2026 00:00:00 +{'9' * 30}",
    ],
)
def test_what_is_no_time_asks_for_nothing(said: str) -> None:
    assert asked_to_wait(busy(said)) is None


def test_a_date_asks_as_well_as_a_number() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert 55 < (asked_to_wait(busy(in_a_minute)) or 0) <= 60
    assert asked_to_wait(busy(format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True))) == 0


class Busy:
    """A system that is busy for so many requests, and then answers."""

    def __init__(self) -> None:
        self.times = 0
        self.reply = Reply(status=503, body={})

    def __call__(self, asked: Asked) -> Reply:
        """Answer a request."""
        del asked
        self.times -= 1
        return Reply(body={}) if self.times < 0 else self.reply


@pytest.fixture
def system() -> Busy:
    return Busy()


@pytest.fixture
async def server(system: Busy, anyio_backend: str) -> AsyncGenerator[Server]:
    del anyio_backend
    async with serving(system) as running:
        yield running


@pytest.fixture
async def way(server: Server) -> AsyncGenerator[Upstream]:
    opened = upstream_at(server.base_url)
    yield opened
    await opened.close()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_read_that_finds_the_system_busy_is_tried_again_on_record(
    status: int, way: Upstream, system: Busy, server: Server
) -> None:
    system.times, system.reply = 2, Reply(status=status, body={})
    channel = channel_to(way, bounds=BOUNDS)

    assert (await channel.send(get())).status == 200

    assert [entry.answer.status for entry in channel.transcript.entries if entry.answer] == [status, status, 200]
    assert len(server.asked) == 3


async def test_a_read_is_not_tried_for_ever(way: Upstream, system: Busy, server: Server) -> None:
    system.times = 99

    assert (await channel_to(way, bounds=BOUNDS).send(get())).status == 503
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 404, 409, 500, 501])
async def test_a_read_that_is_refused_or_broken_is_not_tried_again(
    status: int, way: Upstream, system: Busy, server: Server
) -> None:
    system.times, system.reply = 1, Reply(status=status, body={})

    assert (await channel_to(way, bounds=BOUNDS).send(get())).status == status
    assert len(server.asked) == 1


async def test_a_write_is_never_tried_again_by_the_broker(way: Upstream, system: Busy, server: Server) -> None:
    system.times, system.reply = 2, Reply(status=429, body={"error": "busy"})
    turned_away = await channel_to(way, ChannelKind.WRITE, bounds=BOUNDS).send(post())
    system.reply = Reply(status=503, body={})

    with pytest.raises(Unknown):
        await channel_to(way, ChannelKind.WRITE, bounds=BOUNDS).send(post())

    assert turned_away.status == 429
    assert len(server.asked) == 2


async def test_a_system_that_asks_to_wait_long_is_not_asked_meanwhile(
    way: Upstream, system: Busy, server: Server
) -> None:
    system.times, system.reply = 1, Reply(status=429, body={}, headers={"retry-after": "60"})
    assert (await channel_to(way, bounds=BOUNDS).send(get())).status == 429
    read, write = channel_to(way, bounds=BOUNDS), channel_to(way, ChannelKind.WRITE, bounds=BOUNDS)

    for channel, request in ((read, get()), (write, post())):
        with pytest.raises(Unavailable, match="try again in"):
            await channel.send(request)
        assert [entry.fate for entry in channel.transcript.entries] == [Fate.NOT_SENT]

    assert len(server.asked) == 1


async def test_what_completes_a_write_waits_instead_of_leaving_it_half_done(
    way: Upstream, system: Busy, server: Server
) -> None:
    system.reply = Reply(body={}, headers={})
    way.pace = Pace(RateLimit(10, per="second", burst=1), longest_wait=0)
    channel = channel_to(way, ChannelKind.WRITE, bounds=Bounds(unsafe_requests=2))

    assert (await channel.send(post())).status == 200
    assert (await channel.send(post())).status == 200

    with pytest.raises(Unavailable):
        await channel_to(way).send(get())
    assert len(server.asked) == 2


async def test_a_write_that_may_not_be_sent_yet_asks_for_no_permit(way: Upstream, server: Server) -> None:
    asked: list[str] = []

    async def permit() -> None:
        asked.append("asked")

    way.pace = Pace(RateLimit(1, per="hour", burst=1))
    await channel_to(way).send(get())

    with pytest.raises(Unavailable):
        await channel_to(way, ChannelKind.WRITE, bounds=BOUNDS, permit=permit).send(post())

    assert asked == []
    assert len(server.asked) == 1
