"""Documents as they are found: whatever is wrong with one becomes a finding, and every operation is accounted for."""

import json

import pytest
from openapi_recorder import imported

from connectors.openapi import Compilation, UnknownKind, Unreadable, read_document
from connectors.openapi.report import report_of
from connectors.sdk.vocabulary import UpstreamClass

HEAD = "openapi: 3.0.3\ninfo: {title: A, version: '1'}\n"


def with_schema(schema: str, more: str = "", *, head: str = HEAD) -> Compilation:
    """Import one operation that takes and gives `schema`."""
    return imported(f"""{head}
paths:
  /things:
    post:
      operationId: addThing
      requestBody: {{required: true, content: {{application/json: {{schema: {schema}}}}}}}
      responses: {{200: {{description: Yes., content: {{application/json: {{schema: {schema}}}}}}}}}
{more}
""")


def fits(compilation: Compilation) -> bool:
    report = report_of(compilation)
    return not (report["dangling"] or report["invalid"] or report["non_portable"] or report["refusals"])


def input_of(compilation: Compilation) -> str:
    return json.dumps(compilation.tools[0].spec.input_schema["properties"], sort_keys=True)


DEFECTS = {
    "a reference that dangles": "{properties: {a: {$ref: '#/components/schemas/Gone'}}}",
    "a reference out of the document": "{properties: {a: {$ref: 'other.yaml#/A'}}}",
    "a type that is none": "{properties: {a: {type: int64}, b: {type: whatever}, c: {type: [string, object, 7]}}}",
    "required as a truth value": "{properties: {a: {type: string, required: true}}}",
    "a pattern nobody reads": "{properties: {a: {type: string, pattern: '(?<!a)[+**'}}}",
    "a pattern nobody can afford": "{properties: {a: {type: string, pattern: '((a{999}){999}){999}'}}}",
    "limits of the wrong type": "{properties: {a: {type: integer, minimum: low, maxLength: -1}}}",
    "exclusive limits of 3.0": "{properties: {a: {type: number, minimum: 1, exclusiveMinimum: true}}}",
    "choices that are no texts": "{properties: {a: {type: string, enum: [1, true, 2]}}}",
    "a null among choices": "{properties: {a: {type: string, nullable: true, enum: [x, null]}}}",
    "a default that breaks its rule": "{properties: {a: {type: integer, default: many}}}",
    "a discriminator": "{oneOf: [{type: object}, {type: array}], discriminator: {propertyName: kind}}",
    "identifiers": "{$id: 'urn:a', $anchor: b, properties: {a: {type: string}}}",
    "items without a schema": "{properties: {a: {type: array}}}",
    "properties that are none": "{properties: [a, b]}",
    "an empty schema": "{}",
    "no schema at all": "null",
    "plain true": "true",
    "money": "{properties: {amount: {type: number}, price: {type: [number, 'null']}}}",
    "a member with the name of a header": "{properties: {authorization: {type: string}, Accept: {type: string}}}",
    "a member without letters": "{properties: {'@odata.type': {type: string}, '$': {type: string}, '': {}}}",
}


@pytest.mark.parametrize("schema", DEFECTS.values(), ids=DEFECTS)
@pytest.mark.parametrize("head", [HEAD, HEAD.replace("3.0.3", "3.1.0")], ids=["3.0", "3.1"])
def test_a_schema_with_a_defect_is_published_valid_and_portable(schema: str, head: str) -> None:
    assert fits(with_schema(schema, head=head))


RECURSIVE = """components:
  schemas:
    Node: {type: object, properties: {name: {type: string}, parent: {$ref: '#/components/schemas/Node'},
           children: {type: array, items: {$ref: '#/components/schemas/Node'}}}}
    Self: {allOf: [{$ref: '#/components/schemas/Self'}, {properties: {a: {type: string}}}]}
    Loop: {$ref: '#/components/schemas/Loop'}
"""


@pytest.mark.parametrize("name", ["Node", "Self", "Loop"])
def test_a_schema_that_contains_itself_is_cut_off(name: str) -> None:
    compilation = with_schema(f"{{$ref: '#/components/schemas/{name}'}}", RECURSIVE)

    assert fits(compilation)
    assert "$ref" not in input_of(compilation) or "$defs" in compilation.tools[0].spec.input_schema


def test_what_stands_in_a_schema_more_than_once_is_defined_once() -> None:
    address = "{type: object, properties: {street: {type: string}, city: {type: string}, country: {type: string}}}"
    more = f"components: {{schemas: {{Address: {address}}}}}"
    reference = "{$ref: '#/components/schemas/Address'}"

    compilation = with_schema(f"{{properties: {{bill: {reference}, ship: {reference}, home: {reference}}}}}", more)

    schema = compilation.tools[0].spec.input_schema
    assert schema["properties"]["bill"] == schema["properties"]["ship"] == {"$ref": "#/$defs/d1"}
    assert sorted(schema["$defs"]["d1"]["properties"]) == ["city", "country", "street"]


def test_parts_of_a_schema_are_put_together() -> None:
    compilation = with_schema(
        "{allOf: [{properties: {a: {type: string}}, required: [a]}, {properties: {b: {type: integer}}}], required: [b]}"
    )

    schema = compilation.tools[0].spec.input_schema
    assert sorted(schema["properties"]) == ["a", "b"]
    assert sorted(schema["required"]) == ["a", "b"]


def test_what_is_there_but_odd_is_found() -> None:
    findings = with_schema("{properties: {a: {$ref: '#/components/schemas/Gone'}}}").findings

    assert findings["The reference '#/components/schemas/Gone' leads nowhere."] >= 1


