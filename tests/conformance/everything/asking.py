"""Tools of the test upstream that have to ask their client something first, and one prompt that does."""

import json
from collections.abc import Mapping

import mcp_types as types

from conformance.everything.answers import NOTHING, Answer, Given, Json, Questions, Tells, Tool, completion, form, text

_TEXT: Json = {"type": "string"}
_ROOTS = types.ListRootsRequest()
_OK: Mapping[str, Json] = {"ok": {"type": "boolean"}}
_DEFAULTS: Mapping[str, Json] = {
    "name": {"type": "string", "description": "User name", "default": "John Doe"},
    "age": {"type": "integer", "description": "User age", "default": 30},
    "score": {"type": "number", "description": "User score", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "description": "Verification status", "default": True},
}
_ENUMS: Mapping[str, Json] = {
    "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
    "titledSingle": {
        "type": "string",
        "oneOf": [{"const": f"value{n}", "title": f"Option number {n}"} for n in (1, 2, 3)],
    },
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
    "titledMulti": {
        "type": "array",
        "items": {"anyOf": [{"const": f"value{n}", "title": f"Choice number {n}"} for n in (1, 2, 3)]},
    },
}


def _filled(given: Given, name: str, questions: Mapping[str, types.InputRequest]) -> Answer:
    reply = given.replies.get(name)
    if not isinstance(reply, types.ElicitResult):
        return Questions(asked=questions)
    content = json.dumps(reply.content or {}, sort_keys=True)
    return [text(f"Elicitation completed: action={reply.action}, content={content}")]


async def _elicit(given: Given, tells: Tells) -> Answer:
    del tells
    asked = form(str(given.arguments.get("message", "")), {"response": _TEXT}, ["response"])
    return _filled(given, "user", {"user": asked})


async def _elicit_defaults(given: Given, tells: Tells) -> Answer:
    del tells
    return _filled(given, "user", {"user": form("Please say who you are.", _DEFAULTS)})


async def _elicit_enums(given: Given, tells: Tells) -> Answer:
    del tells
    return _filled(given, "user", {"user": form("Please choose.", _ENUMS)})


async def _sample(given: Given, tells: Tells) -> Answer:
    del tells
    said = _said(given, "model")
    if said is None:
        return Questions(asked={"model": completion(str(given.arguments.get("prompt", "")))})
    return [text(f"LLM response: {said}")]


async def _greet(given: Given, tells: Tells) -> Answer:
    del tells
    filled = given.form("user_name")
    if filled is None:
        return Questions(asked={"user_name": _name("What is your name?")})
    return [text(f"Hello, {filled.get('name', 'stranger')}!")]


async def _capital(given: Given, tells: Tells) -> Answer:
    del tells
    said = _said(given, "capital_question")
    if said is None:
        return Questions(asked={"capital_question": completion("What is the capital of France?")})
    return [text(f"The model says: {said}")]


async def _roots(given: Given, tells: Tells) -> Answer:
    del tells
    reply = given.replies.get("client_roots")
    if not isinstance(reply, types.ListRootsResult):
        return Questions(asked={"client_roots": _ROOTS})
    return [text(f"The client has {len(reply.roots)} roots.")]


async def _with_state(given: Given, tells: Tells) -> Answer:
    del tells
    if given.state == "asked" and given.form("confirm") is not None:
        return [text("state-ok")]
    return Questions(asked={"confirm": form("Please confirm", _OK, ["ok"])}, state="asked")


async def _several(given: Given, tells: Tells) -> Answer:
    del tells
    asked: Mapping[str, types.InputRequest] = {
        "user_name": _name("What is your name?"),
        "greeting": completion("Generate a greeting", longest=50),
        "client_roots": _ROOTS,
    }
    if asked.keys() <= given.replies.keys():
        return [text("Everything was answered.")]
    return Questions(asked=asked, state="several")


async def _in_rounds(given: Given, tells: Tells) -> Answer:
    del tells
    known: Json = json.loads(given.state) if given.state else {}
    if (first := given.form("step1")) is not None:
        known = {"name": first.get("name")}
    if (second := given.form("step2")) is not None and "name" in known:
        return [text(f"{known['name']} likes {second.get('color')}.")]
    if "name" in known:
        asked = form("Step 2: What is your favorite color?", {"color": _TEXT}, ["color"])
        return Questions(asked={"step2": asked}, state=json.dumps(known))
    return Questions(asked={"step1": _name("Step 1: What is your name?")}, state="{}")


async def _as_the_client_can(given: Given, tells: Tells) -> Answer:
    del tells
    asked = dict[str, types.InputRequest]()
    if given.can.sampling is not None:
        asked["sample"] = completion("Say hello", longest=50)
    if given.can.elicitation is not None:
        asked["ask"] = _name("What is your name?")
    if given.replies or not asked:
        return [text("There is no more to ask.")]
    return Questions(asked=asked, state="as-it-can")


async def context(given: Given) -> Answer:
    """Return the text of the prompt that asks, once it has its context."""
    filled = given.form("user_context")
    if filled is None:
        asked = form("What context should the prompt use?", {"context": _TEXT}, ["context"])
        return Questions(asked={"user_context": asked})
    return [text(f"Use the following context: {filled.get('context')}")]


def _name(message: str) -> types.ElicitRequest:
    return form(message, {"name": _TEXT}, ["name"])


def _said(given: Given, name: str) -> str | None:
    reply = given.replies.get(name)
    if not isinstance(reply, types.CreateMessageResult):
        return None
    return reply.content.text if isinstance(reply.content, types.TextContent) else "something that is no text"


def _takes(argument: str) -> Json:
    return {"type": "object", "properties": {argument: _TEXT}, "required": [argument]}


_ROUND = "test_input_required_result"
TOOLS = (
    Tool(name="test_sampling", description="Asks the model.", answer=_sample, schema=_takes("prompt")),
    Tool(name="test_elicitation", description="Asks somebody.", answer=_elicit, schema=_takes("message")),
    Tool(name="test_elicitation_sep1034_defaults", description="Asks with defaults.", answer=_elicit_defaults),
    Tool(name="test_elicitation_sep1330_enums", description="Asks with choices.", answer=_elicit_enums),
    Tool(name="test_streaming_elicitation", description="Asks in a stream.", answer=_greet, schema=NOTHING),
    Tool(name=f"{_ROUND}_elicitation", description="Asks for a name.", answer=_greet),
    Tool(name=f"{_ROUND}_sampling", description="Asks for a capital.", answer=_capital),
    Tool(name=f"{_ROUND}_list_roots", description="Asks for roots.", answer=_roots),
    Tool(name=f"{_ROUND}_request_state", description="Asks, and knows what it asked.", answer=_with_state),
    Tool(name=f"{_ROUND}_multiple_inputs", description="Asks three things.", answer=_several),
    Tool(name=f"{_ROUND}_multi_round", description="Asks twice.", answer=_in_rounds),
    Tool(name=f"{_ROUND}_tampered_state", description="Asks, and checks its state.", answer=_with_state),
    Tool(name=f"{_ROUND}_capabilities", description="Asks what the client can answer.", answer=_as_the_client_can),
)
