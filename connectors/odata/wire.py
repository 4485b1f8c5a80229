"""Requests to a service, with the headers that OData asks for, and the error that each answer proves."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from connectors.odata.addresses import encoded
from connectors.odata.answers import etag_of, json_of
from connectors.sdk.errors import Refused
from connectors.sdk.statuses import raise_for_status
from connectors.sdk.wire import Transport, WireRequest, WireResponse

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

_JSON: Final = "application/json;IEEE754Compatible=true"
"""Int64 and Decimal as texts, in both directions. Source: OData JSON Format 4.01, section 3.2."""
_HEADERS: Final = {
    "accept": "application/json;odata.metadata=minimal;IEEE754Compatible=true",
    "odata-version": "4.0",
    "odata-maxversion": "4.01",
}


class Service:
    """The service of one connection. A request that `is_safe` changes no live record; its failures are no doubts."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, path: str, query: Sequence[tuple[str, str]] = (), *, raw_query: str = "") -> Object:
        """Return what stands at `path`; `raw_query` is sent as it is, in the place of `query`."""
        response = await self._sent({"method": "GET", "path": path, "encoded_query": raw_query or encoded(query)})
        return json_of(response, is_safe=True)

    async def record(self, path: str, query: Sequence[tuple[str, str]] = ()) -> tuple[Object, str]:
        """Return the record at `path`, and its version."""
        response = await self._sent({"method": "GET", "path": path, "encoded_query": encoded(query)})
        record = json_of(response, is_safe=True)
        return record, etag_of(response, record)

    async def post(self, path: str, body: Object, *, etag: str = "", is_safe: bool = False) -> Object:
        """Return the answer to a POST."""
        return await self._written("POST", path, body, etag=etag, is_safe=is_safe)

    async def patch(self, path: str, body: Object, *, etag: str, is_safe: bool = False) -> Object:
        """Return the answer to a PATCH."""
        return await self._written("PATCH", path, body, etag=etag, is_safe=is_safe)

    async def delete(self, path: str, *, etag: str, is_safe: bool = False) -> Object:
        """Return the answer to a DELETE."""
        return await self._written("DELETE", path, None, etag=etag, is_safe=is_safe)

    async def _written(self, method: str, path: str, body: Object | None, *, etag: str, is_safe: bool) -> Object:
        headers = {"prefer": "return=representation"} if body is not None else {}
        if etag:
            headers["if-match"] = etag
        response = await self._sent({"method": method, "path": path}, headers, body, is_safe=is_safe)
        return json_of(response, is_safe=is_safe)

    async def _sent(
        self,
        asked: Mapping[str, Json],
        headers: Mapping[str, str] | None = None,
        body: Object | None = None,
        *,
        is_safe: bool = True,
    ) -> WireResponse:
        said = {**_HEADERS, **(headers or {}), **({} if body is None else {"content-type": _JSON})}
        content = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        try:
            request = WireRequest.model_validate({**asked, "headers": said, "body": content})
        except ValidationError as error:
            raise Refused("An argument cannot stand in an address. Nothing was sent.") from error
        response = await self._transport.send(request)
        raise_for_status(response, is_safe=is_safe)
        return response
