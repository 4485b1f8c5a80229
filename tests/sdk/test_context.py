"""What a function may rely on while it runs, and what becomes of whatever it raises."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from connectors.sdk import (
    Conflict,
    Connector,
    ConnectorError,
    Context,
    Effect,
    Fidelity,
    JsonRpc,
    Preview,
    Refused,
    SafeRule,
    Tier,
    Unknown,
    UpstreamClass,
)
from connectors.sdk.run import PHASE_RESULT, Done, Failed, PhaseCall, PhaseResult, Previewed, run_phase
from connectors.sdk.vocabulary import Phase
from connectors.sdk.wire import WireRequest, WireResponse

pytestmark = pytest.mark.anyio

Json = Any


class Thing(BaseModel):
    """A thing."""

    id: int
    name: str


class Line:
    """A transport at whose other end stands a function."""

    def __init__(self, answer: Json, status: int = 200) -> None:
        self.sent: list[WireRequest] = []
        self._answer = answer
        self._status = status

    async def send(self, request: WireRequest) -> WireResponse:
        """Keep the request and give the answer."""
        self.sent.append(request)
        body = self._answer if isinstance(self._answer, str) else json.dumps(self._answer)
        return WireResponse(status=self._status, headers={}, body=body)


def tryton_like_error(error: Json) -> ConnectorError:
    """Return what a business error in an answer of status 200 means."""
    kind, message = error
    return {"UserError": Refused, "ConcurrencyException": Conflict}.get(kind, Unknown)(message)


def encode(value: Json) -> Json:
    """Return `value` with decimals in the system's own clothes."""
    if isinstance(value, list):
        return [encode(item) for item in value]
    return {"__class__": "Decimal", "decimal": str(value)} if isinstance(value, Decimal) else value


things = Connector(
    "things",
    version="1.0.0",
    description="Things.",
    safe=[SafeRule(method="GET"), SafeRule(method="POST", path="/rpc/", operation="*.read")],
    rpc=JsonRpc(path="/rpc/", error=tryton_like_error, encode=encode),
)


@things.read("thing_get")
async def thing_get(context: Context, id: int) -> Thing:  # noqa: A002  # an argument's name
    """Read a thing."""
    return await context.get(f"/things/{id}", Thing, query={"deep": True, "page": 2, "none": None})


@things.read("thing_read")
async def thing_read(context: Context, id: int) -> Thing:  # noqa: A002  # see thing_get
    """Read a thing by RPC."""
    return await context.rpc("thing.read", id, Decimal("1.50"), returns=Thing)


@things.read("thing_crash")
async def thing_crash(context: Context) -> Thing:
    """Fail."""
    del context
    raise ValueError("the secret is hunter2")


def write(name: str, upstream_class: UpstreamClass, send: Callable[[Context], Any], **options: Json) -> None:
    """Declare a write that does what `send` does."""

    @things.write(name, effect=Effect.UPDATE, tier=Tier.HIGH, upstream_class=upstream_class, **options)
    async def operation(context: Context, name: str = "", size: int = 1) -> Thing:
        """Write a thing."""
        del name, size
        result: Thing = await send(context)
        return result

    @operation.preview
    async def _(context: Context) -> Preview:
        return Preview.update("things/1", {"name": "a", "rank": 1}, context.given("name"), guard=3, unknown=["rank"])

    if upstream_class is UpstreamClass.C:

        @operation.lookup
        async def _(context: Context) -> Thing | None:
            del context


async def post_twice(context: Context) -> Thing:
    await context.post("/things", {}, Thing)
    return await context.post("/things", {}, Thing)


async def denied_later(context: Context) -> Thing:
    await context.post("/things", {}, Thing)
    raise Refused("nothing was done, honestly")


async def crashes_later(context: Context) -> Thing:
    await context.post("/things", {}, Thing)
    raise ZeroDivisionError


async def crashes_before(context: Context) -> Thing:
    del context
    raise ZeroDivisionError


