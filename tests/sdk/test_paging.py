"""Walking through pages: every way yields every record once, asks for no page too many, and keeps to its bounds."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import BaseModel
from upstream.classes import class_a

from connectors.sdk import Connector, Context, SafeRule, paging
from connectors.sdk.paging import Listing, first
from connectors.sdk.run import Done, Failed, PhaseCall, run_phase
from connectors.sdk.vocabulary import Phase
from connectors.sdk.wire import WireRequest, WireResponse

pytestmark = pytest.mark.anyio

Json = Any

RECORDS = [{"number": number} for number in range(1, 8)]


class Record(BaseModel):
    """A record."""

    number: int


class Records(BaseModel):
    """Records."""

    numbers: list[int]


Answer = tuple[int, Mapping[str, str], Json]
Walk = Callable[[Context], AsyncGenerator[Record]]


class System:
    """A system with seven records, which gives at most three at once, however many it is asked for."""

    def __init__(self, answer: Callable[[dict[str, str], Mapping[str, str]], Answer]) -> None:
        self.asked: list[WireRequest] = []
        self._answer = answer

    async def send(self, request: WireRequest) -> WireResponse:
        """Keep the request and answer it."""
        self.asked.append(request)
        status, headers, body = self._answer(dict(request.query), request.headers)
        return WireResponse(
            status=status, headers=dict(headers), body=body if isinstance(body, str) else json.dumps(body)
        )


def from_(start: int) -> list[Json]:
    return RECORDS[start : start + 3]


def cursors(query: dict[str, str], headers: Mapping[str, str]) -> Answer:
    del headers
    start = int(query.get("cursor", 0))
    return 200, {}, {"items": from_(start), "meta": {"next": start + 3 if start + 3 < 7 else None}}


def pages(query: dict[str, str], headers: Mapping[str, str]) -> Answer:
    del headers
    return 200, {}, from_((int(query["page"]) - 1) * 3)


def pages_that_end_with_404(query: dict[str, str], headers: Mapping[str, str]) -> Answer:
    return pages(query, headers) if int(query["page"]) <= 3 else (404, {}, {"detail": "no such page"})


def offsets(query: dict[str, str], headers: Mapping[str, str]) -> Answer:
    del headers
    return 200, {}, {"data": from_(int(query["offset"])), "total": 7}


def links(query: dict[str, str], headers: Mapping[str, str]) -> Answer:
    del headers
    start = int(query.get("after", 0))
    following = f"https://elsewhere.example/v1/records?{urlencode({'after': start + 3, 'q': 'a b'})}"
    link = f'<https://x/first>; rel="first", <{following}>; title="a; b, c"; rel="next last"' if start < 6 else ""
    return 200, {"link": link}, from_(start)


def odata(query: dict[str, str], headers: Mapping[str, str]) -> Answer:
    del headers
    start = int(query.get("$skiptoken", 0))
    more = {"@odata.nextLink": f"records?$skiptoken={start + 3}"} if start < 6 else {}
    return 200, {}, {"value": from_(start), **more}


def ranges(query: dict[str, str], headers: Mapping[str, str]) -> Answer:
    del query
    start = int(headers["range"].partition("=")[2].partition("-")[0])
    if start >= 7:
        return 416, {}, {"detail": "nothing there"}
    return 206, {"content-range": f"items {start}-{min(start + 2, 6)}/*"}, from_(start)


def ranges_with_a_total(query: dict[str, str], headers: Mapping[str, str]) -> Answer:
    status, said, records = ranges(query, headers)
    return status, {"content-range": said["content-range"].replace("*", "7")}, records


AT = Listing(path="/records")
IN_ITEMS = Listing(path="/records", items="/items")
IN_DATA = Listing(path="/records", items="/data", total="/total")


def cursor_walk(context: Context) -> AsyncGenerator[Record]:
    return paging.by_cursor(context, IN_ITEMS, Record, cursor="/meta/next")


def offset_walk(context: Context) -> AsyncGenerator[Record]:
    return paging.by_offset(context, IN_DATA, Record, size=100)


def page_walk(context: Context) -> AsyncGenerator[Record]:
    return paging.by_page(context, AT, Record, size=3)


def link_walk(context: Context) -> AsyncGenerator[Record]:
    return paging.by_link(context, AT, Record)


def odata_walk(context: Context) -> AsyncGenerator[Record]:
    return paging.by_odata(context, AT, Record)


def range_walk(context: Context) -> AsyncGenerator[Record]:
    return paging.by_range(context, AT, Record, size=3)


async def walked(system: System, walk: Walk, count: int = 1000) -> list[int] | Failed:
    """Return what a connector's read found that walks as `walk` does."""
    made = Connector("lists", version="1.0.0", description="L.", safe=[SafeRule(method="GET")], entry=class_a.entry)

    @made.read("records_list")
    async def records_list(context: Context) -> Records:
        """List records."""
        return Records(numbers=[record.number for record in await first(walk(context), count)])

    result = await run_phase(made, PhaseCall(operation="records_list", phase=Phase.READ, arguments={}), system)
    assert isinstance(result, Done | Failed)
    return result if isinstance(result, Failed) else result.output["numbers"]


