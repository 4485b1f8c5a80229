"""Calls by GraphQL, XML-RPC and JSON-RPC as tests of the fence send them, and writes that look like something else."""

import base64
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from urllib.parse import quote

from sandbox_broker import JSON, PLAIN, call, rpc
from upstream.dealing import KEPT_DELETION, Dealing, by_graphql, by_json_rpc, by_xml_rpc
from upstream.graphql_deals import connector as graphql_deals
from upstream.xml_rpc_deals import connector as xml_rpc_deals

from connectors.sdk.spec import ConnectorSpec, SafeRule
from connectors.sdk.wire import WireRequest

GRAPHQL: ConnectorSpec = PLAIN.model_copy(update={"rpc": "graphql", "safe": graphql_deals.spec.safe})
XML_RPC: ConnectorSpec = PLAIN.model_copy(update={"rpc": "xml_rpc", "safe": xml_rpc_deals.spec.safe})
JSON_RPC: ConnectorSpec = PLAIN.model_copy(
    update={
        "rpc": "json_rpc",
        "safe": (SafeRule(method="POST", operation="deal.read"), SafeRule(method="POST", operation="*system.*")),
    }
)
DELETE = "mutation { dealDelete(id: 1) }"
READS = "query { deal(id: 1) { title } }"
XML = {"content-type": "text/xml"}


def asking(body: object, *, query: str = "", method: str = "POST", **headers: str) -> WireRequest:
    """Return a request by GraphQL; what is no text is sent as JSON."""
    text = body if isinstance(body, str | None) else json.dumps(body)
    sent = {**({} if text is None else JSON), **headers}
    return WireRequest.model_validate(
        {"method": method, "path": "/graphql", "encoded_query": query, "headers": sent, "body": text}
    )


def calling(body: str, **headers: str) -> WireRequest:
    """Return a request by XML-RPC."""
    return WireRequest(method="POST", path="/rpc", headers={**XML, **headers}, body=body)


def xml(name: str, params: str = "<params><param><value><int>1</int></value></param></params>") -> str:
    """Return the body of a call, whose name is given with its element."""
    return f"<?xml version='1.0'?><methodCall>{name}{params}</methodCall>"


def packed(text: str, encoding: str) -> str:
    """Return `text` as bytes, in base64."""
    return base64.b64encode(text.encode(encoding)).decode()