write("plain", UpstreamClass.D, lambda c: c.post("/things", c.given("name", "size"), Thing))
write("clearing", UpstreamClass.D, lambda c: c.post("/things", {"note": None}, Thing))
write("twice", UpstreamClass.D, post_twice, max_unsafe_requests=2)
write("denied_later", UpstreamClass.D, denied_later)
write("crashes_later", UpstreamClass.D, crashes_later)
write("crashes_before", UpstreamClass.D, crashes_before)
write("keyless", UpstreamClass.A, lambda c: c.post("/things", {}, Thing))
write("keyed", UpstreamClass.A, lambda c: c.post("/things", {}, Thing, idempotency_key=c.key))
write("guardless", UpstreamClass.B, lambda c: c.patch("/things/1", {}, Thing))
write("guarded", UpstreamClass.B, lambda c: c.patch("/things/1", {}, Thing, if_match=c.guard["things/1"]))
write("astray", UpstreamClass.B, lambda c: c.patch("/things/1", {}, Thing, if_match=c.guard["things/2"]))
write("unreferenced", UpstreamClass.C, lambda c: c.post("/things", {}, Thing))
write("executed", UpstreamClass.D, lambda c: c.post("/things", {}, Thing), fidelity=Fidelity.CONTRACT)
write("rpc_write", UpstreamClass.D, lambda c: c.rpc("thing.write", 1, returns=Thing))

THING = {"id": 1, "name": "a"}


async def run(operation: str, phase: Phase, line: Line, **arguments: Json) -> PhaseResult:
    """Run a phase as the hub does, with a key and a guard where there would be one."""
    is_commit = phase is Phase.COMMIT
    call = PhaseCall(
        operation=operation,
        phase=phase,
        arguments=arguments,
        guard={"things/1": '"3"'} if is_commit else {},
        idempotency_key="k1" if is_commit else None,
    )
    result = await run_phase(things, call, line)
    assert PHASE_RESULT.validate_json(PHASE_RESULT.dump_json(result)) == result
    return result


def failed(code: str, message: str) -> Failed:
    """Return the failure."""
    return Failed(code=code, message=message)


async def test_values_travel_as_text_and_absent_ones_not_at_all() -> None:
    line = Line(THING)

    result = await run("thing_get", Phase.READ, line, id=1)

    assert result == Done(output=THING)
    assert line.sent[0].query == (("deep", "true"), ("page", "2"))


async def test_given_holds_what_the_caller_gave_and_nothing_else() -> None:
    line = Line(THING)

    await run("plain", Phase.COMMIT, line, name="b")

    assert json.loads(line.sent[0].body or "") == {"name": "b"}


async def test_a_null_that_an_author_writes_is_sent() -> None:
    line = Line(THING)

    await run("clearing", Phase.COMMIT, line)

    assert json.loads(line.sent[0].body or "") == {"note": None}


@pytest.mark.parametrize(
    ("operation", "what"), [("keyless", "context.key"), ("guardless", "context.guard"), ("unreferenced", "context.key")]
)
async def test_a_write_that_does_not_use_what_its_class_rests_on_is_not_sent(operation: str, what: str) -> None:
    line = Line(THING)

    result = await run(operation, Phase.COMMIT, line)

    assert isinstance(result, Failed)
    assert result.code == "upstream_refused"
    assert f"sends nothing of {what}" in result.message
    assert line.sent == []


@pytest.mark.parametrize(
    ("operation", "header", "value"), [("keyed", "idempotency-key", "k1"), ("guarded", "if-match", '"3"')]
)
async def test_a_write_carries_its_key_or_its_guard(operation: str, header: str, value: str) -> None:
    line = Line(THING)

    assert isinstance(await run(operation, Phase.COMMIT, line), Done)
    assert line.sent[0].headers[header] == value


async def test_a_guard_that_nobody_approved_is_an_error_that_says_so() -> None:
    line = Line(THING)

    result = await run("astray", Phase.COMMIT, line)

    message = "The approved preview says nothing about 'things/2'; it speaks of: things/1."
    assert result == failed("upstream_refused", message)
    assert line.sent == []


async def test_a_preview_names_what_it_cannot_know_and_has_no_key() -> None:
    result = await run("plain", Phase.PREVIEW, Line(THING), name="b")

    assert isinstance(result, Previewed)
    (change,) = result.preview.changes
    assert (change.before, change.after, change.unknown) == ({"name": "a", "rank": 1}, {"name": "b"}, ("rank",))
    assert result.preview.preconditions[0].token == "3"


