"""Resources: five tools from a model, with guards, previews, undo and lookups that hold on a real system."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from upstream.classes import class_a
from upstream.fixtures import Upstream

from connectors.sdk import (
    BadDeclaration,
    Connector,
    Context,
    Effect,
    Guard,
    Preview,
    Refused,
    Resource,
    Reversal,
    SafeRule,
    Tier,
    UpstreamClass,
)
from connectors.sdk.run import Done, Failed, Found, NotFoundYet, PhaseCall, PhaseResult, Previewed, run_phase
from connectors.sdk.vocabulary import Phase
from connectors.sdk.wire import WireRequest, WireResponse
from connectors.sdk.workbench import Workbench

pytestmark = pytest.mark.anyio

Json = Any

ENTRY = class_a.entry


class Item(BaseModel):
    """Something in stock."""

    id: Annotated[int, Field(ge=1, le=2**31, description="The item's number")]
    name: Annotated[str, Field(max_length=80)]
    quantity: int
    version: int


class Ticket(BaseModel):
    """A request for help."""

    id: int
    title: str
    reference: str


class Deal(BaseModel):
    """A deal, with a field that may be empty."""

    id: str
    title: str
    owner: str | None = None
    revision: int = 0


def stock(**options: Any) -> Connector:  # noqa: ANN401  # what a resource takes
    made = Connector("stock", version="1.0.0", description="Stock.", safe=[SafeRule(method="GET")], entry=ENTRY)
    usual: dict[str, Any] = {"path": "/items", "key": "id", "guard": "version", "writable": {"quantity", "name"}}
    made.resource("item", Item, **{**usual, "searchable": {"name"}, "items": "/items", **options})
    return made


@pytest.fixture
async def bench(upstream: Upstream, anyio_backend: str) -> AsyncIterator[Workbench]:
    del anyio_backend
    made = stock()
    made.resource(
        "ticket",
        Ticket,
        path="/tickets",
        key="id",
        writable={"title"},
        external_id="reference",
        items="/tickets",
        verbs={"create"},
    )
    headers = {"authorization": f"Bearer {upstream.token}"}
    async with Workbench(made, upstream.base_url, headers=headers) as bench:
        yield bench


def previewed(result: PhaseResult) -> Preview:
    assert isinstance(result, Previewed), result
    return result.preview


PENCIL = {"id": 1, "name": "pencil", "quantity": 10, "version": 1}


async def test_records_are_read_and_found(bench: Workbench) -> None:
    assert await bench.read("item_get", id=1) == Done(output=PENCIL)
    assert await bench.read("item_find", name="pen") == Done(output={"items": [PENCIL]})
    assert await bench.read("item_find", name="none") == Done(output={"items": []})


async def test_an_update_is_previewed_guarded_and_undone(bench: Workbench, upstream: Upstream) -> None:
    preview = previewed(await bench.preview("item_update", id=1, quantity=7))
    assert preview.changes[0].before == PENCIL
    assert preview.changes[0].after == {"id": 1, "name": "pencil", "quantity": 7}
    assert preview.preconditions[0].token == '"1"'

    done = await bench.commit("item_update", preview, id=1, quantity=7)
    assert done == Done(output={**PENCIL, "quantity": 7, "version": 2})

    stale = await bench.commit("item_update", preview, id=1, quantity=8)
    assert isinstance(stale, Failed)
    assert stale.code == "upstream_conflict"

    undo = bench.connector.spec.operation("item_update").compensation
    assert undo is not None
    back = undo.arguments_for({"input": {"id": 1, "quantity": 7}, "output": {}, "before": [preview.changes[0].before]})
    assert back == {"id": 1, "name": "pencil", "quantity": 10}
    assert len(upstream.store.effects()) == 1


async def test_a_delete_is_guarded(bench: Workbench, upstream: Upstream) -> None:
    preview = previewed(await bench.preview("item_delete", id=1))

    upstream.store.rows("UPDATE item SET version = 2 WHERE id = 1")
    stale = await bench.commit("item_delete", preview, id=1)
    fresh = previewed(await bench.preview("item_delete", id=1))
    gone = await bench.commit("item_delete", fresh, id=1)

    assert isinstance(stale, Failed)
    assert gone == Done(output={"key": "1"})
    assert [effect.kind for effect in upstream.store.effects()] == ["item.delete"]


async def test_a_create_carries_our_reference_and_is_found_by_it(bench: Workbench) -> None:
    preview = previewed(await bench.preview("ticket_create", title="broken"))
    assert preview.changes[0].target == "ticket/new"
    assert preview.changes[0].unknown == ("id", "reference")
    lookup = PhaseCall(
        operation="ticket_create", phase=Phase.LOOKUP, arguments={"title": "broken"}, idempotency_key="k1"
    )

    assert await bench.run(lookup) == NotFoundYet()
    done = await bench.commit("ticket_create", preview, key="k1", title="broken")

    assert isinstance(done, Done)
    assert done.output == {"id": 1, "title": "broken", "reference": "k1"}
    assert await bench.run(lookup) == Found(output=done.output)


class Line:
    """A transport at whose other end stands one record, with an ETag if it is to have one."""

    def __init__(self, record: Mapping[str, Json], **headers: str) -> None:
        self.sent: list[WireRequest] = []
        self._record = record
        self._headers = headers

    async def send(self, request: WireRequest) -> WireResponse:
        """Keep the request and answer the record."""
        import json

        self.sent.append(request)
        return WireResponse(status=200, headers=self._headers, body=json.dumps(self._record))


DEAL = {"id": "d/7", "title": "a", "owner": None, "revision": 3}


def deals(**options: Any) -> Connector:  # noqa: ANN401  # what a resource takes
    made = Connector("crm", version="1.0.0", description="Deals.", safe=[SafeRule(method="GET")], entry=ENTRY)
    made.resource("deal", Deal, **{"path": "/deals", "key": "id", "writable": {"title", "owner"}, **options})
    return made


async def update(made: Connector, line: Line) -> PhaseResult:
    """Preview and commit a new title of the deal."""
    arguments = {"id": "d/7", "title": "b"}
    result = await run_phase(made, PhaseCall(operation="deal_update", phase=Phase.PREVIEW, arguments=arguments), line)
    if not isinstance(result, Previewed):
        return result
    preview = result.preview
    guard = {one.target: one.token for one in preview.preconditions}
    before = {change.target: dict(change.before or {}) for change in preview.changes}
    call = PhaseCall(operation="deal_update", phase=Phase.COMMIT, arguments=arguments, guard=guard, before=before)
    return await run_phase(made, call, line)


async def test_an_etag_goes_back_as_the_system_wrote_it() -> None:
    line = Line(DEAL, etag='W/"abc"')

    assert isinstance(await update(deals(guard=Guard()), line), Done)

    assert [request.path for request in line.sent] == ["/deals/d%2F7"] * 2
    assert line.sent[1].headers["if-match"] == 'W/"abc"'
    assert line.sent[1].body == '{"title": "b"}'


async def test_an_answer_without_an_etag_makes_no_preview() -> None:
    result = await update(deals(guard=Guard()), Line(DEAL))

    assert isinstance(result, Failed)
    assert result.code == "upstream_unreadable"


async def test_a_version_goes_back_in_the_body() -> None:
    line = Line(DEAL)

    assert isinstance(await update(deals(guard=Guard("revision", sent="body")), line), Done)

    assert "if-match" not in line.sent[1].headers
    assert line.sent[1].body == '{"title": "b", "revision": 3}'


async def test_a_put_sends_the_whole_of_what_may_be_written() -> None:
    line = Line({**DEAL, "owner": "olive"})

    assert isinstance(await update(deals(update_with="PUT"), line), Done)

    assert (line.sent[1].method, line.sent[1].body) == ("PUT", '{"title": "b", "owner": "olive"}')


def test_the_classes_and_the_undo_are_what_the_system_allows() -> None:
    guarded, plain, referenced = deals(guard=Guard()).spec, deals().spec, deals(external_id="external_ref").spec

    assert [one.name for one in plain.operations] == [
        "deal_find",
        "deal_get",
        "deal_create",
        "deal_update",
        "deal_delete",
    ]
    assert [one.upstream_class for one in guarded.operations[2:]] == [UpstreamClass.D, UpstreamClass.B, UpstreamClass.B]
    assert [one.upstream_class for one in plain.operations[2:]] == [UpstreamClass.D] * 3
    assert referenced.operation("deal_create").upstream_class is UpstreamClass.C
    assert [one.effect for one in plain.operations[2:]] == [Effect.CREATE, Effect.UPDATE, Effect.DELETE]
    assert plain.operation("deal_create").reversal is Reversal.EXACT
    # an owner that was empty cannot be restored: an argument cannot be null
    assert plain.operation("deal_update").reversal is Reversal.PARTIAL
    assert plain.operation("deal_update").residue == ("owner",)
    assert stock().spec.operation("item_update").reversal is Reversal.EXACT


def test_what_is_left_out_is_no_tool_and_undoes_nothing() -> None:
    spec = deals(verbs={"get", "create"}, tiers={"create": Tier.CRITICAL}, data_classes={"contact"}).spec

    assert [one.name for one in spec.operations] == ["deal_get", "deal_create"]
    assert spec.operation("deal_create").compensation is None
    assert spec.operation("deal_create").tier is Tier.CRITICAL
    assert spec.operation("deal_create").data_classes == ("contact",)


def test_the_schemas_are_those_of_the_model() -> None:
    spec = stock().spec

    create = spec.operation("item_create").input_schema
    assert create["required"] == ["name", "quantity"]
    assert create["properties"]["name"] == {"maxLength": 80, "type": "string"}
    update = spec.operation("item_update").input_schema
    assert update["required"] == ["id"]
    assert update["properties"]["id"]["description"] == "The item's number"
    assert update["properties"]["id"]["maximum"] == 2**31
    assert list(spec.operation("item_find").output_schema["properties"]) == ["items"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"key": "number"}, "Item has no field number"),
        ({"writable": {"name", "price"}}, "Item has no field price"),
        ({"guard": "etag"}, "Item has no field etag"),
        ({"writable": {"version"}}, "version cannot be writable"),
        ({"writable": set()}, "say which fields are writable"),
        ({"path": "items"}, "path starts with a slash"),
        ({"verbs": {"update"}, "external_id": "name"}, "name cannot be writable"),
    ],
)
def test_a_contradictory_resource_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadDeclaration, match=reason):
        stock(**options)


async def test_an_author_attaches_a_check_and_calls_the_reads(bench: Workbench) -> None:
    made = Connector("crm", version="1.0.0", description="Deals.", safe=[SafeRule(method="GET")], entry=ENTRY)
    resource: Resource[Item] = made.resource(
        "item", Item, path="/items", key="id", guard="version", writable={"quantity"}, verbs={"get", "update"}
    )

    @resource.update.check
    async def _(context: Context, id: int) -> None:  # noqa: A002  # the argument's name is the tool's contract
        if (await resource.get(context, id)).quantity > 5:
            raise Refused("There are enough.")

    bench.connector = made
    refused = await bench.check("item_update", id=1, quantity=7)

    assert isinstance(refused, Failed)
    assert refused.message == "There are enough."