@pytest.mark.parametrize(
    ("answer", "walk", "requests"),
    [
        (cursors, cursor_walk, 3),
        (pages, page_walk, 4),
        (pages_that_end_with_404, page_walk, 4),
        (offsets, offset_walk, 3),
        (links, link_walk, 3),
        (odata, odata_walk, 3),
        (ranges, range_walk, 4),
        (ranges_with_a_total, range_walk, 3),
    ],
)
async def test_every_record_is_found_once(
    answer: Callable[[dict[str, str], Mapping[str, str]], Answer], walk: Walk, requests: int
) -> None:
    system = System(answer)

    assert await walked(system, walk) == [1, 2, 3, 4, 5, 6, 7]

    assert len(system.asked) == requests
    assert {request.path for request in system.asked} == {"/records"}


async def test_a_link_is_followed_by_its_query_alone() -> None:
    system = System(links)

    await walked(system, link_walk)

    assert system.asked[1].query == (("after", "3"), ("q", "a b"))


@pytest.mark.parametrize(("count", "requests"), [(0, 0), (3, 1), (4, 2)])
async def test_no_page_is_asked_for_that_nobody_wants(count: int, requests: int) -> None:
    system = System(cursors)

    assert await walked(system, cursor_walk, count) == list(range(1, count + 1))
    assert len(system.asked) == requests


def endless(query: dict[str, str], headers: Mapping[str, str]) -> Answer:
    del headers
    return 200, {}, {"items": from_(0), "meta": {"next": int(query.get("cursor", 0)) + 1}}


def circling(query: dict[str, str], headers: Mapping[str, str]) -> Answer:
    del query, headers
    return 200, {}, {"items": from_(0), "meta": {"next": "same"}}


def strange(answer: Json) -> Callable[[dict[str, str], Mapping[str, str]], Answer]:
    return lambda _query, _headers: (200, {"link": '</other/place?x=1>; rel="next"'}, answer)


@pytest.mark.parametrize(
    ("answer", "walk", "said"),
    [
        (
            endless,
            lambda c: paging.by_cursor(
                c, Listing(path="/r", items="/items", most_pages=5), Record, cursor="/meta/next"
            ),
            "more than 5 pages",
        ),
        (
            endless,
            lambda c: paging.by_cursor(
                c, Listing(path="/r", items="/items", most_records=5), Record, cursor="/meta/next"
            ),
            "more than 5 records",
        ),
        (circling, cursor_walk, "goes round in circles"),
        (strange("<html>"), cursor_walk, "not JSON"),
        (strange({"items": "none"}), cursor_walk, "has no records at /items"),
        (strange([{"number": "x"}]), page_walk, "not what the connector expects"),
        (strange(RECORDS), link_walk, "somewhere else"),
    ],
)
async def test_a_walk_that_cannot_end_well_fails_instead_of_looking_whole(
    answer: Callable[[dict[str, str], Mapping[str, str]], Answer], walk: Walk, said: str
) -> None:
    result = await walked(System(answer), walk)

    assert isinstance(result, Failed)
    assert result.code == "upstream_unreadable"
    assert said in result.message
