"""Wire fidelity of parameters. Every expected text was written by hand from the specification that is named beside it.

`OAS` is OpenAPI 3.1.1; its table of styles (section 4.8.12.5) has `color` empty, "blue", ["blue", "black", "brown"] and
{"R": 100, "G": 200, "B": 150}. `2.0` is Swagger 2.0, Parameter Object.
"""

from typing import Any

import pytest
from openapi_recorder import Recorder, all_exposed, run, sent

from connectors.sdk.run import Failed
from connectors.sdk.vocabulary import Phase

pytestmark = pytest.mark.anyio

Json = Any

BLUE = "blue"
COLORS = ["blue", "black", "brown"]
RGB = {"R": 100, "G": 200, "B": 150}
ANY: dict[str, Json] = {}


def parameter(place: str, name: str = "color", **said: Json) -> dict[str, Json]:
    return {"parameters": [{"name": name, "in": place, "required": True, "schema": ANY, **said}]}


QUERIES = {
    "form, a text": ({}, BLUE, "color=blue"),
    "form, an empty text": ({}, "", "color="),
    "form, a list, explode (the default)": ({}, COLORS, "color=blue&color=black&color=brown"),
    "form, a list": ({"explode": False}, COLORS, "color=blue,black,brown"),
    "form, an object, explode": ({}, RGB, "R=100&G=200&B=150"),
    "form, an object": ({"explode": False}, RGB, "color=R,100,G,200,B,150"),
    "spaceDelimited, a list": ({"style": "spaceDelimited"}, COLORS, "color=blue%20black%20brown"),
    "spaceDelimited, an object": ({"style": "spaceDelimited"}, RGB, "color=R%20100%20G%20200%20B%20150"),
    "pipeDelimited, a list": ({"style": "pipeDelimited"}, COLORS, "color=blue%7Cblack%7Cbrown"),
    "pipeDelimited, an object": ({"style": "pipeDelimited"}, RGB, "color=R%7C100%7CG%7C200%7CB%7C150"),
    "deepObject": ({"style": "deepObject"}, RGB, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
    # RFC 6570 section 3.2.1: what is not unreserved goes out as UTF-8 in escapes, a blank as %20, never as a plus
    "escapes": ({}, "a b&c=d/ü+~", "color=a%20b%26c%3Dd%2F%C3%BC%2B~"),
    "a comma within an item": ({"explode": False}, ["a,b", "c"], "color=a%2Cb,c"),
    # OAS 4.8.12.2.2, RFC 6570 section 3.2.3: reserved characters and escapes pass; `&`, `#` and `+` mean something
    "allowReserved": ({"allowReserved": True}, "a/b:c?d=e&f#g+h%2Fi", "color=a/b:c?d=e%26f%23g%2Bh%2Fi"),
    "true": ({}, True, "color=true"),
    "a number": ({}, 1.5, "color=1.5"),
    # OAS 4.8.12.2.3: with `content` the value is a document of its own
    "content": (
        {"schema": None, "content": {"application/json": {"schema": ANY}}},
        {"a": 1},
        "color=%7B%22a%22%3A1%7D",
    ),
}


@pytest.mark.parametrize(("said", "value", "expected"), QUERIES.values(), ids=QUERIES)
async def test_a_query_is_written_as_the_table_of_styles_has_it(
    recorder: Recorder, said: dict[str, Json], value: Json, expected: str
) -> None:
    kept = {key: one for key, one in {**parameter("query", **said)["parameters"][0]}.items() if one is not None}

    await sent(recorder, {"parameters": [kept]}, {"color": value})

    assert recorder.line == f"GET /things?{expected}"


PATHS = {
    "simple, a text": ({}, BLUE, "blue"),
    "simple, a list": ({}, COLORS, "blue,black,brown"),
    "simple, a list, explode": ({"explode": True}, COLORS, "blue,black,brown"),
    "simple, an object": ({}, RGB, "R,100,G,200,B,150"),
    "simple, an object, explode": ({"explode": True}, RGB, "R=100,G=200,B=150"),
    "label, a text": ({"style": "label"}, BLUE, ".blue"),
    "label, a list": ({"style": "label"}, COLORS, ".blue,black,brown"),
    "label, a list, explode": ({"style": "label", "explode": True}, COLORS, ".blue.black.brown"),
    "label, an object": ({"style": "label"}, RGB, ".R,100,G,200,B,150"),
    "label, an object, explode": ({"style": "label", "explode": True}, RGB, ".R=100.G=200.B=150"),
    "matrix, a text": ({"style": "matrix"}, BLUE, ";color=blue"),
    "matrix, an empty text": ({"style": "matrix"}, "", ";color"),
    "matrix, a list": ({"style": "matrix"}, COLORS, ";color=blue,black,brown"),
    "matrix, a list, explode": ({"style": "matrix", "explode": True}, COLORS, ";color=blue;color=black;color=brown"),
    "matrix, an object": ({"style": "matrix"}, RGB, ";color=R,100,G,200,B,150"),
    "matrix, an object, explode": ({"style": "matrix", "explode": True}, RGB, ";R=100;G=200;B=150"),
    "escapes": ({}, "a b;c=d", "a%20b%3Bc%3Dd"),
}


@pytest.mark.parametrize(("said", "value", "expected"), PATHS.values(), ids=PATHS)
async def test_a_path_is_written_as_the_table_of_styles_has_it(
    recorder: Recorder, said: dict[str, Json], value: Json, expected: str
) -> None:
    await sent(recorder, parameter("path", **said), {"color": value}, path="/things/{color}/parts")

    assert recorder.line == f"GET /things/{expected}/parts"


HEADERS = {
    "a text": ({}, BLUE, "blue"),
    "a list": ({}, COLORS, "blue,black,brown"),
    "an object": ({}, RGB, "R,100,G,200,B,150"),
    "an object, explode": ({"explode": True}, RGB, "R=100,G=200,B=150"),
    # OAS appendix D: nothing is escaped in a header
    "signs": ({}, 'a b, "c"/50%', 'a b, "c"/50%'),
}


@pytest.mark.parametrize(("said", "value", "expected"), HEADERS.values(), ids=HEADERS)
async def test_a_header_is_written_in_simple_style(
    recorder: Recorder, said: dict[str, Json], value: Json, expected: str
) -> None:
    await sent(recorder, parameter("header", name="X-Color", **said), {"X-Color": value})

    assert recorder.headers["x-color"] == expected


async def test_cookies_go_out_in_one_header(recorder: Recorder) -> None:
    both = [*parameter("cookie", name="a")["parameters"], *parameter("cookie", name="b")["parameters"]]

    await sent(recorder, {"parameters": both}, {"a": "x y", "b": 2})

    # RFC 6265 section 4.2.1: pairs are joined by "; "
    assert recorder.headers["cookie"] == "a=x%20y; b=2"


COLLECTIONS = {
    "csv (the default)": ({}, "ids=1,2"),
    "csv": ({"collectionFormat": "csv"}, "ids=1,2"),
    "ssv": ({"collectionFormat": "ssv"}, "ids=1%202"),
    "tsv": ({"collectionFormat": "tsv"}, "ids=1%092"),
    "pipes": ({"collectionFormat": "pipes"}, "ids=1%7C2"),
    "multi": ({"collectionFormat": "multi"}, "ids=1&ids=2"),
}


@pytest.mark.parametrize(("said", "expected"), COLLECTIONS.values(), ids=COLLECTIONS)
async def test_a_list_is_written_in_the_collection_format_of_swagger(
    recorder: Recorder, said: dict[str, Json], expected: str
) -> None:
    ids = {"name": "ids", "in": "query", "type": "array", "items": {"type": "integer"}, **said}
    document = {
        "swagger": "2.0",
        "info": {"title": "A", "version": "1"},
        "paths": {"/things": {"get": {"operationId": "act", "parameters": [ids], "responses": {"200": {}}}}},
    }

    await run(all_exposed(document), recorder, Phase.READ, "act", {"ids": [1, 2]})

    assert recorder.line == f"GET /things?{expected}"


async def test_parameters_of_the_path_apply_and_those_of_the_operation_override_them(recorder: Recorder) -> None:
    # OAS 4.8.9.1: the list of the path applies to all operations; the operation may override one, by name and place
    of_path = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "fields", "in": "query", "schema": {"type": "array"}, "explode": True},
    ]
    of_operation = {"parameters": [{"name": "fields", "in": "query", "schema": {"type": "array"}, "explode": False}]}

    await sent(
        recorder,
        of_operation,
        {"id": "7", "fields": ["a", "b"]},
        path="/things/{id}",
        item={"parameters": of_path},
    )

    assert recorder.line == "GET /things/7?fields=a,b"


