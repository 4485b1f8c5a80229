"""Wire fidelity of bodies. Every expected byte was written by hand from the specification that is named beside it.

`OAS` is OpenAPI 3.1.1, `2.0` is Swagger 2.0.
"""

import base64
from typing import Any

import pytest
from openapi_recorder import Recorder, all_exposed, run, sent

from connectors.sdk.run import Done, Failed
from connectors.sdk.vocabulary import Phase

pytestmark = pytest.mark.anyio

Json = Any

ADDRESS = {"streetAddress": "123 Example Dr", "city": "Somewhere"}
TEXT = {"type": "string"}
PNG = b"\x89PNG\r\n\x1a\n\x00\xff"


def body(media_type: str, properties: dict[str, Json], **said: Json) -> dict[str, Json]:
    content = {media_type: {"schema": {"type": "object", "properties": properties}, **said}}
    return {"requestBody": {"required": True, "content": content}}


async def posted(recorder: Recorder, operation: dict[str, Json], arguments: dict[str, Json]) -> bytes:
    await sent(recorder, operation, arguments, method="post")
    return recorder.body


async def test_json_goes_out_as_it_is_given(recorder: Recorder) -> None:
    operation = body("application/json", {"name": TEXT, "tags": {"type": "array", "items": TEXT}, "on": {}})

    written = await posted(recorder, operation, {"name": "Zoë", "tags": ["a"], "on": False})

    assert written == '{"name":"Zoë","tags":["a"],"on":false}'.encode()
    assert recorder.headers["content-type"] == "application/json"


async def test_money_goes_out_as_a_number_of_exactly_its_digits(recorder: Recorder) -> None:
    lines = {"type": "array", "items": {"type": "object", "properties": {"UnitAmount": {"type": "number"}}}}
    operation = body("application/json", {"amount": {"type": "number"}, "lines": lines})

    written = await posted(recorder, operation, {"amount": "0.10", "lines": [{"UnitAmount": "12345678901234.56"}]})

    # RFC 8259 section 6: a number is its digits; nothing between us and the API may round them
    assert written == b'{"amount":0.10,"lines":[{"UnitAmount":12345678901234.56}]}'


async def test_what_is_only_read_is_neither_offered_nor_required(recorder: Recorder) -> None:
    # OAS 3.0.4 section 4.7.24.1, readOnly: it is not sent as part of a request, and required affects the response only
    schema = {
        "type": "object",
        "required": ["id", "name"],
        "properties": {
            "id": {"type": "integer", "readOnly": True},
            "name": TEXT,
            "secret": {"writeOnly": True, **TEXT},
        },
    }
    operation = {
        "operationId": "act",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": "", "content": {"application/json": {"schema": schema}}}},
    }
    compilation = all_exposed({"openapi": "3.0.4", "paths": {"/things": {"post": operation}}})
    spec = compilation.spec.operation("act")

    recorder.will_answer({"id": 7, "name": "x"})
    result = await run(compilation, recorder, Phase.COMMIT, "act", {"name": "x", "secret": "s"})

    assert sorted(spec.input_schema["properties"]) == ["name", "secret"]
    assert spec.input_schema["required"] == ["name"]
    assert sorted(spec.output_schema["properties"]) == ["id", "name"]
    assert recorder.body == b'{"name":"x","secret":"s"}'
    assert isinstance(result, Done)


FORMS = {
    # OAS 4.8.14.4.1 has this very example: an object is JSON, a blank is a plus (RFC 1866 section 8.2.1)
    "an object": (
        {"id": TEXT, "address": {"type": "object"}},
        {},
        {"id": "f81d4fae", "address": ADDRESS},
        b"id=f81d4fae&address=%7B%22streetAddress%22%3A%22123+Example+Dr%22%2C%22city%22%3A%22Somewhere%22%7D",
    ),
    "a list": ({"tags": {"type": "array"}}, {}, {"tags": ["a b", "c"]}, b"tags=a+b&tags=c"),
    "signs": ({"q": TEXT}, {}, {"q": "a&b=c/ü\n"}, b"q=a%26b%3Dc%2F%C3%BC%0A"),
    # OAS 4.8.15.1.2: style, explode and allowReserved make it RFC 6570, with a blank as %20
    "a list, not exploded": (
        {"tags": {"type": "array"}},
        {"tags": {"style": "form", "explode": False}},
        {"tags": ["a b", "c"]},
        b"tags=a%20b,c",
    ),
    "a list, spaceDelimited": (
        {"tags": {"type": "array"}},
        {"tags": {"style": "spaceDelimited", "explode": False}},
        {"tags": ["a", "b"]},
        b"tags=a%20b",
    ),
    "deepObject": (
        {"card": {"type": "object"}},
        {"card": {"style": "deepObject", "explode": True}},
        {"card": {"number": "42", "owner": {"name": "A B"}, "lines": [{"price": 3}]}},
        b"card%5Bnumber%5D=42&card%5Bowner%5D%5Bname%5D=A%20B&card%5Blines%5D%5B0%5D%5Bprice%5D=3",
    ),
}


