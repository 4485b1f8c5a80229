"""What leaves, and when: reads and trial runs outside a commit, one write within it, each by method and path."""

from typing import Any

import pytest
from openapi_recorder import Recorder, imported, run

from connectors.openapi import Compilation
from connectors.sdk.run import Done, Failed, Observed, Previewed
from connectors.sdk.vocabulary import Effect, Fidelity, Phase, UpstreamClass
from connectors.sdk.wire import WireRequest
from sandbox.broker import Stopped

pytestmark = pytest.mark.anyio

Json = Any

DEALS = """
openapi: 3.1.0
info: {title: Deals, version: 1.0.0}
paths:
  /deals/export:
    get: {operationId: triggerExport, responses: {200: {}}}
  /deals/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: getDeal, responses: {200: {content: {application/json: {schema: {type: object}}}}}}
    patch:
      operationId: updateDeal
      parameters:
        - {name: validateOnly, in: query, schema: {type: boolean}}
        - {name: If-Match, in: header, schema: {type: string}}
      requestBody: {content: {application/json: {schema: {properties:
        {stage: {type: string}, amount: {type: number}, lock: {type: integer, readOnly: true}}}}}}
      responses: {200: {content: {application/json: {schema: {type: object}}}}}
    put:
      operationId: replaceDeal
      requestBody: {content: {application/json: {schema: {properties: {stage: {type: string}}}}}}
      responses: {200: {}}
    delete: {operationId: deleteDeal, responses: {204: {}}}
"""


def deals(**words: str) -> Compilation:
    """Import the deals with what their owner says of each operation."""
    actions = "".join(
        f"  - {{target: \"$.paths['/deals/{{id}}'].{method}\", update: {{x-hub: {{expose: true, {word}}}}}}}\n"
        for method, word in words.items()
    )
    return imported(DEALS, f"overlay: 1.1.0\ninfo: {{title: T, version: '1'}}\nactions:\n{actions}")


GUARDED = "preview: {read: getDeal, volatile: [lock]}, guard: etag, dry_run: true"


def is_safe(compilation: Compilation, method: str, path: str, query: str = "", *, previewing: bool = False) -> bool:
    request = WireRequest.model_validate({"method": method, "path": path, "encoded_query": query})
    return compilation.spec.is_safe(request, previewing=previewing)


def test_only_what_is_exposed_and_reads_is_safe() -> None:
    exposed = deals(get="tier: low")

    assert is_safe(exposed, "GET", "/deals/7")
    assert not is_safe(exposed, "GET", "/deals/7/notes")
    assert not is_safe(exposed, "GET", "/other/7")
    assert not is_safe(exposed, "PATCH", "/deals/7")


def test_an_argument_cannot_make_an_action_of_a_read() -> None:
    assert not is_safe(deals(get="tier: low"), "GET", "/deals/export")


def test_a_trial_run_is_safe_in_a_preview_alone_and_only_if_the_query_says_so() -> None:
    exposed = deals(patch="tier: medium, dry_run: true")

    assert is_safe(exposed, "PATCH", "/deals/7", "validateOnly=true", previewing=True)
    assert not is_safe(exposed, "PATCH", "/deals/7", "validateOnly=true")
    assert not is_safe(exposed, "PATCH", "/deals/7", previewing=True)
    assert "validateOnly" not in exposed.spec.operation("update_deal").input_schema["properties"]


@pytest.mark.parametrize("word", ["tier: medium", "dry_run: false"])
def test_that_a_parameter_is_called_dry_run_proves_nothing_until_the_owner_says_so(word: str) -> None:
    exposed = deals(patch=word)
    update = exposed.spec.operation("update_deal")

    assert not is_safe(exposed, "PATCH", "/deals/7", "validateOnly=true", previewing=True)
    assert exposed.spec.safe == ()
    assert update.fidelity is Fidelity.CONTRACT
    assert "validateOnly" not in update.input_schema["properties"], "a commit that validates only would do nothing"