async def test_a_preview_never_claims_more_than_its_write_declares() -> None:
    result = await run("executed", Phase.PREVIEW, Line(THING))

    assert isinstance(result, Previewed)
    assert result.preview.fidelity is Fidelity.CONTRACT


async def test_a_committed_write_with_a_strange_answer_is_done_with_a_finding() -> None:
    result = await run("plain", Phase.COMMIT, Line({"id": 1}), name="b")

    finding = "The system's answer is not what the connector expects: name: Field required."
    assert result == Done(output={"id": 1}, findings=(finding,))


async def test_a_strange_answer_amid_several_writes_leaves_a_doubt() -> None:
    line = Line({"id": 1})

    result = await run("twice", Phase.COMMIT, line)

    assert isinstance(result, Failed)
    assert result.code == "upstream_unknown"
    assert len(line.sent) == 1


@pytest.mark.parametrize("operation", ["denied_later", "crashes_later"])
async def test_no_error_after_an_accepted_write_says_that_nothing_was_done(operation: str) -> None:
    result = await run(operation, Phase.COMMIT, Line(THING))

    assert isinstance(result, Failed)
    assert result.code == "upstream_unknown"
    assert result.message.startswith("After a request that may have been carried out: ")


async def test_a_mistake_before_the_first_write_left_nothing_behind() -> None:
    result = await run("crashes_before", Phase.COMMIT, Line(THING))

    assert isinstance(result, Failed)
    assert result.code == "connector_broken"


async def test_a_strange_answer_to_a_read_changed_nothing() -> None:
    result = await run("thing_get", Phase.READ, Line({"id": 1}), id=1)

    assert isinstance(result, Failed)
    assert result.code == "upstream_unreadable"


async def test_rpc_speaks_the_systems_encoding() -> None:
    line = Line({"id": 1, "result": THING})

    result = await run("thing_read", Phase.READ, line, id=1)

    assert result == Done(output=THING)
    assert line.sent[0].operation == "thing.read"
    sent = json.loads(line.sent[0].body or "")
    assert sent["params"] == [1, {"__class__": "Decimal", "decimal": "1.50"}]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"id": 1, "error": ["UserError", "no"]}, "upstream_refused"),
        ({"id": 1, "error": ["ConcurrencyException", "moved"]}, "upstream_conflict"),
        ({"id": 1, "error": ["ZeroDivisionError", "boom"]}, "upstream_unknown"),
        ({"id": 1}, "upstream_unknown"),
        ([], "upstream_unknown"),
        ("nonsense", "upstream_unknown"),
    ],
)
async def test_an_rpc_error_means_what_the_connector_says_it_means(answer: Json, code: str) -> None:
    result = await run("rpc_write", Phase.COMMIT, Line(answer))

    assert isinstance(result, Failed)
    assert result.code == code


async def test_an_authors_mistake_is_an_answer_without_its_internals() -> None:
    result = await run("thing_crash", Phase.READ, Line(THING))

    assert result == failed("connector_broken", "thing_crash is broken (read): its code raised ValueError.")


@pytest.mark.parametrize(
    ("operation", "phase", "arguments", "code"),
    [
        ("nothing", Phase.READ, {}, "unknown_operation"),
        ("thing_get", Phase.COMMIT, {"id": 1}, "phase_missing"),
        ("plain", Phase.READ, {}, "phase_missing"),
        ("plain", Phase.LOOKUP, {}, "phase_missing"),
        ("plain", Phase.OBSERVE, {}, "phase_missing"),
        ("thing_get", Phase.READ, {"id": "seven"}, "arguments_invalid"),
        ("thing_get", Phase.READ, {"id": 1, "other": 2}, "arguments_invalid"),
    ],
)
async def test_what_cannot_be_run_is_refused_before_anything_is_sent(
    operation: str, phase: Phase, arguments: Mapping[str, Json], code: str
) -> None:
    line = Line(THING)

    result = await run(operation, phase, line, **arguments)

    assert isinstance(result, Failed)
    assert result.code == code
    assert line.sent == []
