"""What leaves, byte by byte, against expectations written by hand from OData's URL Conventions and JSON Format 4.01."""

import json
from typing import Any

import pytest
from odata_shop import Line

from connectors.sdk.run import Done, Failed
from connectors.sdk.vocabulary import Phase

pytestmark = pytest.mark.anyio

Json = Any

METER = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
READING = {
    "day": "2024-02-29",
    "at": "2024-02-29T12:00:00.5+01:00",
    "meter": METER,
    "span": "P1DT2H",
    "raw": "T0RhdGE",
    "ok": True,
    "grade": "Fine",
}


async def asked(line: Line, operation: str, **given: Json) -> str:
    """Return the one line that a read sends."""
    line.will_answer({"value": []})
    result = await line.run(Phase.READ, operation, given)
    assert isinstance(result, Done), result
    return line.lines[-1]


async def refused(line: Line, operation: str, **given: Json) -> str:
    """Return why a read sends nothing."""
    result = await line.run(Phase.READ, operation, given)
    assert isinstance(result, Failed)
    assert (result.code, line.sent) == ("upstream_refused", [])
    return result.message


async def test_a_key_is_quoted_as_its_type_demands(line: Line) -> None:
    assert await asked(line, "get_products", number="9223372036854775807") == "GET /Products(9223372036854775807)"
    assert await asked(line, "get_suppliers", code="ACME") == "GET /Suppliers('ACME')"
    assert await asked(line, "get_readings", **READING) == (
        "GET /Readings(day=2024-02-29,at=2024-02-29T12:00:00.5%2B01:00,meter=6ba7b810-9dad-11d1-80b4-00c04fd430c8,"
        "span=duration'P1DT2H',raw=binary'T0RhdGE',ok=true,grade=example.shop.Grade'Fine')"
    )


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("O'Neil", "/Suppliers('O''Neil')"),  # URL Conventions 4.01 section 2, its own example
        ("x') or ('1'='1", "/Suppliers('x''%29%20or%20%28''1''%3D''1')"),
        ("'", "/Suppliers('''')"),
        ("a,b=c", "/Suppliers('a%2Cb%3Dc')"),
        ("a?b#c&d", "/Suppliers('a%3Fb%23c%26d')"),
        ("100%", "/Suppliers('100%25')"),
        ("$metadata", "/Suppliers('%24metadata')"),
        ("Größe", "/Suppliers('Gr%C3%B6%C3%9Fe')"),
        ("a;b@c", "/Suppliers('a%3Bb%40c')"),
    ],
    ids=["quote", "filter", "only-quote", "comma", "query", "percent", "dollar", "umlaut", "semicolon"],
)
async def test_a_hostile_key_stays_one_value(line: Line, code: str, path: str) -> None:
    assert await asked(line, "get_suppliers", code=code) == f"GET {path}"


@pytest.mark.parametrize(
    "code",
    ["a/b", "../Products(1)", "a\\b", "a\nb", "%2F", "a%2525b", ""],
    ids=["slash", "upwards", "backslash", "newline", "escaped", "twice", "empty"],
)
async def test_a_key_that_another_reader_could_take_for_a_path_is_not_sent(line: Line, code: str) -> None:
    assert "Nothing was sent" in await refused(line, "get_suppliers", code=code)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("day", "2024-13-01"),
        ("day", "2024-02-29),x=(1"),
        ("at", "2024-02-29T12:00:00"),
        ("meter", "6ba7b810"),
        ("meter", f"{METER},ok=false"),
        ("span", "P"),
        ("span", "P1D' or '"),
        ("raw", "a b"),
        ("ok", "true or 1 eq 1"),
    ],
    ids=["month", "breaks-out", "no-zone", "short", "comma", "empty-span", "quote-span", "blank", "boolean"],
)
async def test_a_key_that_is_not_of_its_type_is_not_sent(line: Line, field: str, value: str) -> None:
    assert value[:20] in await refused(line, "get_readings", **{**READING, field: value})


@pytest.mark.parametrize(
    "number",
    ["9223372036854775808", "1)", "1.0", "0x1", "", "\N{FULLWIDTH DIGIT ONE}"],
    ids=["large", "breaks-out", "decimal", "hexadecimal", "empty", "wide"],
)
async def test_an_integer_is_of_its_range_and_nothing_else(line: Line, number: str) -> None:
    assert "Nothing was sent" in await refused(line, "get_products", number=number)


