"""Tools of the test upstream that answer by themselves: every kind of content, log, progress, errors, schemas."""

import asyncio
import json

import mcp_types as types
from mcp.shared.exceptions import MCPError

from conformance.everything.answers import PIXEL, SILENCE, Answer, Given, Json, Tells, Tool, text

_PAUSE_SECONDS = 0.05
"""The scenarios want what is said to be spread over time."""
_AWAY_SECONDS = 3.0

ADDRESS: Json = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
REGION: Json = {
    "type": "object",
    "properties": {"region": {"type": "string", "description": "Repeated in a header.", "x-mcp-header": "Region"}},
}


async def _simple(given: Given, tells: Tells) -> Answer:
    del given, tells
    return [text("This is a simple text response for testing.")]


async def _image(given: Given, tells: Tells) -> Answer:
    del given, tells
    return [types.ImageContent(data=PIXEL, mime_type="image/png")]


async def _audio(given: Given, tells: Tells) -> Answer:
    del given, tells
    return [types.AudioContent(data=SILENCE, mime_type="audio/wav")]


async def _embedded(given: Given, tells: Tells) -> Answer:
    del given, tells
    return [_resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


async def _mixed(given: Given, tells: Tells) -> Answer:
    del given, tells
    data = json.dumps({"test": "data", "value": 123})
    image = types.ImageContent(data=PIXEL, mime_type="image/png")
    return [
        text("Multiple content types test:"),
        image,
        _resource("test://mixed-content-resource", "application/json", data),
    ]


async def _logging(given: Given, tells: Tells) -> Answer:
    del given
    for said in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await tells.log(said)
        await asyncio.sleep(_PAUSE_SECONDS)
    return [text("It has said three things.")]


async def _progress(given: Given, tells: Tells) -> Answer:
    del given
    for done in (0, 50, 100):
        await tells.progress(done, 100)
        await asyncio.sleep(_PAUSE_SECONDS)
    return [text("It is done.")]


async def _reconnection(given: Given, tells: Tells) -> Answer:
    del given
    await tells.log("Before the stream ends")
    await tells.hang_up()
    await asyncio.sleep(_AWAY_SECONDS)
    return [text("The client has come back.")]


async def _error(given: Given, tells: Tells) -> Answer:
    del given, tells
    raise ValueError("This tool intentionally returns an error for testing")


async def _region(given: Given, tells: Tells) -> Answer:
    del tells
    return [text(f"region={given.arguments.get('region', 'none')}")]


async def _needs_sampling(given: Given, tells: Tells) -> Answer:
    del tells
    if given.can.sampling is None:
        message = "This tool needs a client that declares the capability 'sampling'."
        data: Json = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, message, data)
    return [text("The client declares what it takes.")]


async def _address(given: Given, tells: Tells) -> Answer:
    del tells
    return [text(json.dumps(dict(given.arguments), sort_keys=True))]


def _resource(uri: str, mime_type: str, content: str) -> types.EmbeddedResource:
    return types.EmbeddedResource(resource=types.TextResourceContents(uri=uri, mime_type=mime_type, text=content))


TOOLS = (
    Tool(name="test_simple_text", description="Answers with text.", answer=_simple),
    Tool(name="test_image_content", description="Answers with an image.", answer=_image),
    Tool(name="test_audio_content", description="Answers with sound.", answer=_audio),
    Tool(name="test_embedded_resource", description="Answers with a resource.", answer=_embedded),
    Tool(name="test_multiple_content_types", description="Answers with three kinds of content.", answer=_mixed),
    Tool(name="test_tool_with_logging", description="Logs while it works.", answer=_logging),
    Tool(name="test_logging_tool", description="Logs, for those who want to hear it.", answer=_logging),
    Tool(name="test_tool_with_progress", description="Tells how far it is.", answer=_progress),
    Tool(name="test_reconnection", description="Ends its stream before it answers.", answer=_reconnection),
    Tool(name="test_error_handling", description="Always fails.", answer=_error),
    Tool(
        name="test_x_mcp_header", description="Takes a region, which a header repeats.", answer=_region, schema=REGION
    ),
    Tool(name="test_missing_capability", description="Needs a client that can sample.", answer=_needs_sampling),
    Tool(name="json_schema_2020_12_tool", description="Takes a contact.", answer=_address, schema=ADDRESS),
)