@pytest.mark.parametrize(("properties", "encoding", "arguments", "expected"), FORMS.values(), ids=FORMS)
async def test_a_form_is_written_as_its_encoding_says(
    recorder: Recorder,
    properties: dict[str, Json],
    encoding: dict[str, Json],
    arguments: dict[str, Json],
    expected: bytes,
) -> None:
    operation = body("application/x-www-form-urlencoded", properties, encoding=encoding)

    assert await posted(recorder, operation, arguments) == expected
    assert recorder.headers["content-type"] == "application/x-www-form-urlencoded"


async def test_a_form_of_swagger_is_written_in_its_collection_formats(recorder: Recorder) -> None:
    fields = [
        {"name": "name", "in": "formData", "type": "string", "required": True},
        {"name": "ids", "in": "formData", "type": "array", "items": {"type": "integer"}, "collectionFormat": "pipes"},
        {"name": "tags", "in": "formData", "type": "array", "items": {"type": "string"}, "collectionFormat": "multi"},
    ]
    document = {
        "swagger": "2.0",
        "paths": {"/things": {"post": {"operationId": "act", "parameters": fields, "responses": {"200": {}}}}},
        "consumes": ["application/x-www-form-urlencoded"],
    }
    arguments = {"name": "x", "ids": [1, 2], "tags": ["a", "b"]}

    await run(all_exposed(document), recorder, Phase.COMMIT, "act", arguments)

    # 2.0, collectionFormat: pipes puts | between values (%7C), multi repeats the name
    assert recorder.body == b"name=x&ids=1%7C2&tags=a&tags=b"


async def test_a_form_of_several_parts_has_one_for_each_value_with_its_own_media_type(recorder: Recorder) -> None:
    operation = body(
        "multipart/form-data",
        {
            "id": TEXT,
            "address": {"type": "object"},
            "history": {"type": "object"},
            "tags": {"type": "array", "items": TEXT},
            "picture": {"type": "string", "format": "binary"},
            "scans": {"type": "array", "items": {"type": "string", "format": "binary"}},
        },
        encoding={
            "picture": {"contentType": "image/png, image/jpeg"},
            "history": {"contentType": "application/vnd.acme+json; charset=utf-8"},
        },
    )
    encoded = base64.b64encode(PNG).decode()
    arguments = {
        "id": "ü",
        "address": {"a": 1},
        "history": {"b": 2},
        "tags": ["x", "y"],
        "picture": encoded,
        "scans": [encoded],
    }

    written = await posted(recorder, operation, arguments)

    media_type, _, boundary = recorder.headers["content-type"].partition("; boundary=")
    line = b"--" + boundary.encode() + b"\r\n"
    # RFC 2046 section 5.1.1 and RFC 7578 section 4; media types of parts: OAS 4.8.15.1.1, the table of defaults;
    # a list makes one part for each item (RFC 7578 section 4.3)
    expected = (
        line + b'Content-Disposition: form-data; name="id"\r\nContent-Type: text/plain\r\n\r\n\xc3\xbc\r\n'
        + line + b'Content-Disposition: form-data; name="address"\r\nContent-Type: application/json\r\n\r\n{"a":1}\r\n'
        + line + b'Content-Disposition: form-data; name="history"\r\n'
        + b'Content-Type: application/vnd.acme+json; charset=utf-8\r\n\r\n{"b":2}\r\n'
        + line + b'Content-Disposition: form-data; name="tags"\r\nContent-Type: text/plain\r\n\r\nx\r\n'
        + line + b'Content-Disposition: form-data; name="tags"\r\nContent-Type: text/plain\r\n\r\ny\r\n'
        + line + b'Content-Disposition: form-data; name="picture"; filename="picture"\r\n'
        + b"Content-Type: image/png\r\n\r\n" + PNG + b"\r\n"
        + line + b'Content-Disposition: form-data; name="scans"; filename="scans"\r\n'
        + b"Content-Type: application/octet-stream\r\n\r\n" + PNG + b"\r\n"
        + b"--" + boundary.encode() + b"--\r\n"
    )  # fmt: skip
    assert media_type == "multipart/form-data"
    assert written == expected


