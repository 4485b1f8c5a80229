"""Pages: walking through what a system lists, in each of the usual ways, and never further than it may.

Each function yields the records one by one and asks for the next page only when somebody wants it. A walk that would
go beyond its bounds ends with `Unreadable`: half a list must not look like a whole one. Take what is enough with
`first(records, 50)`.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast
from urllib.parse import parse_qsl, urlsplit

from pydantic import TypeAdapter, ValidationError

from connectors.sdk.context import Context, Query, Request
from connectors.sdk.errors import NotFound, Refused, Unreadable
from connectors.sdk.pointer import resolve
from connectors.sdk.wire import WireRequest, WireResponse

Json = Any
"""Any JSON value."""

T = TypeVar("T")

_LINK: Final = re.compile(r'<([^<>]*)>((?:\s*;\s*\w+\s*=\s*(?:"[^"]*"|[^\s;,"]+))*)')
_RELATION: Final = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))', re.IGNORECASE)
_RANGE: Final = re.compile(r"\w+ \d+-\d+/(\d+)")
_PARTIAL: Final = 206


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Where records are listed: the path, the query of the first page, and the JSON pointer to them in an answer.

    `total` is the pointer to how many there are in all, if it is said; it spares a question for an empty page.
    `most_pages` and `most_records` are how far a walk may go.
    """

    path: str
    query: Query | None = None
    items: str = ""
    total: str | None = None
    most_pages: int = 100
    most_records: int = 10_000


async def first(records: AsyncIterator[T], count: int) -> list[T]:
    """Return the first `count` records, and ask for no page beyond them."""
    found: list[T] = []
    if count > 0:
        async for record in records:
            found.append(record)
            if len(found) >= count:
                break
    return found


async def by_cursor(
    context: Context, listing: Listing, returns: type[T], *, cursor: str, parameter: str = "cursor"
) -> AsyncGenerator[T]:
    """Yield the records of a system that answers each page with what to ask for the next one.

    `cursor` is the JSON pointer to it; the list ends where it is missing, null or empty.
    """
    walk = _Walk(context, listing, returns)
    query = dict(listing.query or {})
    while True:
        answer = await walk.page(query)
        for record in walk.records(answer):
            yield record
        following = resolve(answer, cursor)
        if following in (None, "", False):
            return
        if str(following) == query.get(parameter):
            raise Unreadable(f"The system's list at {listing.path} goes round in circles.")
        query[parameter] = str(following)


async def by_page(
    context: Context, listing: Listing, returns: type[T], *, size: int, first_page: int = 1
) -> AsyncGenerator[T]:
    """Yield the records of a system that numbers its pages: `page`, of `per_page` records."""
    async for record in _counted(context, listing, returns, _Count("page", "per_page", first_page, 1, size)):
        yield record


async def by_offset(context: Context, listing: Listing, returns: type[T], *, size: int) -> AsyncGenerator[T]:
    """Yield the records of a system that skips `offset` of them and gives at most `limit`."""
    async for record in _counted(context, listing, returns, _Count("offset", "limit", 0, 0, size)):
        yield record


async def by_link(context: Context, listing: Listing, returns: type[T]) -> AsyncGenerator[T]:
    """Yield the records of a system that names the next page in the header `Link` (RFC 8288), with `rel="next"`."""
    walk = _Walk(context, listing, returns)
    query: Mapping[str, Json] | None = listing.query or {}
    while query is not None:
        response = await walk.exchange(query)
        for record in walk.records(walk.json(response)):
            yield record
        link = _next_link(response.headers.get("link", ""))
        query = None if link is None else walk.query_of(link)


async def by_odata(context: Context, listing: Listing, returns: type[T]) -> AsyncGenerator[T]:
    """Yield the records of an OData service, which are in `value`, following `@odata.nextLink` (4.01 and before)."""
    walk = _Walk(context, listing, returns)
    query: Mapping[str, Json] | None = listing.query or {}
    while query is not None:
        answer = await walk.page(query)
        for record in walk.records(answer, "/value"):
            yield record
        link = resolve(answer, "/@odata.nextLink") or resolve(answer, "/@nextLink")
        query = walk.query_of(str(link)) if link else None


