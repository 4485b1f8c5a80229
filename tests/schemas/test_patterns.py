"""Patterns of schemas: what they mean, which are refused, and that neither reading nor using one can be made dear."""

import subprocess
import sys
from typing import Any

import pytest

from schemas import CompiledSchema, SchemaInvalid, compile_schema
from schemas.bounds import MOST_STEPS, Bounded, TooMuchWork, count_steps
from schemas.patterns import PatternUnusable, compile_pattern

Json = Any

RARE: Json = {"if": {"type": "object"}}
"""A keyword that only jsonschema checks."""


ORDINARY: list[tuple[str, list[str], list[str]]] = [
    (r"^\d{4}-\d{2}$", ["2026-11"], ["2026-11\n", "\u0662\u0660\u0662\u0666-11"]),
    (r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$", ["ada@example.com"], ["ada@example"]),
    (r"^\p{L}[\p{L}\p{N} '-]*$", ["Ärzte 2", "李"], ["-"]),
    (r"^[\u4e00-\u9fa5]{2,4}$", ["\u4e2d\u6587"], ["ab", "\u4e2d"]),
    (r"^\/v1\/[\w\-]+$", ["/v1/a-b"], ["/v1/\u00e9"]),
    (r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}$", ["arn:aws:iam::123456789012:role/a"], ["arn:aws"]),
    (r"^(https?|ftp):\/\/[^\s/$.?#].[^\s]*$", ["https://a.example"], ["a.example"]),
    ("^.{1,65535}$", ["a", "\U0001f600" * 65535], ["", "a" * 65536, "a\nb"]),
    (r"^[\s\S]{3}$", ["a\nb"], ["ab", "abcd"]),
    (r"^[^\]]{2,}$", ["ab"], ["a", "a]"]),
    (r"^(?:[01]\d|2[0-3]):[0-5]\d$", ["23:59"], ["24:00"]),
    ("b", ["abc", "\ud800b"], ["\ud800"]),
]


@pytest.mark.parametrize(("pattern", "good", "bad"), ORDINARY, ids=[one[0] for one in ORDINARY])
def test_ordinary_patterns_are_read_as_json_schema_means_them(pattern: str, good: list[str], bad: list[str]) -> None:
    is_in = compile_pattern(pattern).is_in

    assert [text for text in good if not is_in(text)] == []
    assert [text for text in bad if is_in(text)] == []


@pytest.mark.parametrize("pattern", [r"^(?=.*\d)a", r"^(?!a)", r"(?<=a)b", r"(a)\1", r"^\p{L}{1,5000}x$"])
def test_a_pattern_that_needs_more_than_one_pass_is_refused_with_the_reason(pattern: str) -> None:
    with pytest.raises(PatternUnusable, match="not in one pass"):
        compile_pattern(pattern)
    for where in ({"pattern": pattern}, {"patternProperties": {pattern: {}}}):
        with pytest.raises(SchemaInvalid, match="not in one pass"):
            compile_schema(where)


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("^[\\w-.]+$", "a class beside - in brackets"),
        ("^[^]+$", "[^]"),
        ("[]", "[]"),
        (r"\0", r"\0"),
        ("a{,3}", "{,3}"),
    ],
    ids=["range", "anything", "nothing", "null", "count"],
)
def test_what_is_written_otherwise_in_javascript_is_refused_by_name(pattern: str, named: str) -> None:
    with pytest.raises(PatternUnusable) as refused:
        compile_pattern(pattern)

    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("pattern", "text", "is_in"),
    [
        ("^.$", "\r", True),
        ("^.$", "\u2028", True),
        ("^.$", "\n", False),
        (r"a\b", "a\u00e9", False),
        ("^[]a]$", "]", True),
    ],
    ids=["CR", "U+2028", "LF", "boundary", "bracket"],
)
def test_where_patterns_mean_something_else_than_in_javascript_is_as_decided(
    pattern: str, text: str, *, is_in: bool
) -> None:
    assert compile_pattern(pattern).is_in(text) is is_in


