"""XML-RPC as it is written and read, beside Python's own reader and writer of it."""

import xmlrpc.client
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.xml_rpc import Fault, NotXmlRpc, Unsayable, answer_in, call, method_of

Json = Any

ENTITY = (
    '<!DOCTYPE a [<!ENTITY b "c">]>'
    "<methodResponse><params><param><value><string>&b;</string></value></param></params></methodResponse>"
)

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
values = st.recursive(
    st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(values, max_size=3))
def test_what_is_written_is_read_alike_by_another_reader(arguments: list[Json]) -> None:
    body = call("deal.read", arguments)

    assert xmlrpc.client.loads(body) == (tuple(arguments), "deal.read")
    assert method_of(body) == "deal.read"


@given(values)
def test_what_another_writes_is_read_alike(value: Json) -> None:
    assert answer_in(xmlrpc.client.dumps((value,), methodresponse=True, allow_none=True)) == value


def test_dates_and_bytes_are_told_as_text() -> None:
    said = [xmlrpc.client.DateTime("20261121T10:00:00"), b"abc"]

    assert answer_in(xmlrpc.client.dumps((said,), methodresponse=True)) == ["20261121T10:00:00", "YWJj"]


def test_lines_arrive_as_they_were() -> None:
    (arrived,), _ = xmlrpc.client.loads(call("deal.read", ["a\r\nb\tc"]))

    assert arrived == "a\r\nb\tc"


def test_a_fault_is_told_apart() -> None:
    assert answer_in(xmlrpc.client.dumps(xmlrpc.client.Fault(404, "gone"), methodresponse=True)) == Fault(404, "gone")


@pytest.mark.parametrize("value", [2**31, float("nan"), float("inf"), "\x00", "\ud800", object()])
def test_what_cannot_be_said_is_not_sent_as_something_else(value: Json) -> None:
    with pytest.raises(Unsayable):
        call("deal.read", [value])


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<methodResponse>",
        "<methodCall/>",
        "<methodResponse><params/></methodResponse>",
        "<methodResponse><params><param><value><int>x</int></value></param></params></methodResponse>",
        "<methodResponse><params><param><value><boolean>2</boolean></value></param></params></methodResponse>",
        "<methodResponse><params><param><value><int>1</int><int>2</int></value></param></params></methodResponse>",
        "<methodResponse><params><param><value><map/></value></param></params></methodResponse>",
        "<methodResponse><params><param><value><struct><member/></struct></value></param></params></methodResponse>",
        '<!DOCTYPE a [<!ENTITY b "c">]><methodResponse><params>&b;</params></methodResponse>',
        ENTITY,
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><methodResponse/>',
        "<a>" * 200 + "</a>" * 200,
    ],
    ids=lambda body: body[-60:],
)
def test_an_answer_that_is_none_is_not_read(body: str) -> None:
    with pytest.raises(NotXmlRpc):
        answer_in(body)
