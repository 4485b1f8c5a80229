"""What is read of a document in GraphQL, beside what the reference implementation reads in it."""

import json

from graphql import GraphQLError, parse
from graphql.language import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.sdk.graphql import operations_in
from connectors.sdk.rpc import operation_of
from connectors.sdk.wire import WireRequest

PIECES = [
    *("query", "mutation", "subscription", "fragment", "on", "deal", "touch", "Query", "A", "B", "{", "}", "(", ")"),
    *("[", "]", ":", "...", "@", "!", "$a", "=", "|", "&", "...A", "... on Query", "a:", "@skip(if: true)", "{ deal }"),
    *("{ touch }", "mutation { touch }", "query A", "fragment A on Query { touch }", "(a: 1)", '(a: "{")', "($a: Int)"),
    *('"', '"""', '\\"""', '\\"', '""', "\\", "#", "# }\n", "#\r", "\n", "\r", "\t", " ", ",", "\ufeff", "1", "-1.5e3"),
    *("true", "null", "\u2028", "\u00a0", "\x0b", "é", "\x00", "01", "1a", "extend", "schema", "{ a: touch }", "{}"),
]
documents = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=25).map("".join),
)


def asking(document: object) -> WireRequest:
    return WireRequest(method="POST", path="/graphql", body=json.dumps({"query": document}))


def by_the_reference(document: str) -> tuple[str, ...] | None:
    """Return what the reference implementation finds in `document`, or None if it finds no single operation."""
    parsed = parse(document)
    operations = [one for one in parsed.definitions if isinstance(one, OperationDefinitionNode)]
    fragments = {one.name.value: one for one in parsed.definitions if isinstance(one, FragmentDefinitionNode)}
    if len(operations) != 1:
        return None
    fields: set[str] = set()
    waiting: list[SelectionSetNode] = [operations[0].selection_set]
    seen: set[str] = set()
    while waiting:
        for one in waiting.pop().selections:
            match one:
                case FieldNode():
                    fields.add(one.name.value)
                case InlineFragmentNode():
                    waiting.append(one.selection_set)
                case FragmentSpreadNode() if one.name.value in fragments and one.name.value not in seen:
                    seen.add(one.name.value)
                    waiting.append(fragments[one.name.value].selection_set)
                case _:
                    pass
    return tuple(f"{operations[0].operation.value}/{name}" for name in sorted(fields))


@settings(max_examples=500, deadline=None)
@given(documents)
@example("query A { deal }")
@example('{ a: deal(x: "}") @skip(if: true) { x } ...A } fragment A on Query { ... on Query { touch } }')
@example('{ deal(a: """ \\""" } mutation { touch } """) }')
@example('{ deal(a: "") b(c: "\\"") }')
@example('{ deal(a: """"quoted" """) }')
@example("query { deal } query B { touch }")
def test_what_is_read_is_what_the_reference_implementation_reads(document: str) -> None:
    read = operations_in(asking(document))

    if read is None:
        return
    try:
        expected = by_the_reference(document)
    except GraphQLError:
        return  # what no server can parse, none carries out
    assert read == expected


def test_what_people_write_is_read() -> None:
    for document, expected in {
        "{ deal }": ("query/deal",),
        "query { deal }": ("query/deal",),
        "query Q($a: [Int!]! = [1, 2] @deprecated) @live { a: deal(id: $a) { id } }": ("query/deal",),
        "mutation M { b: two one { three } }": ("mutation/one", "mutation/two"),
        "{ __schema { types { name } } __typename }": ("query/__schema", "query/__typename"),
        "{ on fragment query mutation }": ("query/fragment", "query/mutation", "query/on", "query/query"),
        "{ ...A } fragment A on Query { ...B deal } fragment B on Query { ...A other }": ("query/deal", "query/other"),
        "# read it\n{ deal(input: {a: {b: [1.5, -2e3, null, RED]}}) }": ("query/deal",),
    }.items():
        assert operations_in(asking(document)) == expected, document


def test_several_fields_are_told_together() -> None:
    assert operation_of("graphql", asking("{ b a }")) == "query/a + query/b"
    assert operation_of("graphql", asking("{")) is None