def test_a_pattern_that_was_stored_when_such_were_taken_is_not_checked() -> None:
    for more in ({}, RARE):
        stored = CompiledSchema({"properties": {"a": {"pattern": "^(?!b)", "maxLength": 1}}, **more})

        assert stored.is_valid({"a": "b"})
        assert stored.violations({"a": "bb"}) == [("/a", "has at most 1 characters")]


def test_patterns_are_bounded_together() -> None:
    each = {f"p{number}": {"pattern": f"^a{{{number},900}}b$"} for number in range(42)}

    assert compile_schema({"properties": dict(list(each.items())[:39])})
    with pytest.raises(SchemaInvalid, match="its patterns stand for more than"):
        compile_schema({"properties": each})


@pytest.mark.parametrize(
    "pattern",
    ["[" * 3_000_000, "a" * 4_001, r"\d" * 101, r"\p{L}" * 101, r"[\S\W]" * 51],
    ids=["a class without an end", "long", "digits", "letters", "classes in classes"],
)
def test_what_takes_long_to_read_is_refused_before_it_is_read(pattern: str) -> None:
    with pytest.raises(PatternUnusable, match="more than 4000 characters or 100 classes"):
        compile_pattern(pattern)


def test_what_is_dear_to_read_counts_for_more_in_one_schema() -> None:
    each = {f"p{number}": {"pattern": rf"(\d\w){{2}}{'[^-]' * number}$"} for number in range(100, 275)}

    assert compile_schema({"properties": dict(list(each.items())[:100])})
    with pytest.raises(SchemaInvalid, match="its patterns stand for more than"):
        compile_schema({"properties": each})


def test_classes_are_dear_to_read_however_few_pieces_they_are() -> None:
    each = {f"p{number}": {"pattern": rf"^x{number}" + r"\d" * 90} for number in range(30)}

    assert compile_schema({"properties": dict(list(each.items())[:15])})
    with pytest.raises(SchemaInvalid, match="its patterns stand for more than"):
        compile_schema({"properties": each})


def taken(pattern: str, text: str) -> int:
    """Return how many steps it took, or may have taken, to look for a pattern in a text."""
    is_in = compile_pattern(pattern).is_in
    low, high = 0, MOST_STEPS
    while low < high:
        middle = (low + high) // 2
        try:
            with Bounded():
                count_steps(MOST_STEPS - middle)
                is_in(text)
            high = middle
        except TooMuchWork:
            low = middle + 1
    return low


def test_a_text_takes_what_its_bytes_and_the_pieces_of_the_pattern_may_take() -> None:
    few, many = taken(r"(\S?){10}\x00", "a" * 400), taken(r"(\S?){100}\x00", "a" * 400)
    han = taken(r"(\S?){10}\x00", "\u4e2d" * 400)

    assert many > 8 * few
    assert han >= 3 * few
    assert taken("^.{0,4000}$", "a" * 400) < 10
    assert taken("((){50}){50}b", "a" * 400) > 10_000  # what stands for nothing is gone through, too


def test_a_long_text_that_may_keep_an_automaton_busy_is_undecided() -> None:
    schema = compile_schema({"pattern": r"(\S?){100}[\x00]"})

    said = schema.violations("\u4e2d\u4e8c" * 100_000)

    assert said == [("", "takes more steps to check against its schema than can be taken")]


MANY = """
import resource, sys
from schemas import compile_schema
def grown(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
compile_schema({"pattern": "a"}).is_valid("a")
before = grown()
kept = [compile_schema({"pattern": rf"\\p{{L}}{{4}}{number}$"}) for number in range(3000)]
print(all(each.is_valid("abcd%d" % at) for at, each in enumerate(kept)), grown() - before)
"""


def test_patterns_that_nobody_uses_now_take_no_memory_and_are_read_again_when_somebody_does() -> None:
    told = subprocess.run([sys.executable, "-c", MANY], check=True, capture_output=True, text=True).stdout.split()

    assert told[0] == "True"
    assert int(told[1]) < 350  # MB; all of them together take more than 500