async def test_a_list_asks_for_what_is_wanted(line: Line) -> None:
    line_sent = await asked(
        line,
        "find_products",
        where=[
            {"field": "name", "is": "is", "value": "Milk"},
            {"field": "name", "is": "contains", "value": "O'Neil & Sons"},
            {"field": "price", "is": "above", "value": "2.50"},
            {"field": "stock", "is": "is_empty"},
            {"field": "grade", "is": "is_not", "value": "Plain"},
            {"field": "changed", "is": "at_least", "value": "2024-01-01T00:00:00Z"},
        ],
        order_by=[{"field": "price", "descending": True}, {"field": "name"}],
        fields=["name", "price"],
        expand=["supplier"],
        limit=5,
    )

    assert line_sent == (
        "GET /Products?$filter=name%20eq%20'Milk'%20and%20contains(name,'O''Neil%20%26%20Sons')"
        "%20and%20price%20gt%202.50%20and%20stock%20eq%20null"
        "%20and%20grade%20ne%20example.shop.Grade'Plain'%20and%20changed%20ge%202024-01-01T00:00:00Z"
        "&$orderby=price%20desc,name&$select=number,name,price&$expand=supplier&$top=6"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("price", "1 or 1 eq 1"), ("stock", "1)"), ("changed", "now()")],
    ids=["decimal", "integer", "function"],
)
async def test_a_value_to_filter_by_cannot_become_a_condition(line: Line, field: str, value: str) -> None:
    where = [{"field": field, "is": "is", "value": value}]

    assert "Nothing was sent" in await refused(line, "find_products", where=where)


async def test_a_text_to_filter_by_stays_a_text(line: Line) -> None:
    where = [{"field": "name", "is": "is", "value": "x' or 1 eq 1&$top=0"}]

    assert await asked(line, "find_products", where=where) == (
        "GET /Products?$filter=name%20eq%20'x''%20or%201%20eq%201%26$top%3D0'&$top=51"
    )


async def test_a_number_is_not_searched_like_a_text(line: Line) -> None:
    where = [{"field": "price", "is": "contains", "value": "1"}]

    assert "is no text" in await refused(line, "find_products", where=where)


async def test_functions_take_their_arguments_as_aliases_in_the_query(line: Line) -> None:
    assert await asked(line, "cheapest", like="a/b'c") == "GET /cheapest(like=@like)?@like='a/b''c'"
    assert await asked(line, "products_price_on", number="7", day="2024-02-29") == (
        "GET /Products(7)/example.shop.priceOn(day=@day)?@day=2024-02-29"
    )


async def test_pages_are_followed_and_the_list_stays_where_it_is(line: Line) -> None:
    for start in (0, 2):
        link = f"http://elsewhere.example/shop/Products?$skiptoken=s{start}&$top=4"
        line.will_answer({"value": [{"number": start}, {"number": start + 1}], "@odata.nextLink": link})
    line.will_answer({"value": [{"number": 4}]})

    result = await line.run(Phase.READ, "find_products", {"limit": 4})

    assert isinstance(result, Done)
    assert result.output == {"records": [{"number": str(number)} for number in range(4)], "more": True}
    assert line.lines == [
        "GET /Products?$top=5",
        "GET /Products?$skiptoken=s0&$top=4",
        "GET /Products?$skiptoken=s2&$top=4",
    ]


async def test_a_next_page_somewhere_else_is_not_followed(line: Line) -> None:
    line.will_answer({"value": [], "@odata.nextLink": "http://elsewhere.example/Suppliers?$skiptoken=1"})

    result = await line.run(Phase.READ, "find_products", {})

    assert isinstance(result, Failed)
    assert result.code == "upstream_unreadable"
    assert len(line.sent) == 1


async def test_of_drafts_only_what_is_live_is_found(line: Line) -> None:
    where = [{"field": "text", "is": "is", "value": "x"}]

    assert await asked(line, "find_notes", where=where) == (
        "GET /Notes?$filter=IsActiveEntity%20eq%20true%20and%20text%20eq%20'x'&$top=51"
    )
    assert await asked(line, "get_notes", id=METER) == f"GET /Notes(id={METER},IsActiveEntity=true)"


