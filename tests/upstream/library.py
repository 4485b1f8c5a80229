"""An MCP server with everything beside tools: resources, templates, prompts, completions, progress and log messages.

Run as `python -m upstream.library [--stdio]`; without that it prints `{"port": ...}` when it listens.
"""

from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from upstream.listening import serve

Context = ServerRequestContext[Any]
Page = types.PaginatedRequestParams | None
BOOKS = {"book://1": "The first book.", "book://2": "The second book."}


async def _tools(_context: Context, _params: Page) -> types.ListToolsResult:
    schema = {"type": "object", "properties": {"book": {"type": "string"}}, "required": ["book"]}
    return types.ListToolsResult(
        tools=[types.Tool(name="quote", description="Quotes a book.", input_schema=schema)],
    )


async def _call(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    await context.session.report_progress(1, 2, "half way")
    book = (params.arguments or {})["book"]
    link = types.ResourceLink(type="resource_link", uri=book, name="the book")
    return types.CallToolResult(content=[types.TextContent(text=BOOKS[book]), link])


async def _resources(_context: Context, _params: Page) -> types.ListResourcesResult:
    listed = [types.Resource(uri=uri, name=text, mime_type="text/plain") for uri, text in BOOKS.items()]
    return types.ListResourcesResult(resources=listed)


async def _templates(_context: Context, _params: Page) -> types.ListResourceTemplatesResult:
    page = types.ResourceTemplate(uri_template="book://{book}/pages/{page}", name="A page")
    return types.ListResourceTemplatesResult(resource_templates=[page])


async def _read(_context: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    uri = str(params.uri)
    if uri not in BOOKS and "/pages/" not in uri:
        raise MCPError(types.INVALID_PARAMS, "no such book")
    text = BOOKS.get(uri, f"What stands at {uri}.")
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, text=text)])


async def _prompts(_context: Context, _params: Page) -> types.ListPromptsResult:
    argument = types.PromptArgument(name="book", required=True)
    return types.ListPromptsResult(prompts=[types.Prompt(name="review", description="A review.", arguments=[argument])])


async def _prompt(_context: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    book = (params.arguments or {}).get("book", "")
    embedded = types.EmbeddedResource(
        type="resource", resource=types.TextResourceContents(uri="book://1", text=BOOKS["book://1"])
    )
    messages = [
        types.PromptMessage(role="user", content=types.TextContent(text=f"Review {book}.")),
        types.PromptMessage(role="user", content=embedded),
    ]
    return types.GetPromptResult(description="A review.", messages=messages)


async def _complete(_context: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    known = [book for book in ("emma", "embers", "dune") if book.startswith(params.argument.value)]
    return types.CompleteResult(completion=types.Completion(values=known))


def server() -> Server[Any]:
    """Return the server."""
    return Server(
        "library",
        instructions="Ask for books by their number.",
        on_list_tools=_tools,
        on_call_tool=_call,
        on_list_resources=_resources,
        on_list_resource_templates=_templates,
        on_read_resource=_read,
        on_list_prompts=_prompts,
        on_get_prompt=_prompt,
        on_completion=_complete,
    )


def main() -> None:
    """Serve until standard input ends."""
    made = server()
    serve(made, made.streamable_http_app(stateless_http=True), __doc__)


if __name__ == "__main__":
    main()
