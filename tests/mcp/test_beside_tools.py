"""Resources, prompts and completions of federated servers on the hub's endpoint: governed reads under clear names."""

import asyncio
from typing import Any

import httpx2
import pytest
from doors.agents import ERAS, Connect
from doors.libraries import SCOPES, connect_library, library_token, lists_alone, lists_also
from doors.outside import entered
from doors.working_hub import WorkingHub
from mcp.client.subscriptions import PromptsListChanged, ResourcesListChanged
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference
from sqlalchemy import select

from hub.audit import events_of
from hub.core.errors import NotFound
from hub.identity.directory import find
from hub.identity.principals import Caller
from hub.identity.resources import EVERYTHING
from hub.invocations.beside_tools import offered
from hub.invocations.invoke import invoke
from hub.invocations.resource_news import news_of
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Call, Client
from hub.registry import disable_connection

pytestmark = pytest.mark.anyio


@pytest.fixture
async def token(hub: WorkingHub, library: str) -> str:
    """A token for an agent that may read the library, which is connected."""
    return await library_token(hub, library)


@ERAS
async def test_what_a_server_offers_is_listed_and_read_in_both_eras(connect: Connect, token: str, mode: str) -> None:
    async with connect(mode=mode, token=token) as client:
        resources = await client.list_resources()
        templates = await client.list_resource_templates()
        prompts = await client.list_prompts()
        book = await client.read_resource("book://2")
        page = await client.read_resource("book://emma/pages/7")
        prompt = await client.get_prompt("review", {"book": "emma"})
        completed = await client.complete(PromptReference(name="review"), {"name": "book", "value": "em"})

    assert [str(one.uri) for one in resources.resources] == ["book://1", "book://2"]
    assert [one.uri_template for one in templates.resource_templates] == ["book://{book}/pages/{page}"]
    assert [(one.name, one.description) for one in prompts.prompts] == [("review", "A review.")]
    assert [(str(one.uri), getattr(one, "text", "")) for one in book.contents] == [("book://2", "The second book.")]
    assert [str(one.uri) for one in page.contents] == ["book://emma/pages/7"]
    assert prompt.messages[0].content.text == "Review emma."  # type: ignore[union-attr]  # it is text
    assert completed.completion.values == ["emma", "embers"]


async def test_what_a_federated_tool_answers_arrives_block_by_block(connect: Connect, token: str) -> None:
    async with connect(token=token) as client:
        result = await client.call_tool("quote", {"book": "book://1"})

    assert [block.type for block in result.content] == ["text", "resource_link"]
    assert result.content[0].text == "The first book."  # type: ignore[union-attr]  # it is text
    assert isinstance(result.structured_content, dict)
    assert [block["type"] for block in result.structured_content["content"]] == ["text", "resource_link"]


async def test_each_read_is_on_record_and_stands_in_no_list_of_tools(
    hub: WorkingHub, connect: Connect, token: str
) -> None:
    async with connect(token=token) as client:
        tools = await client.list_tools()
        await client.read_resource("book://1")

    async with hub.database.reading() as tx:
        rows = (await tx.scalars(select(InvocationRow).where(InvocationRow.tool_name == "library_resources"))).all()
    names = {tool.name for tool in tools.tools}
    assert [row.state for row in rows] == ["SUCCEEDED"]
    assert "quote" in names
    assert not {"library_resources", "library_prompts", "library_completions"} & names


@pytest.mark.parametrize("uri", ["book://3", "file:///etc/passwd", "library+book://9", "book://a/b/pages/7?x=1"])
async def test_what_is_not_offered_cannot_be_read(connect: Connect, token: str, uri: str) -> None:
    async with connect(token=token) as client:
        with pytest.raises(MCPError, match="There is no resource"):
            await client.read_resource(uri)