async def test_a_file_of_swagger_is_a_part_of_its_bytes(recorder: Recorder) -> None:
    fields = [{"name": "file", "in": "formData", "type": "file", "required": True}]
    document = {
        "swagger": "2.0",
        "paths": {"/files": {"post": {"operationId": "act", "parameters": fields, "responses": {"200": {}}}}},
    }

    await run(all_exposed(document), recorder, Phase.COMMIT, "act", {"file": base64.b64encode(PNG).decode()})

    boundary = recorder.headers["content-type"].partition("; boundary=")[2].encode()
    head = b'Content-Disposition: form-data; name="file"; filename="file"\r\nContent-Type: application/octet-stream'
    assert recorder.body == b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + PNG + b"\r\n--" + boundary + b"--\r\n"


async def test_a_name_cannot_break_out_of_its_part(recorder: Recorder) -> None:
    operation = body("multipart/form-data", {'a"\r\nX: y': TEXT})

    written = await posted(recorder, operation, {"a_X_y": "1"})

    # WHATWG HTML, multipart/form-data encoding: quotes and line ends in names are escaped
    assert b'name="a%22%0D%0AX: y"\r\n' in written


async def test_bytes_are_sent_as_bytes(recorder: Recorder) -> None:
    operation = {"requestBody": {"required": True, "content": {"image/png": {"schema": {}}}}}

    assert await posted(recorder, operation, {"body": base64.b64encode(PNG).decode()}) == PNG
    assert recorder.headers["content-type"] == "image/png"


async def test_what_is_no_base64_is_refused_before_anything_is_sent(recorder: Recorder) -> None:
    content = {"requestBody": {"required": True, "content": {"image/png": {"schema": {}}}}}
    document = {
        "openapi": "3.0.3",
        "paths": {"/things": {"post": {**content, "operationId": "act", "responses": {"200": {}}}}},
    }

    result = await run(all_exposed(document), recorder, Phase.COMMIT, "act", {"body": "no base64!"})

    assert isinstance(result, Failed)
    assert not recorder.requests


async def test_a_text_is_sent_as_it_is(recorder: Recorder) -> None:
    operation = {"requestBody": {"required": True, "content": {"application/xml": {"schema": {}}}}}

    assert await posted(recorder, operation, {"body": "<a>ü</a>"}) == "<a>ü</a>".encode()


async def test_a_list_is_the_whole_body(recorder: Recorder) -> None:
    items = {"type": "array", "items": {"type": "object", "properties": {"price": {"type": "number"}}}}
    operation = {"requestBody": {"required": True, "content": {"application/json": {"schema": items}}}}

    assert await posted(recorder, operation, {"body": [{"price": "1.50"}]}) == b'[{"price":1.50}]'


async def test_without_what_is_optional_no_body_is_sent(recorder: Recorder) -> None:
    operation = {"requestBody": {"content": {"application/json": {"schema": {"properties": {"a": TEXT}}}}}}

    assert await posted(recorder, operation, {}) == b""
    assert "content-type" not in recorder.headers


async def test_bytes_come_back_in_base64(recorder: Recorder) -> None:
    response = {"description": "", "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
    get = {"operationId": "act", "responses": {"200": response}}
    recorder.will_answer(PNG, content_type="application/pdf")

    result = await run(
        all_exposed({"openapi": "3.0.3", "paths": {"/report": {"get": get}}}), recorder, Phase.READ, "act", {}
    )

    assert isinstance(result, Done)
    assert result.output == {"base64": base64.b64encode(PNG).decode(), "media_type": "application/pdf"}
    assert recorder.headers["accept"] == "application/pdf"