async def test_a_preview_shows_before_and_after_and_the_system_checks_the_rest(recorder: Recorder) -> None:
    exposed = deals(patch=GUARDED)
    recorder.will_answer({"valid": True})
    recorder.will_answer({"id": "7", "stage": "new", "amount": 10.0, "lock": 3}, etag='"v3"')

    result = await run(exposed, recorder, Phase.PREVIEW, "update_deal", {"id": "7", "stage": "won", "amount": "12.50"})

    assert [request.partition(b" HTTP")[0] for request in recorder.requests] == [
        b"PATCH /deals/7?validateOnly=true",
        b"GET /deals/7",
    ]
    assert isinstance(result, Previewed)
    preview = result.preview
    assert preview.fidelity is Fidelity.VALIDATED
    assert preview.changes[0].before == {"id": "7", "stage": "new", "amount": 10.0, "lock": 3}
    assert preview.changes[0].after == {"id": "7", "stage": "won", "amount": 12.5}
    assert [(one.target, one.token) for one in preview.preconditions] == [("deals/7", '"v3"')]


async def test_a_trial_run_that_is_refused_makes_no_preview(recorder: Recorder) -> None:
    recorder.will_answer({"detail": "stage is no stage"}, status=422)

    result = await run(deals(patch="dry_run: true"), recorder, Phase.PREVIEW, "update_deal", {"id": "7", "stage": "x"})

    assert isinstance(result, Failed)
    assert "stage is no stage" in result.message


async def test_a_commit_carries_the_version_that_was_seen(recorder: Recorder) -> None:
    exposed = deals(patch=GUARDED)
    assert exposed.spec.operation("update_deal").upstream_class is UpstreamClass.B

    guard = {"deals/7": '"v3"'}
    await run(exposed, recorder, Phase.COMMIT, "update_deal", {"id": "7", "stage": "won"}, guard=guard)

    assert recorder.line == "PATCH /deals/7"
    assert recorder.headers["if-match"] == '"v3"'


async def test_a_commit_without_the_version_that_was_seen_is_not_sent(recorder: Recorder) -> None:
    result = await run(deals(patch=GUARDED), recorder, Phase.COMMIT, "update_deal", {"id": "7", "stage": "won"})

    assert isinstance(result, Failed)
    assert not recorder.requests


GUARDS = {
    "a member, as a header": ("{read: /lock}", 'if-match: "3"', b'{"stage":"won"}', "PATCH /deals/7"),
    "a member, in the query": (
        "{read: /lock, in: query, name: expected}",
        "",
        b'{"stage":"won"}',
        "PATCH /deals/7?expected=3",
    ),
    "a member, in the body": (
        "{read: /lock, in: body, name: lock}",
        "",
        b'{"stage": "won", "lock": 3}',
        "PATCH /deals/7",
    ),
}


@pytest.mark.parametrize(("guard", "header", "body", "line"), GUARDS.values(), ids=GUARDS)
async def test_a_version_goes_where_the_owner_says(
    recorder: Recorder, guard: str, header: str, body: bytes, line: str
) -> None:
    exposed = deals(patch=f"preview: {{read: getDeal}}, guard: {guard}")

    await run(exposed, recorder, Phase.COMMIT, "update_deal", {"id": "7", "stage": "won"}, guard={"deals/7": "3"})

    assert recorder.line == line
    assert recorder.body == body
    assert header.encode() in recorder.requests[-1]


async def test_a_record_without_a_version_is_not_previewed(recorder: Recorder) -> None:
    recorder.will_answer({})
    recorder.will_answer({"id": "7"})

    result = await run(deals(patch=GUARDED), recorder, Phase.PREVIEW, "update_deal", {"id": "7"})

    assert isinstance(result, Failed)
    assert result.code == "upstream_unreadable"


@pytest.mark.parametrize(("status", "code"), [(404, "upstream_not_found"), (412, "upstream_conflict")])
async def test_what_the_system_says_no_to_is_told_as_what_it_is(recorder: Recorder, status: int, code: str) -> None:
    recorder.will_answer({"detail": "no"}, status=status)

    result = await run(deals(put="tier: medium"), recorder, Phase.COMMIT, "replace_deal", {"id": "7", "stage": "x"})

    assert isinstance(result, Failed)
    assert result.code == code


