"""What may not leave on any channel, however it is dressed up."""

import pytest
from pydantic import ValidationError
from sandbox_broker import JSON, MCP, PLAIN, RPC, call, get, post, rpc

from connectors.sdk.wire import WireRequest, at
from sandbox.requests import LARGEST_BODY, LARGEST_HEAD, BadBaseUrl, checked_base_url, problem_with


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://erp.example", "https://erp.example"),
        ("https://erp.example/", "https://erp.example"),
        ("http://127.0.0.1:8000/erp/", "http://127.0.0.1:8000/erp"),
        ("https://[::1]:8443/a/b", "https://[::1]:8443/a/b"),
    ],
)
def test_a_plain_base_url_is_kept(url: str, kept: str) -> None:
    assert checked_base_url(url) == kept


@pytest.mark.parametrize(
    "url",
    [
        *("", "erp.example", "//erp.example", "ftp://erp.example", "file:///etc/passwd", "https://", "https:///path"),
        *("https://user@erp.example", "https://user:password@erp.example", "https://erp.example?x=1"),
        *("https://erp.example/?", "https://erp.example/#part", "https://erp.example\\@elsewhere.example"),
        *("https://erp.example/a/../b", "https://erp.example/%2e%2e/", "https://erp.example/a b", "https://erp\n.x"),
        *("http://2130706433", "http://0x7f000001", "http://0x7f.1", "http://0177.0.0.1", "http://127.1", "http://1."),
        *("http://127.0.0.1.", "http://127.0.0.01", "http://%31%32%37.0.0.1", "http://[fe80::1%25eth0]", "http://a..b"),
        *("http://erp.example.", "http://-a.example", "http://[::ffff:127.0.0.1", "http://①②⑦.⓪.⓪.①", "http://a,b"),
        *("https://erp.example:99999", "https://erp.example:0", "https://erp.example/%00", "https://erp.exämple"),
    ],
)
def test_a_strange_base_url_is_refused(url: str) -> None:
    with pytest.raises(BadBaseUrl):
        checked_base_url(url)


@pytest.mark.parametrize(
    "path",
    [
        *("http://elsewhere.example/", "//elsewhere.example/", "\\\\elsewhere.example", "@elsewhere.example"),
        *(".elsewhere.example", ":80@elsewhere.example", "items", "/items?x=1", "/items#x", "/a//b", "/items\r\nX: y"),
        *("/../admin", "/a/../../admin", "/./a", "/%2e%2e/admin", "/%2E%2e/admin", "/a\\..\\b", "/ä", "/a b"),
    ],
)
def test_a_path_that_leads_elsewhere_cannot_even_be_said(path: str) -> None:
    with pytest.raises(ValidationError):
        get(path)


@pytest.mark.parametrize(
    "path",
    [
        *("/a%2Fb", "/a%2fb", "/a%5Cb", "/a%00", "/a%0d%0aX:%20y", "/a%252e%252e", "/a%252Fb", "/%zz", "/a%"),
        *("/..;/admin", "/..;x=1/admin", "/.;/a", "/a/..%3b/b"),
    ],
)
def test_a_path_that_two_readers_read_differently_is_refused(path: str) -> None:
    assert problem_with(get(path), "none") is not None


@pytest.mark.parametrize("segment", ["1", "a b", "50%", "ä", "a;b", "a:b@c", "..."])
def test_ordinary_segments_pass(segment: str) -> None:
    assert problem_with(get(at("items", segment)), "none") is None


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "Authorization", "Cookie", "Transfer-Encoding", "Content-Length", "Connection", "Upgrade", "TE"),
        *("Proxy-Authorization", "X-Forwarded-Host", "X-Forwarded-For", "Forwarded", "X-Original-URL", "Trailer"),
        *("X-Rewrite-URL", "X-HTTP-Method-Override", "Content-Encoding", "Expect", "Keep-Alive", "x-api-key"),
        *("mcp-param-a b", "accept ", " accept", "accept\r\nhost", ""),
    ],
)
def test_a_header_of_the_brokers_is_not_the_connectors(name: str) -> None:
    assert problem_with(get("/items", **{name: "x"}), "none") is not None


@pytest.mark.parametrize("value", ["a\r\nHost: elsewhere", "a\nb", "a\x00b", "ä", "a\x7f"])
def test_a_header_cannot_become_two(value: str) -> None:
    assert problem_with(get("/items", accept=value), "none") is not None


