"""How a system is called by RPC: what a call looks like on its way, and what the answer to it says."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from pydantic_core import to_jsonable_python

from connectors.sdk import graphql, xml_rpc
from connectors.sdk.errors import ConnectorError, Refused
from connectors.sdk.rpc import operation_of
from connectors.sdk.wire import WireRequest

Json = Any
"""Any JSON value."""

_JSON = {"content-type": "application/json"}


class Garbled(ValueError):
    """It is no answer of the protocol; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A call was carried out, and this came of it."""

    value: Json


@dataclass(frozen=True, slots=True)
class Denied:
    """A call ended with an error; `is_definite` says that nothing at all was answered beside it."""

    error: ConnectorError
    is_definite: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonRpc:
    """How the system's JSON-RPC is spoken: where, in which encoding of values, and what its errors mean.

    `error` turns the member `error` of an answer into the error to raise; Unknown is always a safe answer.
    `version` is the member `jsonrpc` of a request, or None for a system that takes no such member.
    """

    kind: ClassVar = "json_rpc"

    path: str = ""
    version: str | None = "2.0"
    error: Callable[[Json], ConnectorError]
    encode: Callable[[Json], Json] = to_jsonable_python
    decode: Callable[[Json], Json] = field(default=lambda value: value)

    def request(self, number: int, method: str, values: Sequence[object]) -> WireRequest:
        """Return the call of `method`, the run's call with this `number`."""
        question = {"id": number, "method": method, "params": self.encode(list(values))}
        body = json.dumps(question if self.version is None else {"jsonrpc": self.version, **question})
        return WireRequest(method="POST", path=self.path, headers=_JSON, body=body, operation=method)

    def answer(self, body: str) -> Answered | Denied:
        """Return what the answer `body` says.

        Raises:
            Garbled: it says nothing.
        """
        members = _members(body)
        if members.get("error"):
            return Denied(self.error(members["error"]))
        if "result" not in members:
            raise Garbled("an answer that is not JSON-RPC")
        return Answered(self.decode(members["result"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlRpc:
    """How the system's XML-RPC is spoken: where, and what its faults mean; Unknown is always a safe answer.

    Values are those of JSON: a date travels as text, and bytes come back in base64.
    """

    kind: ClassVar = "xml_rpc"

    path: str = ""
    error: Callable[[xml_rpc.Fault], ConnectorError]
    encode: Callable[[Json], Json] = to_jsonable_python
    decode: Callable[[Json], Json] = field(default=lambda value: value)

    def request(self, number: int, method: str, values: Sequence[object]) -> WireRequest:
        """Return the call of `method`; here calls have no number.

        Raises:
            Refused: XML-RPC cannot say one of the values.
        """
        del number
        try:
            body = xml_rpc.call(method, self.encode(list(values)))
        except xml_rpc.Unsayable as error:
            raise Refused(str(error)) from error
        headers = {"content-type": "text/xml", "accept": "text/xml"}
        return WireRequest(method="POST", path=self.path, headers=headers, body=body, operation=method)

    def answer(self, body: str) -> Answered | Denied:
        """Return what the answer `body` says.

        Raises:
            Garbled: it says nothing.
        """
        try:
            said = xml_rpc.answer_in(body)
        except xml_rpc.NotXmlRpc as error:
            raise Garbled("an answer that is not XML-RPC") from error
        return Denied(self.error(said)) if isinstance(said, xml_rpc.Fault) else Answered(self.decode(said))


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQL:
    """How the system's GraphQL is spoken: where, and what the list `errors` of an answer means."""

    kind: ClassVar = "graphql"

    path: str = "/graphql"
    error: Callable[[Json], ConnectorError]

    def request(self, document: str, variables: Mapping[str, object]) -> WireRequest:
        """Return the request that asks for `document`, which holds one operation and its fragments."""
        body = json.dumps({"query": document, "variables": to_jsonable_python(dict(variables))})
        request = WireRequest(method="POST", path=self.path, headers=_JSON, body=body)
        return request.model_copy(update={"operation": operation_of("graphql", request)})

    def answer(self, body: str) -> Answered | Denied:
        """Return what the answer `body` says.

        Raises:
            Garbled: it says nothing.
        """
        members = _members(body)
        if members.get("errors"):
            return Denied(self.error(members["errors"]), is_definite=graphql.says_no(members))
        if not isinstance(members.get("data"), dict):
            raise Garbled("an answer that is not GraphQL")
        return Answered(members["data"])


def _members(body: str) -> dict[str, Json]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Garbled("an answer that is not JSON") from error
    return cast("dict[str, Json]", answer) if isinstance(answer, dict) else {}