MULTICALL = (
    "<params><param><value><array><data><value><struct>"
    "<member><name>methodName</name><value>deal.delete</value></member>"
    "<member><name>params</name><value><array><data><value><int>1</int></value></data></array></value></member>"
    "</struct></value></data></array></value></param></params>"
)
MULTIPART = (
    '--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n' + json.dumps({"query": DELETE}) + "\r\n--x--\r\n"
)
CARRIED_OUT = {
    "a mutation": asking({"query": DELETE}),
    "a claim": asking({"query": DELETE}).model_copy(update={"operation": "query/deal"}),
    "an alias": asking({"query": "mutation { deal: dealDelete(id: 1) }"}),
    "a name": asking({"query": "mutation query { deal: dealDelete(id: 1) }"}),
    "a fragment": asking({"query": "mutation { ...deal } fragment deal on Mutation { dealDelete(id: 1) }"}),
    "a fragment without a name": asking({"query": "mutation { ... @include(if: true) { dealDelete(id: 1) } }"}),
    "a comment": asking({"query": f"# {READS}\n{DELETE}"}),
    "a comment that a bare return ends": asking({"query": f"# query\r{DELETE} #"}),
    "commas for blanks": asking({"query": ",,mutation,,{,dealDelete(id:1),},"}),
    "a mark at the beginning": asking({"query": f"\ufeff{DELETE}"}),
    "a mark before the body": asking("\ufeff" + json.dumps({"query": DELETE})),
    "a string that seems to end early": asking(
        {
            "query": 'query ($a: String = """ \\""" ) { deal(id: 1) { id } } #""") '
            "{ deal(id: 1, note: $a) { id } touch(id: 1) }"
        }
    ),
    "two operations": asking({"query": f"query A {READS[5:]} mutation B {DELETE[8:]}", "operationName": "B"}),
    "two operations, none chosen": asking({"query": f"query A {READS[5:]} mutation B {DELETE[8:]}"}),
    "a batch": asking([{"query": READS}, {"query": DELETE}]),
    "a batch of one": asking([{"query": DELETE}]),
    "a member twice": asking(f'{{"query": {json.dumps(READS)}, "query": {json.dumps(DELETE)}}}'),
    "a member in other letters": asking({"query": READS, "Query": DELETE}),
    "the query string beside a body": asking({"query": READS}, query=f"query={quote(DELETE)}"),
    "a GET": asking(None, query=f"query={quote(DELETE)}", method="GET"),
    "a GET with two": asking(None, query=f"query={quote(READS)}&query={quote(DELETE)}", method="GET"),
    "a GET with a kept one": asking(None, query=f"id={KEPT_DELETION}", method="GET"),
    "application/graphql": asking(DELETE, **{"content-type": "application/graphql"}),
    "a form": asking(f"query={quote(DELETE)}", **{"content-type": "application/x-www-form-urlencoded"}),
    "multipart": asking(MULTIPART, **{"content-type": "multipart/form-data; boundary=x"}),
    "bytes": WireRequest(
        method="POST", path="/graphql", headers=JSON, body_base64=packed(json.dumps({"query": DELETE}), "utf-8")
    ),
    "a kept document": asking({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": KEPT_DELETION}}}),
    "a kept document of another server": asking({"id": KEPT_DELETION}),
    "a query that writes": asking({"query": "{ touch(id: 1) }"}),
    "a query that writes, under an alias": asking({"query": "{ deal: touch(id: 1) }"}),
    "a query that writes, beside one that does not": asking({"query": "{ deal(id: 1) { id } touch(id: 1) }"}),
    "a query that writes, in a fragment": asking(
        {"query": "{ deal(id: 1) { id } ...a } fragment a on Query { ...b } fragment b on Query { touch(id: 1) }"}
    ),
}
CALLED = {
    "a method": calling(xml("<methodName>deal.delete</methodName>")),
    "a claim": calling(xml("<methodName>deal.delete</methodName>")).model_copy(update={"operation": "deal.read"}),
    "many calls in one": calling(xml("<methodName>system.multicall</methodName>", MULTICALL)),
    "a character reference": calling(xml("<methodName>deal.delet&#101;</methodName>")),
    "character data": calling(xml("<methodName><![CDATA[deal.delete]]></methodName>")),
    "a comment": calling(xml("<methodName>deal.<!-- read -->delete</methodName>")),
    "an entity": calling(
        "<!DOCTYPE methodCall [<!ENTITY e 'delete'>]>" + xml("<methodName>deal.&e;</methodName>").partition("?>")[2]
    ),
    "a name twice": calling(xml("<methodName>deal.read</methodName><methodName>deal.delete</methodName>")),
    "a name behind": calling(
        xml("<methodName>deal.read</methodName>").replace("</params>", "</params><methodName>deal.delete</methodName>")
    ),
    "a name among the values": calling(
        xml("<methodName>deal.read</methodName>").replace("</int>", "</int><methodName>deal.delete</methodName>")
    ),
    "an attribute": calling(xml('<methodName x="deal.read">deal.delete</methodName>')),
    "other bytes": WireRequest(
        method="POST",
        path="/rpc",
        headers=XML,
        body_base64=packed(xml("<methodName>deal.delete</methodName>"), "utf-16"),
    ),
    "a declared encoding": calling(
        xml("<methodName>deal.delete</methodName>").replace("'1.0'", "'1.0' encoding='iso-8859-1'")
    ),
}
DELETION = {"method": "deal.delete", "params": [1]}
CALLED_IN_JSON = {
    "a method": rpc(json.dumps(DELETION)),
    "a claim": rpc(json.dumps(DELETION), operation="deal.read"),
    "a batch": rpc(json.dumps([{"method": "deal.read", "params": [1]}, DELETION])),
    "a member twice": rpc('{"params": [1], "method": "deal.read", "method": "deal.delete"}'),
    "a mark before the body": rpc("\ufeff" + json.dumps(DELETION)),
    "many calls in one": rpc(call("system.multicall", [[DELETION]])),
    "many calls in one, in other letters": rpc(call("System.multiCall", [[DELETION]])),
    "many calls in one, in two words": rpc(call("system.multi_call", [[DELETION]])),
    "many calls in one, between blanks": rpc(call(" system.multicall\n", [[DELETION]])),
    "many calls in one, a blank within": rpc(call("system.multi call", [[DELETION]])),
    "many calls in one, in wide letters": rpc(call("system.\uff4dulticall", [[DELETION]])),
    "many calls in one, in escapes": rpc(
        call("system.multicall", [[DELETION]]).replace("multicall", "\\u006dulticall")
    ),
    "many calls in many calls": rpc(
        call("system.multicall", [[{"method": "system.multicall", "params": [[DELETION]]}]])
    ),
}


@dataclass(frozen=True)
class Attack:
    """A write that looks like something else, and a careless system that would carry it out."""

    request: WireRequest
    spec: ConnectorSpec
    served: Callable[[], AbstractContextManager[Dealing]]


ATTACKS = {
    f"{protocol}: {name}": Attack(request, spec, served)
    for protocol, requests, spec, served in (
        ("GraphQL", CARRIED_OUT, GRAPHQL, by_graphql),
        ("XML-RPC", CALLED, XML_RPC, by_xml_rpc),
        ("JSON-RPC", CALLED_IN_JSON, JSON_RPC, by_json_rpc),
    )
    for name, request in requests.items()
}
