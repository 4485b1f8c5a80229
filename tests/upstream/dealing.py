"""The same few deals behind GraphQL, XML-RPC and JSON-RPC, on servers that are as careless as servers are.

The one for GraphQL runs the reference implementation and takes a request in every way that was ever found in the wild;
the one for XML-RPC is Python's own. What the fence holds back would be carried out here.
"""

import json
import re
import threading
import unicodedata
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

from graphql import GraphQLError, GraphQLResolveInfo, build_schema, graphql_sync, parse
from graphql.language import OperationDefinitionNode

Json = Any

KEPT_DELETION = "0" * 63 + "1"
"""The hash by which the server keeps a document that deletes."""
_DELETE = "mutation { dealDelete(id: 1) }"
_SCHEMA = build_schema(
    """
    type Deal { id: Int!, title: String!, amount: Int!, version: Int!, owner: String! }
    type Query { deal(id: Int!, note: String): Deal, touch(id: Int!): Boolean }
    type Mutation {
      dealUpdate(id: Int!, title: String!, ifVersion: Int!): Deal
      dealDelete(id: Int!): Boolean
      dealTry(id: Int!, title: String!): Deal
    }
    """
)


class No(Exception):
    """A system says no, with a number for people who read numbers."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


@dataclass
class Deals:
    """The deals, and how often one was changed."""

    held: dict[int, dict[str, Json]] = field(
        default_factory=lambda: {1: {"id": 1, "title": "Pencils", "amount": 500, "version": 1}}
    )
    effects: int = 0
    asked: int = 0

    def read(self, number: int) -> dict[str, Json]:
        """Return a deal."""
        if number not in self.held:
            raise No(404, f"there is no deal {number}")
        return dict(self.held[number])

    def update(self, number: int, title: str, version: int) -> dict[str, Json]:
        """Give a deal another title, if it is still at `version`."""
        if self.read(number)["version"] != version:
            raise No(409, f"deal {number} has changed")
        self.edit(number, title)
        return self.read(number)

    def edit(self, number: int, title: str) -> None:
        """Give a deal another title."""
        self.effects += 1
        self.held[number] |= {"title": title, "version": self.held[number]["version"] + 1}

    def delete(self, number: int) -> bool:
        """Delete a deal."""
        self.effects += 1
        del self.held[number]
        return True

    def touch(self, number: int) -> bool:
        """Change something, as a query should not."""
        self.edit(number, "touched")
        return True

    def tried(self, number: int, title: str) -> dict[str, Json]:
        """Return what a deal would be under another title."""
        return {**self.read(number), "title": title}


@dataclass(frozen=True)
class Dealing:
    """Deals, and where they are served."""

    deals: Deals
    base_url: str


@contextmanager
def by_xml_rpc() -> Generator[Dealing]:
    """Serve deals by XML-RPC on a loopback port while the block lasts."""
    deals = Deals()

    def faulting(function: Callable[..., Json]) -> Callable[..., Json]:
        def called(*arguments: Json) -> Json:
            deals.asked += 1
            try:
                return function(*arguments)
            except No as no:
                raise Fault(no.number, str(no)) from no

        return called

    class Handler(SimpleXMLRPCRequestHandler):
        rpc_paths = ("/rpc",)

    server = SimpleXMLRPCServer(("127.0.0.1", 0), requestHandler=Handler, logRequests=False)
    for name, function in {"read": deals.read, "update": deals.update, "delete": deals.delete}.items():
        server.register_function(faulting(function), f"deal.{name}")
    server.register_multicall_functions()
    with _serving(server):
        yield Dealing(deals, f"http://127.0.0.1:{server.server_address[1]}")


@contextmanager
def by_graphql() -> Generator[Dealing]:
    """Serve deals by GraphQL on a loopback port while the block lasts."""
    deals = Deals()

    class Handler(_InJson):
        def do_GET(self) -> None:
            self._answer([dict(parse_qsl(urlsplit(self.path).query))])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self._answer(_requests(self.path, self.headers.get("content-type", ""), body))

        def _answer(self, requests: list[dict[str, Json]]) -> None:
            deals.asked += 1
            self.say([_carried_out(deals, request) for request in requests])

    with _serving(server := ThreadingHTTPServer(("127.0.0.1", 0), Handler)):
        yield Dealing(deals, f"http://127.0.0.1:{server.server_address[1]}")


@contextmanager
def by_json_rpc() -> Generator[Dealing]:
    """Serve deals by JSON-RPC on a loopback port while the block lasts."""
    deals = Deals()

    class Handler(_InJson):
        def do_POST(self) -> None:
            deals.asked += 1
            said = json.loads(self.rfile.read(int(self.headers["content-length"])).decode("utf-8-sig"))
            calls = said if isinstance(said, list) else [said]
            self.say([_called(deals, {name.lower(): value for name, value in one.items()}) for one in calls])

    with _serving(server := ThreadingHTTPServer(("127.0.0.1", 0), Handler)):
        yield Dealing(deals, f"http://127.0.0.1:{server.server_address[1]}")


class _InJson(BaseHTTPRequestHandler):
    """Answers in JSON and keeps no log."""

    def say(self, answers: list[Json]) -> None:
        """Answer with the only one of `answers`, or with all of them."""
        said = json.dumps(answers[0] if len(answers) == 1 else answers).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the library's word
        """Keep quiet."""
        del format, arguments


@contextmanager
def _serving(server: SimpleXMLRPCServer | ThreadingHTTPServer) -> Generator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _requests(path: str, content_type: str, body: bytes) -> list[dict[str, Json]]:
    """Return what is asked for, read in every way that some server reads it."""
    text = body.decode("utf-8-sig")
    in_query = dict(parse_qsl(urlsplit(path).query))
    if content_type.startswith("application/graphql"):
        return [{"query": text}]
    if content_type.startswith("multipart/"):
        head = f"content-type: {content_type}\r\n\r\n".encode()
        message = BytesParser().parsebytes(head + body)
        text = next(str(part.get_payload()) for part in message.walk() if not part.is_multipart())
    elif content_type.startswith("application/x-www-form-urlencoded"):
        return [dict(parse_qsl(text))]
    said = json.loads(text)
    found = said if isinstance(said, list) else [said]
    return [{**{name.lower(): value for name, value in one.items()}, **in_query} for one in found]


def _called(deals: Deals, call: dict[str, Json]) -> Json:
    """Return the answer to one call, whose method is read as lenient servers read it."""
    method, params = "".join(unicodedata.normalize("NFKC", call["method"]).lower().split()), call.get("params", [])
    if method.replace("_", "") == "system.multicall":
        return {"result": [_called(deals, one) for one in params[0]]}
    methods = {"deal.read": deals.read, "deal.update": deals.update, "deal.delete": deals.delete}
    try:
        return {"id": call.get("id"), "result": methods[method](*params)}
    except No as no:
        return {"id": call.get("id"), "error": {"code": no.number, "message": str(no)}}


def _carried_out(deals: Deals, request: dict[str, Json]) -> Json:
    document = _document(request)
    names = [
        one.name.value for one in parse(document).definitions if isinstance(one, OperationDefinitionNode) and one.name
    ]
    result = graphql_sync(
        _SCHEMA,
        document,
        _Root(deals),
        variable_values=request.get("variables") or {},
        operation_name=request.get("operationname") or (names[-1] if names else None),
    )
    said = result.formatted
    return said if any(error.path for error in result.errors or []) or result.data else {"errors": said.get("errors")}


def _document(request: dict[str, Json]) -> str:
    kept = str(request.get("extensions", "")) + str(request.get("id", ""))
    document = request.get("query")
    return _DELETE if document is None and re.search(KEPT_DELETION, kept) else str(document)


class _Root:
    """What the fields at the top lead to."""

    def __init__(self, deals: Deals) -> None:
        self._deals = deals

    def deal(self, info: GraphQLResolveInfo, **given: Json) -> Json:
        """Read one."""
        del info
        return _said(lambda: self._deals.read(given["id"]))

    def touch(self, info: GraphQLResolveInfo, **given: Json) -> Json:
        """Write, where only reading is expected."""
        del info
        return _said(lambda: self._deals.touch(given["id"]))

    def dealUpdate(self, info: GraphQLResolveInfo, **given: Json) -> Json:  # noqa: N802  # the schema's word
        """Change one."""
        del info
        return _said(lambda: self._deals.update(given["id"], given["title"], given["ifVersion"]))

    def dealDelete(self, info: GraphQLResolveInfo, **given: Json) -> Json:  # noqa: N802  # the schema's word
        """Delete one."""
        del info
        return _said(lambda: self._deals.delete(given["id"]))

    def dealTry(self, info: GraphQLResolveInfo, **given: Json) -> Json:  # noqa: N802  # the schema's word
        """Show what one would be, and keep nothing."""
        del info
        return _said(lambda: self._deals.tried(given["id"], given["title"]))


def _said(function: Callable[[], Json]) -> Json:
    try:
        return function()
    except No as no:
        raise GraphQLError(str(no), extensions={"code": no.number}) from no
