"""What a connector's function works with: requests to its system, the caller's arguments, and what was approved."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NoReturn, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from connectors.sdk.errors import Accepted, ConnectorError, Refused, Unknown, Unreadable
from connectors.sdk.faults import first_fault
from connectors.sdk.protocols import Answered, Garbled, GraphQL, JsonRpc, XmlRpc
from connectors.sdk.statuses import raise_for_status
from connectors.sdk.vocabulary import Phase, UpstreamClass
from connectors.sdk.wire import ToTwin, Transport, WireRequest, WireResponse

Json = Any
"""Any JSON value."""

T = TypeVar("T")
R = TypeVar("R")
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
Query = Mapping[str, str | int | bool | None]
Body = BaseModel | Mapping[str, Json] | list[Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(Generic[R]):
    """What a commit was asked, what it answered, and what the approved preview had found: `{target: record}`.

    `answer` is None when it was lost: then only `input` and `before` say which records the commit was about.
    """

    input: Mapping[str, Json]
    answer: R | None
    before: Mapping[str, Mapping[str, Json]]

    @property
    def output(self) -> R:
        """Return what the commit answered.

        Raises:
            Refused: its answer was lost.
        """
        if self.answer is None:
            raise Refused("The answer was lost, and without it this connector does not know which record to read back.")
        return self.answer


class Approved(dict[str, T], Generic[T]):
    """Something per target of the approved preview; asking for another target is an error that says so."""

    def __missing__(self, target: str) -> NoReturn:
        """Refuse: nothing was approved for `target`."""
        known = ", ".join(self) or "nothing"
        raise Refused(f"The approved preview says nothing about {target!r}; it speaks of: {known}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Why a function runs, and with what. Made by `run_phase`, not by authors."""

    phase: Phase
    operation: str
    upstream_class: UpstreamClass
    arguments: Mapping[str, Json]
    guard: Mapping[str, str]
    before: Mapping[str, Mapping[str, Json]]
    idempotency_key: str | None
    is_natural: bool
    is_safe: Callable[[WireRequest], bool]
    rpc: JsonRpc | XmlRpc | GraphQL | None
    unprocessed: frozenset[int]
    has_twin: bool = False