async def test_an_answer_is_told_without_control_information_and_digit_by_digit(line: Line) -> None:
    answer = '{"@odata.etag":"W/\\"1\\"","number":7,"name":"Milk","price":1.10,"stock":null,"new":{"x":1}}'
    line.will_answer()
    line.answers[0] = line.answers[0].model_copy(update={"body": answer})

    result = await line.run(Phase.READ, "get_products", {"number": "7"})

    assert isinstance(result, Done)
    assert result.output == {"number": "7", "name": "Milk", "price": "1.10"}


async def test_headers_ask_for_exact_numbers(line: Line) -> None:
    await asked(line, "get_products", number="7")

    assert line.sent[0].headers == {
        "accept": "application/json;odata.metadata=minimal;IEEE754Compatible=true",
        "odata-version": "4.0",
        "odata-maxversion": "4.01",
    }


async def test_a_change_is_one_request_with_the_version_that_was_seen(line: Line) -> None:
    line.will_answer({"number": 7, "price": "2.50"})
    given = {"number": "7", "price": "2.50", "stock": "9007199254740993", "tags": ["a"], "clear": ["home"]}

    result = await line.run(Phase.COMMIT, "update_products", given, guard={"Products/7": 'W/"1"'})

    assert isinstance(result, Done), result
    assert line.lines == ["PATCH /Products(7)"]
    assert line.sent[0].body == '{"price":"2.50","stock":"9007199254740993","tags":["a"],"home":null}'
    assert line.sent[0].headers["content-type"] == "application/json;IEEE754Compatible=true"
    assert line.sent[0].headers["if-match"] == 'W/"1"'
    assert line.sent[0].headers["prefer"] == "return=representation"


async def test_a_change_without_the_version_is_not_sent(line: Line) -> None:
    result = await line.run(Phase.COMMIT, "update_products", {"number": "7", "price": "2.50"})

    assert isinstance(result, Failed)
    assert line.sent == []


async def test_a_decimal_that_is_none_is_not_sent(line: Line) -> None:
    given = {"number": "7", "price": "1,5"}

    result = await line.run(Phase.COMMIT, "update_products", given, guard={"Products/7": 'W/"1"'})

    assert isinstance(result, Failed)
    assert (result.code, line.sent) == ("upstream_refused", [])


async def test_a_new_record_carries_our_reference_in_its_key(line: Line) -> None:
    line.will_answer({"text": "x"}, status=201)
    line.will_answer({"text": "x"})
    given = {"text": "x", "lines": [{"word": "a"}]}

    await line.run(Phase.COMMIT, "create_notes", given, idempotency_key="k1")
    await line.run(Phase.LOOKUP, "create_notes", given, idempotency_key="k1")

    body = json.loads(line.sent[0].body or "")
    assert line.lines == ["POST /Notes", f"GET /Notes(id={body['id']},IsActiveEntity=true)"]
    assert body == {"text": "x", "lines": [{"word": "a"}], "id": body["id"], "IsActiveEntity": True}


async def test_an_action_is_posted_with_its_parameters(line: Line) -> None:
    line.will_answer({"number": 7})

    given = {"number": "7", "parameter_number": "3"}
    await line.run(Phase.COMMIT, "products_retire", given, guard={"Products/7": '"1"'})

    assert line.lines == ["POST /Products(7)/example.shop.retire"]
    assert line.sent[0].body == '{"number":"3"}'
    assert line.sent[0].headers["if-match"] == '"1"'


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (412, "upstream_conflict"),
        (428, "upstream_conflict"),
        (409, "upstream_conflict"),
        (404, "upstream_not_found"),
        (400, "upstream_refused"),
        (403, "upstream_refused"),
        (422, "upstream_refused"),
        (429, "upstream_unavailable"),
        (500, "upstream_unknown"),
    ],
    ids=str,
)
async def test_what_the_service_says_no_with_is_told_in_its_words(line: Line, status: int, code: str) -> None:
    line.will_answer({"error": {"code": "X", "message": "Not on a Sunday."}}, status=status)

    result = await line.run(Phase.COMMIT, "delete_products", {"number": "7"}, guard={"Products/7": '"1"'})

    assert isinstance(result, Failed)
    assert result.code == code
    assert ("Not on a Sunday." in result.message) is (400 <= status < 500 and status != 429)