async def test_a_write_whose_answer_is_no_json_was_accepted_all_the_same(recorder: Recorder) -> None:
    recorder.will_answer(b"<ok/>")

    result = await run(deals(patch="tier: medium"), recorder, Phase.COMMIT, "update_deal", {"id": "7", "stage": "x"})

    assert isinstance(result, Done)
    assert result.findings


async def test_a_read_cannot_be_made_to_write(recorder: Recorder) -> None:
    exposed = deals(patch="tier: medium")
    with pytest.raises(Stopped):
        await _commit_on_a_read_channel(exposed, recorder)

    assert not recorder.requests


async def _commit_on_a_read_channel(exposed: Compilation, recorder: Recorder) -> None:
    operation = exposed.spec.operation("update_deal")
    read = operation.model_copy(update={"effect": Effect.READ})
    disguised = exposed.spec.model_copy(update={"operations": (read,)})
    spec = Compilation(spec=disguised, tools=exposed.tools, refusals=(), findings={}, base_url=exposed.base_url)
    await run(spec, recorder, Phase.READ, "update_deal", {"id": "7", "stage": "x"})


async def test_what_was_deleted_is_observed_as_gone(recorder: Recorder) -> None:
    exposed = deals(delete="preview: {read: getDeal}")
    recorder.will_answer({"detail": "gone"}, status=404)

    result = await run(exposed, recorder, Phase.OBSERVE, "delete_deal", {"id": "7"})

    assert isinstance(result, Observed)
    assert result.records == {"deals/7": None}


WRONG = {
    "a write that is called a read": ("patch", "effect: read", "is never a read"),
    "a write of tier low": ("patch", "tier: low", "never of tier low"),
    "a delete that is not careful": ("delete", "tier: medium", "at least of tier high"),
    "a guard without a preview": ("patch", "guard: etag", "only a preview"),
    "a preview by what is not there": ("patch", "preview: {read: getDale}", "no operation 'getDale'"),
    "a preview by a write": ("patch", "preview: {read: deleteDeal}", "is no read"),
    "a preview that lacks an argument": ("patch", "preview: {read: getDeal, arguments: {x: /input/id}}", "'x'"),
    "a dry run that the API does not have": ("put", "dry_run: true", "no boolean parameter"),
    "an exact undo without arguments": ("delete", "tier: high, undo: {operation: gone}", "no operation 'gone'"),
    "a partial undo without a residue": ("delete", "undo: {operation: replaceDeal}", "what stays behind"),
}


@pytest.mark.parametrize(("method", "word", "reason"), WRONG.values(), ids=WRONG)
def test_what_an_owner_says_wrongly_is_refused_with_the_reason(method: str, word: str, reason: str) -> None:
    compilation = deals(**{method: word})

    assert compilation.spec.operations == ()
    assert reason in compilation.refusals[0].reason


def test_an_owner_may_confirm_less_care_but_the_reason_tells_what_was_inferred() -> None:
    compilation = deals(get="tier: medium", patch="tier: high")
    by_operation = {tool.operation: tool for tool in compilation.tools}

    assert by_operation["PATCH /deals/{id}"].tier_reason.startswith("its owner says so (inferred: medium")
    assert by_operation["GET /deals/{id}"].spec.data_classes == ("confidential",)


async def test_an_answer_is_fitted_to_what_is_declared_and_never_a_reason_to_fail(recorder: Recorder) -> None:
    document = """
openapi: 3.0.3
paths:
  /deals:
    get:
      operationId: listDeals
      responses: {200: {content: {application/json: {schema: {type: array, items: {type: object, properties:
        {id: {type: string}, amount: {type: number}, tags: {type: array, items: {type: string}}}}}}}}}
"""
    overlay = """
overlay: 1.1.0
info: {title: T, version: '1'}
actions: [{target: "$.paths['/deals'].get", update: {x-hub: {expose: true}}}]
"""
    recorder.will_answer([{"id": 7, "amount": "1.5", "tags": None, "more": {"a": 1}}, {"id": "8", "tags": "none"}])

    result = await run(imported(document, overlay), recorder, Phase.READ, "list_deals", {})

    assert isinstance(result, Done)
    assert result.output == {"items": [{"id": "7", "amount": 1.5, "more": {"a": 1}}, {"id": "8"}]}
    assert result.findings == ("/items/1/tags is not what the document says (array), and is left out.",)
