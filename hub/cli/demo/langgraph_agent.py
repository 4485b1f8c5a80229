"""The demo's agent: LangGraph over MCP with a scripted chat model, in an environment of its own.

It reads one order per line from standard input and writes what it does as JSON lines to standard output:

    in   {"url": URL, "run": NAME}                               once: where the hub is
    in   {"task": NAME, "thread": NAME, "token": TOKEN}          then a task, in a conversation it may remember
    out  {"event": "tools", "names": [...]}                      once, with the first task
    out  {"event": "call", "tool": ..., "arguments": {...}}      each call as it is made
    out  {"event": "result", "tool": ..., "is_error": ..., "text": [...], "structured": {...}}
    out  {"event": "answer", "text": ...}                        what the agent says when the task is done

The model is scripted, so that no key is needed and every run is the same. It does what a model would: it sees nothing
but the conversation, and decides from the texts in it.
"""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.interceptors import MCPToolCallRequest
from langchain_mcp_adapters.tools import load_mcp_tools
from langgraph.checkpoint.memory import InMemorySaver
from mcp import ClientSession
from mcp.types import CallToolResult

MOST_LOOKS = 30
WAIT_SECONDS = 4
INVOCATION = re.compile(r"\binv_[0-9a-z]+")

Json = Any
Asked = tuple[str, dict[str, Json]]
Script = Generator[Asked, ToolMessage, str]


# ------------------------------------------------------------------------------------------------ what the model does
def look_around(_earlier: Sequence[ToolMessage]) -> Script:
    """Find a customer and read it."""
    found = facts((yield "party_find", {"text": "Bluebird"}))
    party = facts((yield "party_get", {"party_id": found["parties"][0]["id"]}))
    ways = ", ".join(f"{way['type']} {way['value']}" for way in party["contacts"])
    return f"{party['name']} can be reached by {ways}."


def slip(_earlier: Sequence[ToolMessage]) -> Script:
    """Call a tool with arguments that make no sense, as models sometimes do."""
    refused = yield "party_contact_update", {"contact_id": "three", "colour": "red"}
    return f"The hub refused my call: {said(refused)}"


def correct_contact(_earlier: Sequence[ToolMessage]) -> Script:
    """Change an e-mail address: a medium write, which goes by itself."""
    found = facts((yield "party_find", {"text": "Bluebird"}))
    party = facts((yield "party_get", {"party_id": found["parties"][0]["id"]}))
    email = next(way for way in party["contacts"] if way["type"] == "email")
    wanted = {"contact_id": email["id"], "value": "orders@bluebird-cycles.example"}
    answer = yield "party_contact_update", wanted
    if "value" not in facts(answer):  # a busy machine: it goes on by itself, and is asked about
        return (yield from _until_it_is_over(answer))
    return f"The e-mail address of {party['name']} is now {facts(answer)['value']}."


def quote(_earlier: Sequence[ToolMessage]) -> Script:
    """Propose to quote the first draft sale: a high write."""
    drafts = facts((yield "sale_find", {"stage": "draft"}))
    answer = yield "sale_quote", {"sale_id": drafts["sales"][0]["id"]}
    return said(answer)


def grant_term(_earlier: Sequence[ToolMessage]) -> Script:
    """Propose another payment term for a customer: a high write."""
    found = facts((yield "party_find", {"text": "Cedar"}))
    terms = facts((yield "payment_term_find", {}))["payment_terms"]
    wanted = next(term for term in terms if term["name"] == "Net 10 days")
    answer = yield "party_payment_term_set", {"party_id": found["parties"][0]["id"], "payment_term_id": wanted["id"]}
    return said(answer)


def post_invoice(_earlier: Sequence[ToolMessage]) -> Script:
    """Propose to post a customer's draft invoice: a critical write."""
    found = facts((yield "party_find", {"text": "Osprey"}))
    drafts = facts((yield "invoice_find", {"state": "draft", "party_id": found["parties"][0]["id"]}))
    answer = yield "invoice_post", {"invoice_id": drafts["invoices"][0]["id"]}
    return said(answer)


def look_again(earlier: Sequence[ToolMessage]) -> Script:
    """See what has become of the write that this conversation is about."""
    return (yield from _until_it_is_over(earlier[-1]))


def _until_it_is_over(pending: ToolMessage) -> Script:
    mentioned = INVOCATION.search(said(pending))
    if mentioned is None:
        return f"I cannot tell which invocation this is: {said(pending)}"
    for _ in range(MOST_LOOKS):
        standing = yield "hub_invocation_get", {"id": mentioned[0], "wait_seconds": WAIT_SECONDS}
        if facts(standing).get("status") not in {"running", "pending_approval"}:
            return said(standing)
    return f"It is still not decided: {said(standing)}"


@dataclass(frozen=True)
class Task:
    """What a person asks of the agent, and what the agent says of its reasons; the hub takes both for claims."""

    request: str
    purpose: str
    rationale: str
    script: Callable[[Sequence[ToolMessage]], Script]