async def test_a_name_is_escaped_in_the_query_and_readable_for_the_model(recorder: Recorder) -> None:
    await sent(recorder, parameter("query", name="filter[name]"), {"filter_name": "x"})

    assert recorder.line == "GET /things?filter%5Bname%5D=x"


async def test_the_query_and_the_rest_of_a_path_are_kept(recorder: Recorder) -> None:
    operation = parameter("path", name="key")

    await sent(recorder, operation, {"key": "O'Neil"}, path="/Orders(key='{key}')/$value")

    # RFC 3986 section 3.3: these stand for themselves in a path; in a value they are data
    assert recorder.line == "GET /Orders(key='O%27Neil')/$value"


async def test_what_an_operation_takes_stands_below_the_path_of_its_server(recorder: Recorder) -> None:
    # OAS 4.8.5 and 4.8.10.1: variables stand for their defaults, and an operation's own servers replace the others
    document = {"servers": [{"url": "/{tenant}/api", "variables": {"tenant": {"default": "acme"}}}]}

    await sent(recorder, {"servers": [{"url": "/acme/v2"}]}, {}, document=document)

    assert recorder.line == "GET /v2/things"  # below /acme, where a connection to both of them leads


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "a\\b"])
async def test_an_argument_cannot_lead_to_another_path(recorder: Recorder, value: str) -> None:
    document = {
        "openapi": "3.0.3",
        "paths": {"/things/{color}": {"get": {**parameter("path"), "operationId": "act", "responses": {"200": {}}}}},
    }

    result = await run(all_exposed(document), recorder, Phase.READ, "act", {"color": value})

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"
    assert not recorder.requests


async def test_a_header_with_a_line_break_is_not_sent(recorder: Recorder) -> None:
    document = {
        "openapi": "3.0.3",
        "paths": {
            "/things": {"get": {**parameter("header", name="X-A"), "operationId": "act", "responses": {"200": {}}}}
        },
    }

    result = await run(all_exposed(document), recorder, Phase.READ, "act", {"X-A": "a\r\nHost: evil"})

    assert isinstance(result, Failed)
    assert not recorder.requests