TEMPLATE_REF = {"type": "ref/resource", "uri": "book://{book}/pages/{page}"}
READS: dict[str, dict[str, Any]] = {
    "resources/read": {"uri": "book://1"},
    "prompts/get": {"name": "review", "arguments": {}},
    "completion/complete": {"ref": TEMPLATE_REF, "argument": {"name": "book", "value": ""}},
}


async def asked(http: httpx2.AsyncClient, token: str, method: str, params: dict[str, Any]) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    return await http.post("/mcp", json=message, headers={**headers, "MCP-Protocol-Version": "2025-11-25"})


@pytest.mark.parametrize(("method", "params"), READS.items(), ids=READS)
async def test_a_read_beside_tools_that_lacks_its_scope_is_403_and_can_be_stepped_up_for(
    hub: WorkingHub, http: httpx2.AsyncClient, token: str, method: str, params: dict[str, Any]
) -> None:
    reader = await hub.make_agent("stepper", allowed=SCOPES, servers=frozenset({EVERYTHING}))
    narrow = await hub.token(of=reader, granted=frozenset({"upstream:read"}))

    refused = await asked(http, narrow, method, params)
    read = await asked(http, token, method, params)

    challenge = refused.headers["www-authenticate"]
    assert (refused.status_code, refused.json()["id"]) == (403, 7)
    assert 'error="insufficient_scope", scope="library:read"' in challenge
    assert "library:read" in refused.json()["error"]["message"]
    assert (read.status_code, "result" in read.json()) == (200, True)
    async with hub.database.reading() as tx:
        (event,) = await events_of(tx, f"tool:library_{method.partition('/')[0]}".replace("completion", "completions"))
    assert (event.facts["code"], event.agent) == ("insufficient_scope", reader.id)


async def test_what_is_not_offered_asks_for_no_scope(hub: WorkingHub, http: httpx2.AsyncClient, token: str) -> None:
    narrow = await hub.token(granted=frozenset({"upstream:read"}))

    refused = [await asked(http, one, "resources/read", {"uri": "book://3"}) for one in (narrow, token)]

    assert [one.json()["error"] for one in refused] == [refused[0].json()["error"]] * 2
    assert [one.headers.get("www-authenticate") for one in refused] == [None, None]


async def test_two_servers_with_the_same_names_take_nobodys_place(
    hub: WorkingHub, connect: Connect, token: str, library: str
) -> None:
    await connect_library(hub, library, "archive")

    async with connect(token=token) as client:
        resources = [str(one.uri) for one in (await client.list_resources()).resources]
        prompts = [one.name for one in (await client.list_prompts()).prompts]
        book = await client.read_resource("archive+book://1")
        prompt = await client.get_prompt("library.review", {"book": "dune"})
        page = await client.read_resource("library+book://dune/pages/1")
        for uri in ("book://1", "book://dune/pages/1"):
            with pytest.raises(MCPError, match="several servers"):
                await client.read_resource(uri)
        reference = ResourceTemplateReference(uri="library+book://{book}/pages/{page}")
        completed = await client.complete(reference, {"name": "book", "value": "d"})

    assert resources == ["archive+book://1", "archive+book://2", "library+book://1", "library+book://2"]
    assert prompts == ["archive.review", "library.review"]
    assert [str(one.uri) for one in book.contents] == ["archive+book://1"]
    assert [str(one.uri) for one in page.contents] == ["library+book://dune/pages/1"]
    assert str(prompt.messages[1].content.resource.uri) == "library+book://1"  # type: ignore[union-attr]  # embedded
    assert completed.completion.values == ["dune"]


