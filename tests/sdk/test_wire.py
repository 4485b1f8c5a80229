"""Requests cannot leave their base URL, safe ones cannot be disguised, and answers prove no more than they do."""

import base64
import json

import pytest
from pydantic import ValidationError

from connectors.sdk import Conflict, ConnectorError, NotFound, Refused, SafeRule, Unavailable, Unknown, Unreadable, at
from connectors.sdk.rpc import Rpc, operations_of
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.statuses import raise_for_status
from connectors.sdk.wire import WireRequest, WireResponse


def spec(*safe: SafeRule, rpc: Rpc = "none") -> ConnectorSpec:
    """Return a connector of nothing but safe rules."""
    return ConnectorSpec(
        name="c", version="1.0.0", title="C", description="C", entry="a:b", artefact_digest="0" * 64,
        safe=safe, rpc=rpc, operations=(),
    )  # fmt: skip


def rpc_request(method: object, **more: object) -> WireRequest:
    """Return a JSON-RPC call."""
    return WireRequest(method="POST", path="/rpc/", body=json.dumps({"id": 1, "method": method, "params": [], **more}))


@pytest.mark.parametrize(
    "path",
    ["items", "/../admin", "/a/./b", "/a/%2e%2e/b", "/a/..%2Fb", "//evil.example/", "/a?b=1", "/a#b", "/a b", "/a\\b",
     "/é", "/a\r\nHost: x", "http://evil.example/"],
)  # fmt: skip
def test_a_path_cannot_leave_the_base_url_or_be_read_in_two_ways(path: str) -> None:
    with pytest.raises(ValidationError):
        WireRequest(method="GET", path=path)


def test_arguments_in_a_path_stay_one_segment() -> None:
    assert at("items", 7) == "/items/7"
    assert at("items", "7/comments?x=1") == "/items/7%2Fcomments%3Fx%3D1"
    assert WireRequest(method="GET", path=at("items", "é /#")).path == "/items/%C3%A9%20%2F%23"
    for dots in ("", ".", ".."):
        with pytest.raises(ValueError, match="cannot be a path"):
            at("items", dots)


def test_only_what_a_rule_covers_is_safe() -> None:
    rest = spec(SafeRule(method="GET", path="/items/*"), SafeRule(method="POST", path="/search"))

    assert rest.is_safe(WireRequest(method="GET", path="/items/7"))
    assert rest.is_safe(WireRequest(method="POST", path="/search", body="{}"))
    assert not rest.is_safe(WireRequest(method="DELETE", path="/items/7"))
    assert not rest.is_safe(WireRequest(method="GET", path="/admin"))
    assert not rest.is_safe(WireRequest(method="POST", path="/search/more"))
    assert not spec().is_safe(WireRequest(method="GET", path="/"))


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "Content-Encoding"])
def test_a_header_that_makes_another_request_of_it_makes_it_unsafe(header: str) -> None:
    rest = spec(SafeRule(method="GET"))

    assert not rest.is_safe(WireRequest(method="GET", path="/items/7", headers={header: "DELETE"}))


@pytest.mark.parametrize(
    "disguise",
    [
        {"query": (("_method", "DELETE"),)},
        {"query": (("q", "x"), ("_HttpMethod", "PATCH"))},
        {"encoded_query": "q=x&%5Fmethod=DELETE"},
        {"encoded_query": "x-http-method-override=DELETE"},
        {"body": "q=x&_method=DELETE"},
        {"body": "q=x&%5fMETHOD=DELETE"},
        {"body": '{"q": "x", "\\u005fmethod": "DELETE"}'},
        {"body_base64": base64.b64encode(b'--b\r\ncontent-disposition: form-data; name="_method"\r\n\r\nX').decode()},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_field_that_makes_another_request_of_it_makes_it_unsafe(disguise: dict[str, object]) -> None:
    rest = spec(SafeRule(method="POST", path="/search"))

    assert rest.is_safe(WireRequest(method="POST", path="/search", query=(("method", "x"),), body='{"q": "_method"}'))
    assert not rest.is_safe(WireRequest.model_validate({"method": "POST", "path": "/search", **disguise}))


def test_what_an_rpc_call_does_is_read_from_its_body_not_from_what_it_claims() -> None:
    rpc = spec(SafeRule(method="POST", path="/rpc/", operation="*.read"), rpc="json_rpc")
    write = rpc_request("model.party.write").model_copy(update={"operation": "model.party.read"})

    assert rpc.is_safe(rpc_request("model.party.read"))
    assert not rpc.is_safe(write)
    assert not rpc.is_safe(rpc_request("model.party.write"))


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        "not json",
        '["method", "a.read"]',
        '[{"method": "a.read"}]',
        '{"method": "a.read", "method": "a.write"}',
        '{"method": ["a.read"]}',
        "[" * 100_000,
    ],
)
def test_a_body_that_two_readers_could_read_differently_is_never_safe(body: str | None) -> None:
    rpc = spec(SafeRule(method="POST", operation="*"), rpc="json_rpc")
    request = WireRequest(method="POST", path="/rpc/", body=body)

    assert operations_of("json_rpc", request) is None
    assert not rpc.is_safe(request)