TASKS = {
    "look_around": Task("How can we reach Bluebird Cycles?", "Answer a question", "Only reads", look_around),
    "slip": Task("Paint the contact red.", "Show what happens to a slip", "The model confused two tools", slip),
    "correct_contact": Task(
        "Bluebird Cycles has a new address for orders: orders@bluebird-cycles.example.",
        "Keep contacts correct",
        "The customer wrote from the new address and asked for it",
        correct_contact,
    ),
    "quote": Task(
        "Send the first draft sale out as a quotation.",
        "Answer the customer's request for a quotation",
        "The draft is complete, and its prices are those of the list",
        quote,
    ),
    "grant_term": Task(
        "Cedar & Sons pays late. Put them on 10 days.",
        "Shorten the payment term of a late payer",
        "Three of the last five invoices were paid late",
        grant_term,
    ),
    "post_invoice": Task(
        "Post the invoice for Osprey Couriers.",
        "Bill what was delivered",
        "The goods have been delivered and the amounts are checked",
        post_invoice,
    ),
    "look_again": Task("How does it stand now?", "See what became of it", "Some time has passed", look_again),
}


def said(message: ToolMessage) -> str:
    """Return the texts of a tool's answer, without the JSON among them."""
    return " ".join(text for text in _texts(message) if _parsed(text) is None) or " ".join(_texts(message))


def facts(message: ToolMessage) -> dict[str, Json]:
    """Return the JSON in a tool's answer, as a model would read it from the text."""
    return next((parsed for text in _texts(message) if (parsed := _parsed(text)) is not None), {})


def _texts(message: ToolMessage) -> list[str]:
    blocks = [message.content] if isinstance(message.content, str) else message.content
    return [block if isinstance(block, str) else str(block.get("text", "")) for block in blocks]


def _parsed(text: str) -> dict[str, Json] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


class ScriptedModel(BaseChatModel):
    """A chat model that follows the script of the task it was last given; its only memory is the conversation."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Json], **_options: Json) -> "ScriptedModel":
        """Return itself: it knows which tools it wants."""
        del tools
        return self

    def _generate(self, messages: list[BaseMessage], *_rest: Json, **_options: Json) -> ChatResult:
        began = max(at for at, message in enumerate(messages) if isinstance(message, HumanMessage))
        earlier = [message for message in messages[:began] if isinstance(message, ToolMessage)]
        answers = [message for message in messages[began:] if isinstance(message, ToolMessage)]
        reply = _next(TASKS[str(messages[began].name)].script(earlier), answers, call_id=f"call_{len(messages)}")
        return ChatResult(generations=[ChatGeneration(message=reply)])


def _next(script: Script, answers: Sequence[ToolMessage], *, call_id: str) -> AIMessage:
    """Return what the script says after `answers`: it is played from its beginning each time."""
    try:
        asked = next(script)
        for answer in answers:
            asked = script.send(answer)
    except StopIteration as end:
        return AIMessage(content=end.value)
    tool, arguments = asked
    return AIMessage(content="", tool_calls=[{"name": tool, "args": arguments, "id": call_id}])


# --------------------------------------------------------------------------------------------------- how it is driven
class Bearer(httpx.Auth):
    """Signs each request with the token at hand; whoever drives the agent renews it."""

    def __init__(self) -> None:
        self.token = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request


class Teller:
    """Sends each tool call, with what the agent claims about itself, and tells what it returned."""

    def __init__(self, session: ClientSession, run: str) -> None:
        self._session = session
        self._run = run
        self.task = TASKS["look_around"]
        self.thread = ""

    async def __call__(
        self, request: MCPToolCallRequest, _handler: Callable[[MCPToolCallRequest], Awaitable[CallToolResult]]
    ) -> CallToolResult:
        """Call the tool with `_meta`, for which the adapter has no place."""
        tell(event="call", tool=request.name, arguments=request.args)
        claims = {
            "dev.toolhub/run": f"{self._run}/{self.thread}",
            "dev.toolhub/purpose": self.task.purpose,
            "dev.toolhub/rationale": self.task.rationale,
            "dev.toolhub/agent-version": "scripted-1",
        }
        result = await self._session.call_tool(request.name, request.args, meta=claims)
        tell(
            event="result",
            tool=request.name,
            is_error=result.isError,
            text=[block.text for block in result.content if block.type == "text"],
            structured=result.structuredContent,
        )
        return result


def tell(**event: Json) -> None:
    """Write one line for whoever drives the agent."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


async def order() -> dict[str, Json] | None:
    """Return the next order, or None when there will be no more."""
    line = await asyncio.to_thread(sys.stdin.readline)
    return json.loads(line) if line else None


async def main() -> None:
    """Do one task after the other until standard input ends."""
    hub, first = await order(), await order()
    if hub is None or first is None:
        return
    bearer = Bearer()
    bearer.token = first["token"]
    connection = {"transport": "streamable_http", "url": hub["url"], "auth": bearer}
    async with MultiServerMCPClient({"hub": connection}).session("hub") as session:
        teller = Teller(session, hub["run"])
        tools = await load_mcp_tools(session, tool_interceptors=[teller])
        tell(event="tools", names=[tool.name for tool in tools])
        agent = create_agent(ScriptedModel(), tools, checkpointer=InMemorySaver())
        asked: dict[str, Json] | None = first
        while asked is not None:
            bearer.token, teller.thread, teller.task = asked["token"], asked["thread"], TASKS[asked["task"]]
            request = HumanMessage(content=teller.task.request, name=asked["task"])
            memory = {"configurable": {"thread_id": asked["thread"]}, "recursion_limit": 200}
            ended = await agent.ainvoke({"messages": [request]}, memory)
            tell(event="answer", text=str(ended["messages"][-1].content))
            asked = await order()


if __name__ == "__main__":
    asyncio.run(main())