def test_a_header_given_twice_in_different_letters_is_refused() -> None:
    assert problem_with(get("/items", accept="a", Accept="b"), "none") is not None


def test_sizes_are_bounded() -> None:
    assert problem_with(get("/" + "a" * LARGEST_HEAD), "none") is not None
    assert problem_with(post(body="x" * LARGEST_BODY), "none") is not None
    assert problem_with(WireRequest(method="GET", path="", query=(("q", "a" * LARGEST_HEAD),)), "none") is not None


def test_a_read_carries_no_body() -> None:
    assert problem_with(WireRequest(method="GET", path="/items", body="{}"), "none") is not None


def test_a_body_is_text_that_can_be_sent() -> None:
    assert problem_with(WireRequest(method="POST", path="/items", headers=JSON, body="\ud800"), "none") is not None


@pytest.mark.parametrize("spec", [PLAIN, RPC, MCP], ids=lambda spec: spec.rpc)
def test_a_plain_call_passes(spec: object) -> None:
    assert problem_with(rpc(call("model.party.read")), spec.rpc) is None  # type: ignore[attr-defined]  # frozen on purpose


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "[]",
        "{}",
        '"model.party.read"',
        '{"method": 7}',
        f"[{call('model.party.read')}, {call('model.party.delete')}]",
        '{"method": "model.party.read", "method": "model.party.delete"}',
        '{"method": "model.party.delete", "meth\\u006fd": "model.party.read"}',
        '{"method": "model.party.read", "Method": "model.party.delete"}',
        '{"METHOD": "model.party.delete", "method": "model.party.read"}',
        call("model.party.read") + call("model.party.delete"),
        "[" * 100_000,
    ],
    ids=lambda body: body[:50],
)
def test_a_body_that_is_not_exactly_one_call_is_refused(body: str) -> None:
    assert problem_with(rpc(body), "json_rpc") is not None


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "multipart/form-data"],
)
def test_a_call_says_that_it_is_json_in_utf8(content_type: str) -> None:
    request = rpc(call("model.party.read"), **{"content-type": content_type})

    assert problem_with(request, "json_rpc") is not None


def test_a_claim_that_the_body_does_not_bear_out_is_a_lie() -> None:
    assert problem_with(rpc(call("model.party.read"), operation="model.party.write"), "json_rpc") is not None


@pytest.mark.parametrize(
    ("headers", "is_fine"),
    [
        ({"mcp-method": "tools/call", "mcp-name": "read_it"}, True),
        ({"mcp-name": "=?base64?cmVhZF9pdA==?="}, True),
        ({"mcp-method": "tools/list"}, False),
        ({"mcp-name": "delete_it"}, False),
        ({"mcp-name": "=?base64?ZGVsZXRlX2l0?="}, False),
        ({"mcp-name": "=?base64?====?="}, False),
    ],
)
def test_the_headers_of_mcp_say_what_the_body_says(headers: dict[str, str], *, is_fine: bool) -> None:
    request = rpc(call("tools/call", {"name": "read_it", "arguments": {}}), path="", **headers)

    assert (problem_with(request, "mcp") is None) is is_fine


def test_a_tool_named_twice_in_different_letters_is_refused() -> None:
    body = '{"method": "tools/call", "params": {"name": "read_it", "Name": "delete_it"}}'

    assert problem_with(rpc(body, path=""), "mcp") is not None


def test_a_header_leaves_only_if_its_connector_declares_it() -> None:
    request = WireRequest(method="GET", path="/deals", headers={"x-tenant": "acme"})

    assert problem_with(request, "none") == "A connector may not send the header 'x-tenant'."
    assert problem_with(request, "none", ("x-tenant",)) is None


@pytest.mark.parametrize("name", ["host", "authorization", "x-forwarded-for", "x_forwarded_for", "proxy-connection"])
def test_a_header_that_is_not_the_connectors_to_send_stays_even_if_declared(name: str) -> None:
    request = WireRequest(method="GET", path="/deals", headers={name: "evil"})

    assert problem_with(request, "none", (name,)) is not None


@pytest.mark.parametrize("query", ["a=1#b", "a=1 b", "a=%zz", "a=\n", "a=ü", "a[b]=1"])
def test_an_encoded_query_holds_only_what_a_query_may(query: str) -> None:
    with pytest.raises(ValueError, match="RFC 3986"):
        WireRequest(method="GET", path="/deals", encoded_query=query)