def test_the_call_of_an_mcp_tool_is_named_by_its_tool() -> None:
    call = {"method": "tools/call", "params": {"name": "add", "arguments": {"name": "liar"}}}

    def asked(body: str) -> tuple[str, ...] | None:
        return operations_of("mcp", WireRequest(method="POST", path="", body=body))

    assert asked(json.dumps(call)) == ("tools/call/add",)
    assert asked('{"method": "tools/list"}') == ("tools/list",)
    assert asked('{"method": "tools/call", "params": {"name": 1}}') is None
    assert asked('{"method": "tools/call"}') is None


def test_preview_only_rules_count_in_previews_alone() -> None:
    drafts = spec(SafeRule(method="POST", path="/drafts", preview_only=True))
    draft = WireRequest(method="POST", path="/drafts", body="{}")

    assert drafts.is_safe(draft, previewing=True)
    assert not drafts.is_safe(draft)


def test_safe_rules_that_the_broker_could_not_check_are_refused() -> None:
    with pytest.raises(ValidationError, match="only with rpc can the broker read one"):
        spec(SafeRule(method="POST", operation="*.read"))
    with pytest.raises(ValidationError, match="must name the operations"):
        spec(SafeRule(method="POST"), rpc="json_rpc")


HTML = {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "headers", "read", "write"),
    [
        (301, {}, Unreadable, Unknown),
        (400, {}, Refused, Refused),
        (401, {}, Refused, Refused),
        (404, {}, NotFound, NotFound),
        (408, {}, Unavailable, Unknown),
        (409, {}, Conflict, Conflict),
        (410, {}, NotFound, NotFound),
        (412, {}, Conflict, Conflict),
        (422, {}, Refused, Refused),
        (428, {}, Conflict, Conflict),
        (429, {}, Unavailable, Unavailable),
        (500, {}, Unavailable, Unknown),
        (503, {"retry-after": "5"}, Unavailable, Unknown),
        (200, HTML, Unreadable, Unknown),
        (403, HTML, Unreadable, Unknown),
        (502, HTML, Unavailable, Unknown),
        (101, {}, Unreadable, Unknown),
    ],
)
def test_a_status_proves_what_it_proves(
    status: int, headers: dict[str, str], read: type[ConnectorError], write: type[ConnectorError]
) -> None:
    response = WireResponse(status=status, headers=headers, body="")

    for is_safe, expected in ((True, read), (False, write)):
        with pytest.raises(expected) as caught:
            raise_for_status(response, is_safe=is_safe)
        assert type(caught.value) is expected


def test_a_system_that_says_it_did_not_process_a_write_may_be_declared_trustworthy() -> None:
    response = WireResponse(status=503, headers={}, body="")

    with pytest.raises(Unavailable):
        raise_for_status(response, is_safe=False, unprocessed=frozenset({503}))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"detail": "too many"}', " It says: too many"),
        ('{"error": {"message": "no such field"}}', " It says: no such field"),
        ('{"message": "' + "x" * 1000 + '"}', " It says: " + "x" * 300),
        ("[]", ""),
        ("nonsense", ""),
    ],
)
def test_a_refusal_carries_the_systems_own_reason_within_bounds(body: str, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        raise_for_status(WireResponse(status=422, headers={}, body=body), is_safe=False)

    assert caught.value.message == f"The system refused the request (422).{reason}"