def test_yaml_with_numbers_as_keys_nulls_and_words_that_look_like_others_is_read() -> None:
    compilation = imported("""
openapi: 3.0.0
security: [{key: null}, null]
paths:
  /things:
    get:
      operationId: list
      security: null
      parameters:
        - {name: on, in: query, schema: {type: string, enum: [on, off, yes, no]}}
        - {name: since, in: query, schema: {type: string, enum: [2024-01-01]}}
        - null
      responses: {200: {description: Yes.}, 404: null}
""")

    properties = compilation.tools[0].spec.input_schema["properties"]
    assert properties["on"]["enum"] == ["on", "off", "yes", "no"]
    assert properties["since"]["enum"] == ["2024-01-01"]


def test_server_noise_and_credentials_are_not_offered_to_the_model() -> None:
    compilation = imported("""
openapi: 3.0.0
components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}}
paths:
  /things:
    post:
      operationId: addThing
      parameters:
        - {name: Accept, in: header, schema: {type: string, default: application/vnd.a+json}}
        - {name: Content-Type, in: header, required: true, schema: {type: string}}
        - {name: Authorization, in: header, schema: {type: string}}
        - {name: X-Key, in: header, schema: {type: string}}
        - {name: X-Request-Id, in: header, schema: {type: string}}
        - {name: X-Forwarded-For, in: header, schema: {type: string}}
        - {name: X-Early, in: header, required: true, schema: {type: string, default: yes please}}
        - {name: Idempotency-Key, in: header, schema: {type: string}}
        - {name: X-Tenant, in: header, required: true, schema: {type: string}}
        - {name: access_token, in: query, required: true, schema: {type: string}}
        - {name: token, in: query, description: Authentication token., schema: {type: string}}
        - {name: limit, in: query, schema: {type: integer}}
      responses: {201: {description: Yes.}}
""")

    spec = compilation.tools[0].spec
    assert sorted(spec.input_schema["properties"]) == ["X-Tenant", "limit"]
    assert spec.binding["headers"] == {"accept": "application/vnd.a+json", "x-early": "yes please"}
    assert spec.binding["key_header"] == "idempotency-key"


KEYED = """
openapi: 3.1.0
info: {title: A, version: 1.0.0}
paths:
  /things:
    post:
      operationId: addThing
      parameters: [{name: Idempotency-Key, in: header, schema: {type: string}}]
      responses: {201: {description: Yes.}}
"""


def test_a_key_in_a_document_is_sent_and_proves_nothing_until_the_owner_says_so() -> None:
    said = "overlay: 1.1.0\nactions:\n  - target: $.paths['/things'].post\n    update: {x-hub: {idempotency: WORD}}\n"
    without = imported(KEYED)
    by_key = imported(KEYED, said.replace("WORD", "{kind: header, name: Idempotency-Key}")).tools[0].spec
    by_nature = imported(KEYED, said.replace("WORD", "{kind: natural}")).tools[0].spec

    assert without.tools[0].spec.upstream_class is UpstreamClass.D
    assert without.tools[0].spec.idempotency is None
    assert {one.binding["key_header"] for one in (without.tools[0].spec, by_key, by_nature)} == {"idempotency-key"}
    assert "say x-hub: {idempotency: {kind: header" in report_of(without)["tools"][0]["reasons"]["upstream_class"]
    assert (by_key.upstream_class, by_nature.upstream_class) == (UpstreamClass.A, UpstreamClass.A)


def test_names_differ_and_do_not_depend_on_what_else_there_is() -> None:
    long = "a" * 70
    paths = "".join(
        f"  /{path}:\n    get: {{operationId: {name}, responses: {{200: {{}}}}}}\n"
        for path, name in {"one": long + "1", "two": long + "2", "three": "listAll", "four": "list_all"}.items()
    )
    paths += "  /twice: {get: {operationId: same, responses: {}}, post: {operationId: same, responses: {}}}\n"
    paths += "  /deals/{id}: {delete: {responses: {}}}\n"

    names = {tool.operation: tool.spec.name for tool in imported(f"{HEAD}paths:\n{paths}").tools}

    assert len({*names.values()}) == len(names) == 7
    assert all(len(name) <= 48 for name in names.values())
    assert names["GET /one"] == "get_one"
    assert names["GET /twice"] == "get_twice"
    assert names["DELETE /deals/{id}"] == "delete_deals_id"


def test_an_operation_that_no_request_can_be_made_of_is_refused_with_its_reason() -> None:
    compilation = imported(f"""{HEAD}
servers: [{{url: 'https://api.example.com/v1'}}]
paths:
  /things: {{options: {{responses: {{}}}}, get: {{responses: {{}}}}}}
  /files: {{post: {{servers: [{{url: 'https://upload.example.com'}}], responses: {{}}}}}}
  /a//b: {{get: {{responses: {{}}}}}}
""")

    reasons = {refusal.operation: refusal.reason for refusal in compilation.refusals}
    assert reasons == {
        "OPTIONS /things": "the broker sends no OPTIONS",
        "POST /files": "it is served at https://upload.example.com, "
        "and a connection leads to one origin (https://api.example.com)",
        "GET /a//b": "its path has a segment that is empty or made of dots",
    }
    assert compilation.operations == 4
    assert compilation.base_url == "https://api.example.com/v1"


@pytest.mark.parametrize("content", [b"- a list", b"{", b"\xff\xfe", b"a: [", b"just text", b"a: &a [*a]"])
def test_what_holds_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(Unreadable, match=r"The (file|document)"):
        read_document(content)


def test_aliases_that_multiply_are_refused_before_they_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    with pytest.raises(Unreadable, match="aliases"):
        read_document("\n".join(lines).encode())


def test_what_is_no_api_document_is_refused() -> None:
    with pytest.raises(UnknownKind, match="openapi: 3 or swagger: 2"):
        imported("asyncapi: 3.0.0")
