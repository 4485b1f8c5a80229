"""Carrying out the operations of an OData service: reads, previews, one commit, and what became of it."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from connectors.odata import queries
from connectors.odata.activation import REFUSED_LATE, activated_create, activated_update
from connectors.odata.addresses import aliased, function_path, record_path, set_path
from connectors.odata.answers import fitted, next_query
from connectors.odata.drafts import LIVE_UNSAID, NOT_RUN, UNTRIED, tried_create, tried_update
from connectors.odata.edm import in_body
from connectors.odata.shaping import ACTIVE, made_body
from connectors.odata.tools import CLEAR
from connectors.odata.wire import Service
from connectors.openapi.document import as_list, as_object
from connectors.sdk.errors import Accepted, ConnectorError, NotFound, Refused
from connectors.sdk.preview import Blast, Change, Precondition, Preview
from connectors.sdk.run import (
    CONNECTOR_BROKEN,
    PHASE_MISSING,
    UNKNOWN_OPERATION,
    Done,
    Failed,
    Found,
    NotFoundYet,
    Observed,
    PhaseCall,
    PhaseResult,
    Previewed,
)
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Phase
from connectors.sdk.wire import Transport

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

_MOST_PAGES: Final = 50
_NEW: Final = "new"
_UNKNOWN: Final = "What the action does is not known beforehand; the record is shown as it is now."
_OURS: Final = uuid.UUID("6f4a2f86-2e0c-5d8e-9a53-5f3a1c7d0b11")
"""The namespace of the keys that are made of our references (RFC 9562 section 5.5)."""


async def carry_out(spec: ConnectorSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
    """Run the phase that `call` names of an operation that `compile_metadata` made."""
    try:
        operation = spec.operation(call.operation)
    except KeyError:
        return Failed(code=UNKNOWN_OPERATION, message=f"{spec.name} has no operation {call.operation!r}.")
    try:
        return await _in_phase(_Run(operation, call, Service(transport)), operation, call)
    except ConnectorError as error:
        return Failed(code=error.code, message=error.message)


async def _in_phase(run: "_Run", operation: OperationSpec, call: PhaseCall) -> PhaseResult:
    is_read = operation.effect is Effect.READ
    match call.phase:
        case Phase.READ if is_read:
            return Done(output=await run.read())
        case Phase.PREVIEW if not is_read:
            return Previewed(preview=await run.preview())
        case Phase.COMMIT if not is_read:
            return await run.commit()
        case Phase.OBSERVE if operation.observable:
            return Observed(records=await run.observe())
        case Phase.LOOKUP if run.reference:
            return await run.look_up()
        case _:
            return Failed(code=PHASE_MISSING, message=f"{call.operation} has no {call.phase}.")


class _Run:
    """One phase of one operation."""

    def __init__(self, operation: OperationSpec, call: PhaseCall, service: Service) -> None:
        self._operation = operation
        self._binding = operation.binding
        self._call = call
        self._arguments = call.arguments
        self._service = service
        self._target = as_object(operation.binding.get("target"))
        self._draft = as_object(self._target.get("draft"))
        self._is_by_draft = bool(operation.binding.get("by_draft"))
        self._kind = str(operation.binding["kind"])
        self.reference = as_list(operation.binding.get("reference"))

    async def read(self) -> Object:
        """Return what is there."""
        match self._kind:
            case "find":
                return await self._find()
            case "get":
                query = queries.reading(self._binding, self._arguments)
                answer, _ = await self._service.record(record_path(self._target, self._arguments), query)
                return self._output(answer)
            case "function":
                query = aliased(self._binding["parameters"], self._arguments)
                return self._returned(await self._service.get(self._call_path(), query))
            case _:
                return self._returned(await self._service.post(self._call_path(), self._parameters(), is_safe=True))

    async def _find(self) -> Object:
        path, limit = set_path(self._target), queries.limit_of(self._arguments)
        answer = await self._service.get(path, queries.query_of(self._binding, self._arguments))
        records, further = as_list(answer.get("value")), next_query(answer, self._target["set"])
        for _ in range(_MOST_PAGES):
            if not further or len(records) > limit:
                break
            answer = await self._service.get(path, raw_query=further)
            records, further = [*records, *as_list(answer.get("value"))], next_query(answer, self._target["set"])
        more = len(records) > limit or bool(further)
        return self._output({"records": records[:limit], "more": more})

    async def preview(self) -> Preview:
        """Return what the write would do, tried on a draft where there are drafts."""
        match self._kind:
            case "create":
                preview = await self._previewed_create()
            case "update":
                preview = await self._previewed_update()
            case "delete":
                before, etag = await self._found()
                preview = Preview.delete(self._name(), before, fidelity=Fidelity.SIMULATED)
                preview = self._guarded(preview, before, etag)
            case _:
                preview = await self._previewed_action()
        return preview

    async def _previewed_create(self) -> Preview:
        body, unknown = self._body(), self._operation.volatile
        await self._refuse_taken_key()
        if "new" not in self._draft:
            given = {name: value for name, value in self._record(body).items() if name not in unknown}
            return Preview.create(self._name(), given, unknown=unknown, not_covered=self._not_covered(UNTRIED))
        after = self._record(await tried_create(self._service, self._target, body))
        notes = self._not_covered(NOT_RUN)
        return Preview.create(self._name(), after, unknown=unknown, fidelity=Fidelity.EXECUTED, not_covered=notes)

    def _not_covered(self, first: str) -> tuple[str, ...]:
        """Return what no preview can know of a write where there are drafts; nothing where there are none."""
        if not self._draft:
            return ()
        return (first, REFUSED_LATE if self._is_by_draft else LIVE_UNSAID)

    async def _refuse_taken_key(self) -> None:
        """Return if no record has the key that the caller gives the new one."""
        if not all(key["argument"] in self._arguments for key in self._target["key"].values()):
            return
        try:
            await self._service.record(record_path(self._target, self._arguments))
        except NotFound:
            return
        raise Refused(f"{self._name()} is there already.")

    async def _previewed_update(self) -> Preview:
        before, etag = await self._found()
        body, unknown = self._body(), self._operation.volatile
        if not body:
            raise Refused("Say at least one field to change. Nothing was sent.")
        if "edit" not in self._draft:
            after = {**before, **self._record(body)}
            after = {name: value for name, value in after.items() if name not in self._arguments.get(CLEAR, [])}
            notes, fidelity = self._not_covered(UNTRIED), Fidelity.SIMULATED
        else:
            tried = await tried_update(self._service, self._target, self._arguments, body, etag=etag)
            after, notes, fidelity = self._record(tried), self._not_covered(NOT_RUN), Fidelity.EXECUTED
        after = {name: value for name, value in after.items() if name not in unknown}
        change = Change(target=self._name(), effect=Effect.UPDATE, before=before, after=after, unknown=unknown)
        preview = Preview(changes=(change,), blast=Blast(rows=1), fidelity=fidelity, not_covered=notes)
        return self._guarded(preview, before, etag)

    async def _previewed_action(self) -> Preview:
        if not self._target:
            change = Change(target=self._call_path()[:200], effect=self._operation.effect, after=dict(self._arguments))
            return Preview(changes=(change,), fidelity=Fidelity.CONTRACT, not_covered=(_UNKNOWN,))
        before, etag = await self._found()
        is_new = self._operation.effect is Effect.CREATE
        change = Change(
            target=self._name(),
            effect=self._operation.effect,
            before=None if is_new else before,
            after=dict(self._arguments) if is_new else {},
            unknown=() if is_new else tuple(before),
        )
        preview = Preview(changes=(change,), blast=Blast(rows=1), fidelity=Fidelity.CONTRACT, not_covered=(_UNKNOWN,))
        return self._guarded(preview, before, etag)

    def _guarded(self, preview: Preview, before: Object, etag: str) -> Preview:
        """Return the preview with its guard: the service's own, else what the record held, which the hub compares."""
        if etag:
            guard = Precondition(target=self._name(), token=etag)
        else:
            content = json.dumps(before, sort_keys=True, default=str).encode()
            guard = Precondition(target=self._name(), token=hashlib.sha256(content).hexdigest(), strength="weak")
        return preview.model_copy(update={"preconditions": (guard,)})

    async def commit(self) -> PhaseResult:
        """Send the write, once."""
        etag = self._etag()
        if self._binding.get("has_versions") and not etag:
            what = f"{self._operation.name} is sent only with the version that its preview found."
            return Failed(code=CONNECTOR_BROKEN, message=what)
        try:
            return Done(output=await self._sent(etag))
        except Accepted as accepted:
            return Done(output={}, findings=(accepted.message,))

    async def _sent(self, etag: str) -> Object:
        match self._kind:
            case "create" if self._is_by_draft:
                return self._output(await activated_create(self._service, self._target, self._body()))
            case "update" if self._is_by_draft:
                body = self._body()
                sent = activated_update(self._service, self._target, self._arguments, body, etag=etag)
                return self._output(await sent)
            case "create":
                body = {**self._body(), **self._own_key()}
                if self._draft:
                    body[ACTIVE] = True
                return self._output(await self._service.post(set_path(self._target), body))
            case "update":
                path = record_path(self._target, self._arguments)
                return self._output(await self._service.patch(path, self._body(), etag=etag))
            case "delete":
                await self._service.delete(record_path(self._target, self._arguments), etag=etag)
                return {"deleted": True}
            case _:
                return self._returned(await self._service.post(self._call_path(), self._parameters(), etag=etag))

    def _etag(self) -> str:
        """Return the service's own version of the record, if the preview found one."""
        token = self._call.guard.get(self._name(), "")
        return token if token.startswith(('"', 'W/"')) else ""

    def _own_key(self) -> Object:
        """Return the key in which our reference is left, so that a create whose answer is lost can be found."""
        if not self.reference or self._call.idempotency_key is None:
            return {}
        return {self.reference[0]: str(uuid.uuid5(_OURS, self._call.idempotency_key))}

    async def look_up(self) -> PhaseResult:
        """Return the record that a commit with this key has made."""
        try:
            record, _ = await self._service.record(record_path(self._target, self._own_key()))
        except NotFound:
            return NotFoundYet()
        return Found(output=self._output(record))

    async def observe(self) -> dict[str, Object | None]:
        """Return the record as it is after the commit; a record that is gone is None."""
        arguments = {**as_object(self._call.output), **self._arguments}
        try:
            record, _ = await self._service.record(record_path(self._target, arguments))
        except NotFound:
            return {self._name(): None}
        except Refused:  # its answer did not say the key
            return {}
        return {self._name(): self._record(record)}

    async def _found(self) -> tuple[Object, str]:
        record, etag = await self._service.record(record_path(self._target, self._arguments))
        return self._record(record), etag

    def _name(self) -> str:
        """Return what people call the record; a key that nobody can know yet is called new."""
        if not self._target:
            return self._call_path()[:200]
        key = [self._arguments.get(one["argument"], _NEW) for one in self._target["key"].values()]
        return f"{self._target['set']}/{'/'.join(str(one) for one in key)}"[:200]

    def _body(self) -> Object:
        cleared = as_list(self._arguments.get(CLEAR)) if self._kind == "update" else []
        return {**made_body(self._binding["body"], self._arguments), **dict.fromkeys(cleared)}

    def _call_path(self) -> str:
        start = record_path(self._target, self._arguments) if self._target else ""
        name = self._binding["path"]
        return start + (function_path(name, [*self._binding["parameters"]]) if self._kind == "function" else f"/{name}")

    def _parameters(self) -> Object:
        return {
            name: _parameter(one, self._arguments[one["argument"]])
            for name, one in self._binding["parameters"].items()
            if one["argument"] in self._arguments
        }

    def _record(self, answer: Object) -> Object:
        return as_object(fitted(self._binding["record"], answer))

    def _output(self, answer: Object) -> Object:
        return as_object(fitted(self._operation.output_schema, answer))

    def _returned(self, answer: Object) -> Object:
        """Return what an operation returns: a record, or a list or a value, which stand under `value`."""
        schema = self._operation.output_schema
        if "records" in as_object(schema.get("properties")):
            return as_object(fitted(schema, {"records": answer.get("value", [])}))
        return as_object(fitted(schema, answer))


def _parameter(made: Mapping[str, Json], value: Json) -> Json:
    if made.get("is_list"):
        return [in_body(made["edm"], one) for one in as_list(value)]
    return in_body(made["edm"], value)
