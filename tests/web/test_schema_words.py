"""Schemas in words: every field, its type, its limits, however it is written down."""

from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from hub.web.schema_words import schema_fields


class Color(StrEnum):
    """Two colours."""

    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    """One line."""

    product: str
    quantity: Annotated[int, Field(ge=1, le=2**53 - 1)] = 1


class Order(BaseModel):
    """An order."""

    code: Annotated[str, Field(min_length=2, max_length=8, description="What people call it.")]
    color: Color | None = None
    lines: list[Line] = []


def words(schema: dict[str, Any]) -> list[str]:
    """Return each field as one line of text."""
    return [
        f"{'  ' * f.depth}{f.name}{'*' if f.is_required else ''}: {f.type_words} [{'; '.join(f.limits)}]"
        for f in schema_fields(schema)
    ]


def test_a_model_reads_like_a_form() -> None:
    assert words(Order.model_json_schema()) == [
        "code*: text [at least 2 characters; at most 8 characters]",
        "color: one of red, blue or nothing []",
        "lines: list of record [otherwise empty]",
        "  product*: text []",
        "  quantity: whole number [at least 1; otherwise 1]",
    ]


def test_a_reference_that_leads_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    schema = {**node, "$defs": {"node": node}}

    assert [field.depth for field in schema_fields(schema)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("member", "type_words"),
    [
        ({}, "anything"),
        ({"const": 3}, "always 3"),
        ({"type": ["string", "null"]}, "text or nothing"),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "text or whole number"),
        ({"$ref": "#/nowhere"}, "anything"),
        ({"type": "array", "items": {"enum": [1, "a"]}}, "list of one of 1, a"),
    ],
)
def test_every_form_of_a_type_has_words(member: dict[str, Any], type_words: str) -> None:
    (field,) = schema_fields({"type": "object", "properties": {"x": member}})

    assert field.type_words == type_words