async def test_no_server_takes_the_long_name_of_anothers(
    hub: WorkingHub, connect: Connect, token: str, library: str
) -> None:
    await connect_library(hub, library, "archive")
    taken = {"uri": "library+book://1", "name": "The first book."}
    wide = {"uriTemplate": "library+{+all}", "name": "Everything."}
    prompt = {"name": "library.review"}
    await lists_also(hub, "archive", {"resources": [taken], "templates": [wide], "prompts": [prompt]})

    async with connect(token=token) as client:
        uris = [str(one.uri) for one in (await client.list_resources()).resources]
        prompts = [one.name for one in (await client.list_prompts()).prompts]
        await client.read_resource("library+book://1")
        await client.read_resource("library+book://dune/pages/1")
        await client.get_prompt("library.review", {"book": "dune"})
        with pytest.raises(MCPError, match="There is no resource"):
            await client.read_resource("library+nothing://here")

    assert uris == sorted({*uris})
    assert "archive+library+book://1" in uris
    assert prompts == ["archive.library.review", "archive.review", "library.review"]
    async with hub.database.reading() as tx:
        asked = set(await tx.scalars(select(InvocationRow.tool_name)))
    assert asked == {"library_resources", "library_prompts"}


@pytest.mark.parametrize("template", ["{+any}", "{any}://{+rest}", "b{+any}"])
async def test_a_template_that_could_make_any_address_takes_none_and_stands_under_its_connections_name(
    hub: WorkingHub, connect: Connect, token: str, library: str, template: str
) -> None:
    await connect_library(hub, library, "archive")
    await lists_alone(hub, "archive", {"resources": [], "templates": [{"uriTemplate": template, "name": "Anything."}]})

    async with connect(token=token) as client:
        templates = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
        page = await client.read_resource("book://emma/pages/7")
        for uri in ("book://emma/pages", "secret://of/library"):
            with pytest.raises(MCPError, match="There is no resource"):
                await client.read_resource(uri)
        await client.read_resource("archive+book://emma/pages/7")

    assert templates == sorted([f"archive+{template}", "book://{book}/pages/{page}"])
    assert [str(one.uri) for one in page.contents] == ["book://emma/pages/7"]
    assert await readers(hub) == ["library_resources", "a_archive_resources"]


@pytest.mark.parametrize("listed", [{"uriTemplate": "book://{+any}"}, {"uriTemplate": "BOOK://e{+rest}"}])
async def test_templates_of_two_servers_that_begin_alike_both_stand_under_their_connections_names(
    hub: WorkingHub, connect: Connect, token: str, library: str, listed: dict[str, str]
) -> None:
    await connect_library(hub, library, "archive")
    await lists_alone(hub, "archive", {"resources": [], "templates": [{**listed, "name": "Anything."}]})

    async with connect(token=token) as client:
        templates = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
        await client.read_resource("book://1")
        await client.read_resource("library+book://emma/pages/7")
        with pytest.raises(MCPError, match="several servers"):
            await client.read_resource("book://emma/pages/7")

    assert templates == [f"archive+{listed['uriTemplate']}", "library+book://{book}/pages/{page}"]
    assert await readers(hub) == ["library_resources"] * 2


async def test_an_address_of_a_server_that_lists_it_not_is_made_from_no_template_of_another(
    hub: WorkingHub, connect: Connect, token: str, library: str
) -> None:
    await connect_library(hub, library, "archive")
    await lists_alone(hub, "library", {"templates": []})
    await lists_alone(
        hub, "archive", {"resources": [], "templates": [{"uriTemplate": "book://{+any}", "name": "Anything."}]}
    )

    async with connect(token=token) as client:
        await client.read_resource("book://1")
        with pytest.raises(MCPError, match="several servers"):
            await client.read_resource("book://3")

    assert await readers(hub) == ["library_resources"]


async def readers(hub: WorkingHub) -> list[str]:
    """Return what read beside tools, in the order of the reads."""
    async with hub.database.reading() as tx:
        names = await tx.scalars(select(InvocationRow.tool_name).order_by(InvocationRow.created_at))
        return [name for name in names if name.endswith("_resources")]