async def by_range(
    context: Context, listing: Listing, returns: type[T], *, size: int, unit: str = "items"
) -> AsyncGenerator[T]:
    """Yield the records of a system that is asked for a range of them and answers 206 (RFC 9110 section 14)."""
    walk = _Walk(context, listing, returns)
    start = 0
    while True:
        try:
            response = await walk.exchange(listing.query, range=f"{unit}={start}-{start + size - 1}")
        except Refused:
            if start == 0:
                raise
            return  # 416: there is nothing from here on
        records = walk.records(walk.json(response))
        for record in records:
            yield record
        start += len(records)
        given = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if response.status != _PARTIAL or not records or (given and given[1] == str(start)):
            return


@dataclass(frozen=True, slots=True)
class _Count:
    """How a system counts: what its parameters are called, where it starts, and how far a page leads.

    A `step` of 0 leads as far as there were records on the page: a system may give fewer than it is asked for.
    """

    position: str
    size_name: str
    start: int
    step: int
    size: int


async def _counted(context: Context, listing: Listing, returns: type[T], count: _Count) -> AsyncGenerator[T]:
    walk = _Walk(context, listing, returns)
    position = count.start
    while True:
        try:
            answer = await walk.page({**(listing.query or {}), count.position: position, count.size_name: count.size})
        except NotFound:
            if position == count.start:
                raise
            return  # some say so of the page after the last
        records = walk.records(answer)
        for record in records:
            yield record
        # a page that is not full proves nothing: systems cap the size, and then it would look like the last
        if not records or walk.has_all(answer):
            return
        position += count.step or len(records)


class _Walk:
    """A walk through the pages of a listing, which keeps to its bounds."""

    def __init__(self, context: Context, listing: Listing, returns: type[Any]) -> None:
        self._context = context
        self._listing = listing
        self._adapter = TypeAdapter[Any](returns)
        self._pages = 0
        self._records = 0

    async def page(self, query: Query | None) -> Json:
        """Return the JSON of the page that `query` asks for."""
        return self.json(await self.exchange(query))

    async def exchange(self, query: Query | None, **headers: str) -> WireResponse:
        """Return the answer to the next page."""
        self._pages += 1
        if self._pages > self._listing.most_pages:
            raise Unreadable(f"The list at {self._listing.path} has more than {self._listing.most_pages} pages.")
        return await self._context.exchange(_wire(self._listing.path, query, headers))

    def json(self, response: WireResponse) -> Json:
        """Return what an answer says."""
        return self._context.json_of(response, f"GET {self._listing.path}")

    def records(self, answer: Json, items: str | None = None) -> list[Any]:
        """Return the records on a page."""
        where = self._listing.items or items or ""
        found = resolve(answer, where)
        if not isinstance(found, list):
            raise Unreadable(f"The system's list at {self._listing.path} has no records at {where or 'its top'}.")
        self._records += len(cast("list[Json]", found))
        if self._records > self._listing.most_records:
            raise Unreadable(f"The list at {self._listing.path} has more than {self._listing.most_records} records.")
        try:
            return [self._adapter.validate_python(record) for record in cast("list[Json]", found)]
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise Unreadable(
                f"A record at {self._listing.path} is not what the connector expects: {first['msg']}."
            ) from error

    def has_all(self, answer: Json) -> bool:
        """Return whether the answer says that there are no more records than have been seen."""
        total = None if self._listing.total is None else resolve(answer, self._listing.total)
        return isinstance(total, int) and self._records >= total

    def query_of(self, link: str) -> dict[str, str]:
        """Return the query of a link to the next page, which is all that counts of it: the list stays where it is."""
        parts = urlsplit(link)
        if parts.path and not parts.path.endswith(self._listing.path.rpartition("/")[2]):
            raise Unreadable(f"The next page of {self._listing.path} is said to be somewhere else.")
        return dict(parse_qsl(parts.query, keep_blank_values=True))


def _wire(path: str, query: Query | None, headers: Mapping[str, str]) -> WireRequest:
    return Request("GET", path, query=query, headers=dict(headers)).wire()


def _next_link(header: str) -> str | None:
    for found in _LINK.finditer(header):
        relations = [(one[1] or one[2] or "").lower().split() for one in _RELATION.finditer(found[2])]
        if any("next" in each for each in relations):
            return found[1]
    return None
