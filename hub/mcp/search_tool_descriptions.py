"""How clients see the two tools that stand for a large catalog: one finds tools, the other calls what was found."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_types import Tool, ToolAnnotations

from connectors.sdk.spec import TOOL_NAME
from connectors.sdk.vocabulary import Effect, Tier

Json = Any
"""Any JSON value."""

CALL_TOOL: Final = "hub_call_tool"
LONGEST_QUESTION: Final = 500
MOST_FOUND: Final = 50
USUALLY_FOUND: Final = 8
_NAME: Final[Mapping[str, Json]] = {"type": "string", "pattern": TOOL_NAME}

FIND: Final = Tool(
    name="hub_find_tools",
    title="Find tools",
    description=(
        "Finds tools by what you want to do, said in your own words, in English or Chinese. Returns the best first, "
        "each with its input schema and whether a call must be approved. Call one with hub_call_tool."
    ),
    input_schema={
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST_QUESTION,
                "description": "What you want to do, such as 'give a customer money back'.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MOST_FOUND,
                "default": USUALLY_FOUND,
                "description": "How many tools to return at most.",
            },
            "server": {
                "type": "string",
                "minLength": 1,
                "maxLength": 64,
                "description": "Only tools that this server offers too.",
            },
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    output_schema={
        "type": "object",
        "properties": {
            "tools": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": _NAME,
                        "title": {"type": "string"},
                        "description": {"type": "string"},
                        "input_schema": {"type": "object"},
                        "effect": {"type": "string", "enum": [effect.value for effect in Effect]},
                        "tier": {"type": "string", "enum": [tier.value for tier in Tier]},
                        "approval": {"type": "string"},
                        "needed_scopes": {"type": "array", "items": {"type": "string"}},
                    },
                    "required": ["name", "title", "description", "input_schema", "effect", "tier", "approval"],
                },
            },
            "message": {"type": "string"},
        },
        "required": ["tools", "message"],
    },
    annotations=ToolAnnotations(
        title="Find tools", read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    ),
)

CALL: Final = Tool(
    name=CALL_TOOL,
    title="Call a tool",
    description=(
        "Calls a tool that hub_find_tools has found, by its name, with arguments that fit its input schema. The call "
        "is checked, approved and recorded like any other, and answered like a call of that tool."
    ),
    input_schema={
        "type": "object",
        "properties": {
            "name": {**_NAME, "description": "The name of the tool, as it was found."},
            "arguments": {"type": "object", "description": "Its arguments.", "additionalProperties": True},
        },
        "required": ["name"],
        "additionalProperties": False,
    },
    output_schema={"type": "object"},
    annotations=ToolAnnotations(
        title="Call a tool", read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True
    ),
)

SEARCH_TOOLS: Final = (FIND, CALL)
"""Listed where a server offers a search; answered everywhere."""