class Context:
    """One call of one operation: the arguments given, what was approved, and the way to the system."""

    def __init__(self, circumstances: Circumstances, transport: Transport) -> None:
        self._about = circumstances
        self._transport = transport
        self._guard = Approved(circumstances.guard)
        self._consulted: set[UpstreamClass] = {UpstreamClass.D}
        if circumstances.is_natural:  # the request itself is all that the system needs to know it again
            self._consulted.add(UpstreamClass.A)
        self._calls = 0
        self.unsettled = 0
        """How many requests that may have changed something were handed to the transport and not definitely refused."""

    @property
    def phase(self) -> Phase:
        """Return why the function runs."""
        return self._about.phase

    @property
    def twin(self) -> "Context | None":
        """Return the way to the connection's twin, a copy of the system, or None where it has none.

        Only a preview has it, and what may change something does not pass there either: the system must have a way to
        try a call and keep nothing. A preview made there says so: `fidelity=Fidelity.TWIN` and `copied_at`.
        """
        return Context(self._about, ToTwin(self._transport)) if self._about.has_twin else None

    @property
    def guard(self) -> Mapping[str, str]:
        """Return the version tokens that must still hold: `{target: token}`, from the approved preview.

        It is empty before there is one, as in the check that runs before the preview.
        """
        self._consulted.add(UpstreamClass.B)
        return self._guard

    @property
    def before(self) -> Mapping[str, Mapping[str, Json]]:
        """Return the records the approved preview had found: `{target: record}`."""
        return Approved(self._about.before)

    @property
    def key(self) -> str:
        """Return the key that is the same whenever this commit is sent, and never used for another.

        Raises:
            Refused: there is none, because this is a read or a preview.
        """
        if self._about.idempotency_key is None:
            raise Refused(f"{self._about.operation}: there is an idempotency key only in a commit and in its lookup.")
        self._consulted |= {UpstreamClass.A, UpstreamClass.C}
        return self._about.idempotency_key

    def given(self, *names: str) -> dict[str, Json]:
        """Return the arguments the caller gave (and filled defaults) as JSON: all, or those of `names` among them."""
        return {name: value for name, value in self._about.arguments.items() if not names or name in names}

    async def get(self, path: str, returns: type[T], *, query: Query | None = None) -> T:
        """Return what stands at `path`."""
        return await self.request(Request("GET", path, query=query), returns)

    async def get_tagged(self, path: str, returns: type[T], *, query: Query | None = None) -> tuple[T, str]:
        """Return what stands at `path`, and its ETag as the system wrote it.

        Raises:
            Unreadable: the answer has none.
        """
        request = Request("GET", path, query=query).wire()
        response = await self.exchange(request)
        tag = response.headers.get("etag")
        if not tag:
            raise Unreadable(f"The system's answer to GET {path} has no ETag.")
        return self._read(request, self._json(request, response), returns), tag

    async def post(
        self,
        path: str,
        body: Body,
        returns: type[T],
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> T:
        """Post `body` to `path` and return the answer."""
        headers = {"if-match": if_match, "idempotency-key": idempotency_key}
        return await self.request(Request("POST", path, body=body, headers=headers), returns)

    async def put(
        self,
        path: str,
        body: Body,
        returns: type[T],
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> T:
        """Put `body` at `path` and return the answer."""
        headers = {"if-match": if_match, "idempotency-key": idempotency_key}
        return await self.request(Request("PUT", path, body=body, headers=headers), returns)

    async def patch(
        self,
        path: str,
        body: Body,
        returns: type[T],
        *,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> T:
        """Change what stands at `path` and return the answer."""
        headers = {"if-match": if_match, "idempotency-key": idempotency_key}
        return await self.request(Request("PATCH", path, body=body, headers=headers), returns)

    async def delete(self, path: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Delete what stands at `path`; what the system answers beside its status is not read."""
        headers = {"if-match": if_match, "idempotency-key": idempotency_key}
        await self.exchange(Request("DELETE", path, headers=headers).wire())

    async def rpc(self, method: str, *params: object, returns: type[T]) -> T:
        """Call `method` of the system's JSON-RPC or XML-RPC and return its result.

        Raises:
            ConnectorError: what the connector's `JsonRpc.error` or `XmlRpc.error` makes of an error in the answer.
        """
        rpc = self._about.rpc
        if not isinstance(rpc, JsonRpc | XmlRpc):
            raise TypeError(f"{self._about.operation}: declare the connector with rpc=JsonRpc(...) to call methods.")
        self._calls += 1
        return await self._called(rpc, rpc.request(self._calls, method, params), returns)

    async def graphql(self, document: str, variables: Mapping[str, object], *, returns: type[T]) -> T:
        """Ask for `document` (one query or one mutation, and its fragments) and return the member `data` of the answer.

        Raises:
            ConnectorError: what the connector's `GraphQL.error` makes of errors in the answer, where they say no;
                Unknown if a mutation was carried out in part.
        """
        rpc = self._about.rpc
        if not isinstance(rpc, GraphQL):
            raise TypeError(
                f"{self._about.operation}: declare the connector with rpc=GraphQL(...) to ask for documents."
            )
        return await self._called(rpc, rpc.request(document, variables), returns)

    async def _called(self, rpc: JsonRpc | XmlRpc | GraphQL, request: WireRequest, returns: type[T]) -> T:
        response = await self.exchange(request)
        try:
            answer = rpc.answer(response.body)
        except Garbled as garbled:
            raise self._unclear(request, str(garbled)) from garbled
        if isinstance(answer, Answered):
            return self._read(request, answer.value, returns)
        is_safe = self._about.is_safe(request)
        if not (is_safe or answer.is_definite):
            raise Unknown(f"The system carried out a part of {request.operation}, with errors: {answer.error.message}")
        self._settle(answer.error, is_safe=is_safe)
        raise answer.error

    async def request(self, request: "Request", returns: type[T]) -> T:
        """Send `request` and return the answer's JSON as `returns`."""
        wire = request.wire()
        return self._read(wire, self._json(wire, await self.exchange(wire)), returns)

    async def exchange(self, request: WireRequest) -> WireResponse:
        """Send `request` as it stands and return an answer whose status says yes.

        Raises:
            ConnectorError: the status says no, or says nothing clear.
        """
        is_safe = self._about.is_safe(request)
        if not is_safe:
            self._keep_the_promise()
            self.unsettled += 1
        try:
            response = await self._transport.send(request)
            raise_for_status(response, is_safe=is_safe, unprocessed=self._about.unprocessed)
        except ConnectorError as error:
            self._settle(error, is_safe=is_safe)
            raise
        return response

    def json_of(self, response: WireResponse, what: str) -> Json:
        """Return the JSON in the answer to a request that only reads; `what` says which, for people.

        Raises:
            Unreadable: it holds none.
        """
        try:
            return json.loads(response.body)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"The system answered {what} with an answer that is not JSON.") from error

    def _settle(self, error: ConnectorError, *, is_safe: bool) -> None:
        if not is_safe and not isinstance(error, Unknown):
            self.unsettled -= 1

    def _keep_the_promise(self) -> None:
        """Refuse to send a write without what its upstream class rests on: a resend could do it twice."""
        promised = self._about.upstream_class
        if self._about.phase is Phase.COMMIT and promised not in self._consulted:
            what = "context.guard" if promised is UpstreamClass.B else "context.key"
            raise Refused(
                f"{self._about.operation} is declared class {promised} but sends nothing of {what}; not sent."
            )

    def _json(self, request: WireRequest, response: WireResponse) -> Json:
        try:
            return json.loads(response.body)
        except (ValueError, RecursionError) as error:
            raise self._unclear(request, "an answer that is not JSON") from error

    def _unclear(self, request: WireRequest, what: str) -> ConnectorError:
        error = Unreadable if self._about.is_safe(request) else Unknown
        return error(f"The system answered {request.method} {request.operation or request.path} with {what}.")

    def _read(self, request: WireRequest, answer: Json, returns: type[T]) -> T:
        try:
            return TypeAdapter(returns).validate_python(answer)
        except ValidationError as error:
            message = f"The system's answer is not what the connector expects: {first_fault(error)}."
            raise (
                Unreadable(message) if self._about.is_safe(request) else Accepted(message, to_jsonable_python(answer))
            ) from error


@dataclass(frozen=True, slots=True)
class Request:
    """A request in an author's terms: values instead of strings."""

    method: Method
    path: str
    query: Query | None = field(default=None, kw_only=True)
    headers: Mapping[str, str | None] = field(default_factory=dict[str, str | None], kw_only=True)
    body: Body | None = field(default=None, kw_only=True)

    def wire(self) -> WireRequest:
        """Return the request as it travels."""
        headers = {name.lower(): value for name, value in self.headers.items() if value is not None}
        headers.setdefault("accept", "application/json")
        body = None
        if self.body is not None:
            headers.setdefault("content-type", "application/json")
            body = json.dumps(to_jsonable_python(self.body, by_alias=True, exclude_none=True))
        query = tuple((name, _text(value)) for name, value in (self.query or {}).items() if value is not None)
        return WireRequest(method=self.method, path=self.path, query=query, headers=headers, body=body)


def _text(value: str | int | bool) -> str:  # noqa: FBT001  # one of the kinds of value, not a switch
    return str(value).lower() if isinstance(value, bool) else str(value)
