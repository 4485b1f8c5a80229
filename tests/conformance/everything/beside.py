"""Resources, prompts and completions of the test upstream."""

import base64
import json
import re
from collections.abc import Mapping

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from conformance.everything.answers import PIXEL, Json, text

Context = ServerRequestContext[Json]

_MODERN = "2026-07-28"
_TEMPLATE = "test://template/{id}/data"
_OF_TEMPLATE = re.compile(r"test://template/([^/]+)/data")
_RESOURCES = {
    "test://static-text": ("text/plain", "This is the content of the static text resource."),
    "test://static-binary": ("image/png", base64.b64decode(PIXEL)),
    "test://watched-resource": ("text/plain", "Somebody may watch this."),
}
ASKS = "test_input_required_result_prompt"
_PROMPTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "test_simple_prompt": ("A prompt that takes nothing.", ()),
    "test_prompt_with_arguments": ("A prompt that takes two words.", ("arg1", "arg2")),
    "test_prompt_with_embedded_resource": ("A prompt that holds a resource.", ("resourceUri",)),
    "test_prompt_with_image": ("A prompt that holds an image.", ()),
    ASKS: ("A prompt that asks first.", ()),
}


async def list_resources(context: Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
    """List what can be read."""
    del context, params
    listed = [
        types.Resource(uri=uri, name=uri.partition("//")[2], description=f"Read {uri}.", mime_type=kind)
        for uri, (kind, _) in _RESOURCES.items()
    ]
    return types.ListResourcesResult(resources=listed)


async def list_templates(
    context: Context, params: types.PaginatedRequestParams | None
) -> types.ListResourceTemplatesResult:
    """List the one template."""
    del context, params
    template = types.ResourceTemplate(
        uri_template=_TEMPLATE, name="template", description="Data by id.", mime_type="application/json"
    )
    return types.ListResourceTemplatesResult(resource_templates=[template])


async def read(context: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    """Read one resource."""
    uri = str(params.uri)
    contents: types.TextResourceContents | types.BlobResourceContents
    if matched := _OF_TEMPLATE.fullmatch(uri):
        data = json.dumps({"id": matched[1], "templateTest": True, "data": f"Data for ID: {matched[1]}"})
        contents = types.TextResourceContents(uri=uri, mime_type="application/json", text=data)
    elif uri not in _RESOURCES:
        code = types.INVALID_PARAMS if context.protocol_version >= _MODERN else -32002
        raise MCPError(code, f"There is no resource {uri}.", {"uri": uri})
    else:
        kind, content = _RESOURCES[uri]
        if isinstance(content, bytes):
            blob = base64.b64encode(content).decode()
            contents = types.BlobResourceContents(uri=uri, mime_type=kind, blob=blob)
        else:
            contents = types.TextResourceContents(uri=uri, mime_type=kind, text=content)
    return types.ReadResourceResult(contents=[contents])


async def list_prompts(context: Context, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
    """List the prompts."""
    del context, params
    listed = [
        types.Prompt(
            name=name,
            description=description,
            arguments=[types.PromptArgument(name=one, description=f"The {one}.", required=True) for one in arguments],
        )
        for name, (description, arguments) in _PROMPTS.items()
    ]
    return types.ListPromptsResult(prompts=listed)


def filled(name: str, given: Mapping[str, str]) -> list[types.PromptMessage]:
    """Return the messages of a prompt that does not have to ask.

    Raises:
        MCPError: there is no such prompt, or something is missing.
    """
    if name not in _PROMPTS:
        raise MCPError(types.INVALID_PARAMS, f"There is no prompt {name}.")
    if missing := [one for one in _PROMPTS[name][1] if one not in given]:
        raise MCPError(types.INVALID_PARAMS, f"{name} needs {', '.join(missing)}.")
    match name:
        case "test_prompt_with_arguments":
            return [_user(text(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'"))]
        case "test_prompt_with_embedded_resource":
            resource = types.TextResourceContents(
                uri=given["resourceUri"], mime_type="text/plain", text="Embedded resource content for testing."
            )
            embedded = types.EmbeddedResource(resource=resource)
            return [_user(embedded), _user(text("Please process the embedded resource above."))]
        case "test_prompt_with_image":
            image = types.ImageContent(data=PIXEL, mime_type="image/png")
            return [_user(image), _user(text("Please analyze the image above."))]
        case _:
            return [_user(text("This is a simple prompt for testing."))]


def _user(content: types.ContentBlock) -> types.PromptMessage:
    return types.PromptMessage(role="user", content=content)


async def complete(context: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    """Complete one argument of a prompt."""
    del context
    known = ["paris", "park", "party"]
    values = [one for one in known if one.startswith(params.argument.value)]
    return types.CompleteResult(completion=types.Completion(values=values, total=len(values), has_more=False))
