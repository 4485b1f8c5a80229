"""Attempts to make the hub send something elsewhere, each by a hostile connector through the real executor.

The list follows OWASP's cheat sheets on server-side request forgery, request smuggling and header injection. Beside the
system there is a decoy on this machine; whatever is tried, nobody ever connects to it.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from execution_decoy import GET, Scene, refused

from hub.execution import Succeeded

pytestmark = pytest.mark.anyio

Json = Any

PATHS = {
    "another URL": "http://DECOY/",
    "another host, scheme left out": "//DECOY/",
    "another host, in backslashes": "\\\\DECOY\\",
    "another host, in mixed slashes": "/\\DECOY/",
    "another host, after a user": "@DECOY/",
    "another host, after a password": ":x@DECOY/",
    "another host, as a continuation": ".DECOY/",
    "another port": ":22/",
    "a file": "file:///etc/passwd",
    "gopher": "gopher://DECOY/_x",
    "dict": "dict://DECOY/",
    "ldap": "ldap://DECOY/",
    "a jar": "jar:http://DECOY/!/",
    "data": "data:text/plain,x",
    "dots": "/../admin",
    "dots in the middle": "/a/../../admin",
    "dots, escaped": "/%2e%2e/admin",
    "dots, escaped in part": "/.%2e/admin",
    "dots, escaped twice": "/%252e%252e/admin",
    "dots with a parameter": "/..;x=1/admin",
    "dots before a backslash": "/..\\admin",
    "dots before an escaped slash": "/..%2fadmin",
    "dots before an escaped backslash": "/..%5cadmin",
    "dots before an overlong slash": "/..%c0%af/../admin",
    "dots in full width": "/\uff0e\uff0e/admin",
    "an empty segment": "/a//b",
    "a query": "/items?x=http://DECOY/",
    "a fragment": "/items#@DECOY/",
    "a second request": "/ HTTP/1.1\r\nHost: DECOY\r\n\r\nGET /",
    "a second request, escaped": "/%0d%0aHost:%20DECOY",
    "a line feed": "/\nHost: DECOY",
    "a null": "/items\x00.DECOY",
    "a null, escaped": "/items%00",
    "a tab": "/\tDECOY",
    "a blank": "/items DECOY",
    "a broken escape": "/%zz",
    "letters of another alphabet": "/\u0455",
    "half a pair": "/\ud800",
    "no path but a star": "*",
    "too long a path": "/" + "a" * 20_000,
}
METHODS = ("CONNECT", "TRACE", "OPTIONS", "PRI", "get", "GET ", "GET / HTTP/1.1\r\nX:", "", "BREW", None, 7, ["GET"])
HEADERS: Mapping[str, Mapping[str, str]] = {
    "the host": {"Host": "DECOY"},
    "the host in small letters": {"host": "DECOY"},
    "the host with a blank": {"Host ": "DECOY"},
    "the host, forwarded": {"X-Forwarded-Host": "DECOY"},
    "the host, forwarded by the standard": {"Forwarded": "host=DECOY"},
    "the address, forwarded": {"X-Forwarded-For": "127.0.0.1"},
    "the address, claimed": {"True-Client-IP": "127.0.0.1"},
    "the target, original": {"X-Original-URL": "/admin"},
    "the target, rewritten": {"X-Rewrite-URL": "/admin"},
    "another method": {"X-HTTP-Method-Override": "DELETE"},
    "chunks": {"Transfer-Encoding": "chunked"},
    "chunks with a blank": {"Transfer-Encoding ": "chunked"},
    "chunks with a tab": {"Transfer-Encoding": "\tchunked"},
    "a length": {"Content-Length": "5"},
    "two lengths": {"Content-Length": "5", "content-length": "6"},
    "an upgrade": {"Upgrade": "websocket", "Connection": "Upgrade"},
    "HTTP/2": {"Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"},
    "what to forget on the way": {"Connection": "authorization"},
    "trailers": {"TE": "trailers", "Trailer": "host"},
    "an expectation": {"Expect": "100-continue"},
    "a packing": {"Accept-Encoding": "br", "Content-Encoding": "gzip"},
    "a proxy's password": {"Proxy-Authorization": "Basic eDp4"},
    "a password": {"Authorization": "Bearer x"},
    "a cookie": {"Cookie": "session=1"},
    "metadata of Amazon": {"X-aws-ec2-metadata-token-ttl-seconds": "60"},
    "metadata of Google": {"Metadata-Flavor": "Google"},
    "metadata of Microsoft": {"Metadata": "true"},
    "a second line": {"accept": "x\r\nHost: DECOY"},
    "a folded line": {"accept": "x\r\n Host: DECOY"},
    "a line feed": {"accept": "x\nHost: DECOY"},
    "a carriage return": {"accept": "x\rHost: DECOY"},
    "a null": {"accept": "x\x00"},
    "a line in the name": {"accept: x\r\nHost": "DECOY"},
    "no name": {"": "DECOY"},
    "a name twice": {"accept": "a", "Accept": "b"},
    "letters of another alphabet": {"accept": "\u0455"},
    "too much": {"accept": "a" * 20_000},
}
STRANGE: Mapping[str, Json] = {
    "a body on a read": {**GET, "body": "x"},
    "a word more": {**GET, "base_url": "http://DECOY"},
    "a proxy": {**GET, "proxy": "http://DECOY"},
    "another kind of path": {"method": "GET", "path": ["http://DECOY"]},
    "no path": {"method": "GET"},
    "no object": "http://DECOY",
    "nothing": None,
    "headers as a list": {**GET, "headers": [["host", "DECOY"]]},
    "headers that are no text": {**GET, "headers": {"accept": {"host": "DECOY"}}},
    "a query that is no pair": {**GET, "query": [["a", "b", "c"]]},
    "a write": {"method": "DELETE", "path": "/items"},
    "a write with a safe name": {"method": "POST", "path": "/items", "operation": "GET"},
}


@pytest.mark.more
@pytest.mark.parametrize("attempt", PATHS)
async def test_a_path_leads_nowhere_else(attempt: str, scene: Scene) -> None:
    outcome = await scene.asks({"method": "GET", "path": scene.filled(PATHS[attempt])})

    assert refused(outcome), outcome
    assert scene.system.asked == []


@pytest.mark.more
@pytest.mark.parametrize("method", METHODS, ids=repr)
async def test_a_method_is_one_of_six(method: Json, scene: Scene) -> None:
    outcome = await scene.asks({"method": method, "path": scene.filled("/DECOY")})

    assert refused(outcome), outcome
    assert scene.system.asked == []


@pytest.mark.more
@pytest.mark.parametrize("attempt", HEADERS)
async def test_a_header_means_nothing_to_a_proxy(attempt: str, scene: Scene) -> None:
    headers = {name: scene.filled(value) for name, value in HEADERS[attempt].items()}

    outcome = await scene.asks({**GET, "headers": headers})

    assert refused(outcome), outcome
    assert scene.system.asked == []


@pytest.mark.more
@pytest.mark.parametrize("attempt", STRANGE)
async def test_a_request_is_nothing_else(attempt: str, scene: Scene) -> None:
    outcome = await scene.asks(STRANGE[attempt])

    assert refused(outcome), outcome
    assert scene.system.asked == []


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/a@b", [], "/api/a@b"),
        ("/a:b", [], "/api/a:b"),
        ("", [], "/api"),
        ("/items", [["q", "x\r\nHost: DECOY"]], "/api/items?q=x%0D%0AHost%3A+DECOY"),
        ("/items", [["q", "http://DECOY/"], ["&", "#"]], "/api/items?q=http%3A%2F%2FDECOY%2F&%26=%23"),
    ],
)
async def test_what_passes_arrives_below_the_base_url_and_names_its_host(
    path: str, query: Json, target: str, scene: Scene
) -> None:
    outcome = await scene.asks({"method": "GET", "path": path, "query": query})

    assert isinstance(outcome, Succeeded)
    (asked,) = scene.system.asked
    assert asked.target == target
    assert asked.header("host") == scene.system.base_url.removeprefix("http://")