async def test_a_server_that_is_disabled_offers_nothing_and_empties_no_other_list(
    hub: WorkingHub, connect: Connect, token: str, library: str
) -> None:
    archive = await connect_library(hub, library, "archive")
    async with hub.database.transaction() as tx:
        await disable_connection(tx, archive, hub.authority, reason="it is old")

    async with connect(token=token) as client:
        resources = [str(one.uri) for one in (await client.list_resources()).resources]

    assert resources == ["book://1", "book://2"]


async def test_who_makes_a_call_hears_how_far_it_has_come(hub: WorkingHub, token: str) -> None:
    del token
    heard = list[Any]()

    async def hear(message: Any) -> None:  # noqa: ANN401  # a message of the protocol
        heard.append(message["params"])

    async with hub.database.reading() as tx:
        from hub.identity import directory

        reader = await directory.find(tx, "reader")
    assert reader is not None
    caller = hub.caller.__class__(
        actor=reader, on_behalf_of=hub.people["requester"], scopes=SCOPES, client_id=reader.id
    )
    call = Call(
        caller=caller,
        server=EVERYTHING,
        tool="quote",
        arguments={"book": "book://1"},
        trace_id="trace",
        client=Client(hear=hear),
    )
    invocation = await invoke(call, hub.runtime)

    assert invocation.output["content"][0]["text"] == "The first book."
    assert [(one["progress"], one["message"]) for one in heard] == [(1, "half way")]


@pytest.mark.parametrize("through", [None, "hub_call_tool"])
@pytest.mark.parametrize("uri", ["book://1", "file:///etc/pages/shadow"])
async def test_what_reads_beside_tools_cannot_be_called_as_a_tool(
    hub: WorkingHub, connect: Connect, token: str, through: str | None, uri: str
) -> None:
    call = {"name": "library_resources", "arguments": {"uri": uri}}
    async with connect(token=token) as client:
        if through is None:
            refused = await client.call_tool("library_resources", {"uri": uri})
        else:
            refused = await client.call_tool(through, call)
        unknown = await client.call_tool("library_nothing", {"uri": uri})

    async with hub.database.reading() as tx:
        rows = (await tx.scalars(select(InvocationRow).where(InvocationRow.state == "SUCCEEDED"))).all()
    assert refused.is_error
    assert "There is no tool 'library_resources' here" in str(refused.content)
    assert unknown.is_error
    assert [row for row in rows if row.tool_name == "library_resources"] == []


async def test_a_client_hears_when_what_it_may_read_has_changed(
    hub: WorkingHub, token: str, library: str, address: str
) -> None:
    async with (
        entered(address, token) as client,
        client.listen(resources_list_changed=True, prompts_list_changed=True) as stream,
    ):
        before = len((await client.list_resources()).resources)
        await connect_library(hub, library, "archive")
        heard = {type(await anext(aiter(stream))), type(await anext(aiter(stream)))}
        after = len((await client.list_resources()).resources)

    assert heard == {ResourcesListChanged, PromptsListChanged}
    assert after > before


async def test_an_address_compared_with_all_that_a_server_lists_keeps_nobody_waiting(
    hub: WorkingHub, token: str
) -> None:
    assert token
    templates = [{"uriTemplate": "{+a}x" * 8 + f"!{number:04d}x", "name": "Anything."} for number in range(1000)]
    await lists_also(hub, "library", {"templates": templates})
    async with hub.database.reading() as tx:
        reader = await find(tx, "reader")
    caller = Caller(actor=reader, on_behalf_of=hub.people["requester"], scopes=SCOPES, client_id=reader.id)
    there = await offered(EVERYTHING, caller, hub.runtime)
    reading, turns = asyncio.ensure_future(there.find(f"library+{'x' * 1990}")), 0
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1

    assert isinstance(reading.exception(), NotFound)
    assert turns >= 10
    assert (await news_of([f"library+{'x' * 1990}"], server=EVERYTHING, caller=caller, runtime=hub.runtime)).times == {}
