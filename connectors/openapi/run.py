"""Carrying out an imported operation: reads, previews, one commit, and what became of it; straight to the broker."""

from collections.abc import Mapping
from typing import Any, cast

from connectors.openapi.answers import fitted, read_answer
from connectors.openapi.document import as_object
from connectors.openapi.guards import guarded, refused, token_of
from connectors.openapi.requests import as_numbers, exact, request_for
from connectors.openapi.trials import tried
from connectors.sdk.errors import Accepted, Conflict, ConnectorError, NotFound
from connectors.sdk.pointer import resolve
from connectors.sdk.preview import Blast, Change, Precondition, Preview
from connectors.sdk.run import (
    CONNECTOR_BROKEN,
    PHASE_MISSING,
    UNKNOWN_OPERATION,
    Done,
    Failed,
    Observed,
    PhaseCall,
    PhaseResult,
    Previewed,
)
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.statuses import raise_for_status
from connectors.sdk.vocabulary import Effect, Fidelity, Phase
from connectors.sdk.wire import Transport, WireRequest, WireResponse

Json = Any
"""Any JSON value."""

_ABSENT = "There is no such record, or the account that the hub uses may not see or change it."
_NOT_READ = "What is there now is not read first: no read of the same record is declared."


async def carry_out(spec: ConnectorSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
    """Run the phase that `call` names of an operation that `compile_document` made."""
    try:
        operation = spec.operation(call.operation)
    except KeyError:
        return Failed(code=UNKNOWN_OPERATION, message=f"{spec.name} has no operation {call.operation!r}.")
    run = _Run(operation, call, transport)
    try:
        return await _in_phase(run, operation, call)
    except ConnectorError as error:
        return Failed(code=error.code, message=error.message)


async def _in_phase(run: "_Run", operation: OperationSpec, call: PhaseCall) -> PhaseResult:
    is_read = operation.effect is Effect.READ
    match call.phase:
        case Phase.READ if is_read:
            return await run.read()
        case Phase.PREVIEW if not is_read:
            return Previewed(preview=await run.preview())
        case Phase.COMMIT if not is_read:
            return await run.commit()
        case Phase.OBSERVE if operation.observable:
            return Observed(records=await run.observe())
        case _:
            return Failed(code=PHASE_MISSING, message=f"{call.operation} has no {call.phase}.")


class _Run:
    """One phase of one operation."""

    def __init__(self, operation: OperationSpec, call: PhaseCall, transport: Transport) -> None:
        self._operation = operation
        self._binding = cast("dict[str, Json]", operation.binding)
        self._call = call
        self._transport = transport

    async def read(self) -> PhaseResult:
        """Return what is there."""
        request = request_for(self._binding, self._operation.input_schema, self._call.arguments)
        response = await self._answered(request, is_safe=True)
        output, findings = fitted(read_answer(self._binding, response, is_safe=True), self._operation.output_schema)
        return Done(output=output, findings=findings)

    async def commit(self) -> PhaseResult:
        """Send the write, once."""
        request = request_for(self._binding, self._operation.input_schema, self._call.arguments)
        target = self._target(request)
        if "guard" in self._binding:
            if target not in self._call.guard:
                what = f"{self._operation.name} is sent only with the version that its preview found."
                return Failed(code=CONNECTOR_BROKEN, message=what)
            request = guarded(request, self._binding["guard"], self._call.guard[target])
        if "key_header" in self._binding:
            if self._call.idempotency_key is None:
                return Failed(code=CONNECTOR_BROKEN, message=f"{self._operation.name} is sent only with a key.")
            request = _with_header(request, self._binding["key_header"], self._call.idempotency_key)
        response = await self._answered(request, is_safe=False)
        try:
            answer = read_answer(self._binding, response, is_safe=False)
        except Accepted as accepted:
            return Done(output=accepted.answer, findings=(accepted.message,))
        if refused(self._binding.get("guard", {}), answer):
            raise Conflict("Somebody has changed the record since it was previewed; nothing was written.")
        output, findings = fitted(answer, self._operation.output_schema)
        return Done(output=output, findings=findings)

    async def preview(self) -> Preview:
        """Return what the write would do, as far as the API lets it be seen."""
        request = request_for(self._binding, self._operation.input_schema, self._call.arguments)
        target, given = self._target(request), self._given()
        is_validated = "dry_run" in self._binding
        if is_validated:
            trial = request_for(self._binding, self._operation.input_schema, self._call.arguments, is_dry_run=True)
            await self._answered(trial, is_safe=True)
        reading = self._reading({"input": dict(self._call.arguments)})
        if reading is None:
            preview = _of_contract(self._operation, target, given)
        else:
            response, before = await self._found(reading)
            preview = self._simulated(target, given, before, response)
            if "trial" in self._binding["preview"]:
                preview = self._executed(preview, await self._tried(given))
            preview = preview.model_copy(update={"not_covered": tuple(self._binding["preview"].get("not_covered", ()))})
        fidelity = Fidelity.VALIDATED if is_validated else preview.fidelity
        return preview.model_copy(
            update={"fidelity": min(fidelity, self._operation.fidelity, key=lambda one: one.rank)}
        )

    async def _tried(self, given: Mapping[str, Json]) -> dict[str, Json]:
        """Return the record as the API itself has changed it, in a draft that is gone again."""

        async def send(binding: Mapping[str, Json], request: WireRequest) -> WireResponse:
            return await self._answered(request, is_safe=True, binding=binding)

        declared = self._binding["preview"]
        known = {"input": dict(self._call.arguments), "given": dict(given)}
        return self._record(await tried(declared["trial"], known, send))

    def _executed(self, preview: Preview, after: dict[str, Json]) -> Preview:
        kept = {name: value for name, value in after.items() if name not in self._operation.volatile}
        change = preview.changes[0].model_copy(update={"after": kept})
        return preview.model_copy(update={"changes": (change,), "fidelity": Fidelity.EXECUTED})

    async def observe(self) -> dict[str, dict[str, Json] | None]:
        """Return the record as it is after the commit; a record that is gone is None."""
        request = request_for(self._binding, self._operation.input_schema, self._call.arguments)
        reading = self._reading({"input": dict(self._call.arguments), "output": self._call.output})
        if reading is None:
            return {}
        try:
            _, record = await self._found(reading)
        except NotFound:
            return {self._target(request): None}
        return {self._target(request): record}

    def _reading(self, known: Mapping[str, Json]) -> WireRequest | None:
        """Return the request that reads the record, or None where there is none or what it needs is not known yet."""
        declared = self._binding.get("preview")
        if declared is None:
            return None
        arguments = {name: resolve(known, pointer) for name, pointer in declared["arguments"].items()}
        if any(value is None for value in arguments.values()):
            return None
        return request_for(declared["request"], declared["schema"], arguments)

    async def _found(self, request: WireRequest) -> tuple[WireResponse, dict[str, Json]]:
        declared = self._binding["preview"]
        response = await self._answered(request, is_safe=True, binding=declared["request"])
        return response, self._record(read_answer(declared["request"], response, is_safe=True))

    def _record(self, answer: Mapping[str, Json]) -> dict[str, Json]:
        pointer = self._binding["preview"]["record"]
        record = resolve(answer, pointer) if pointer else answer
        if not isinstance(record, dict):
            raise NotFound("The record is not in the answer of the read that previews it.")
        return {name: value for name, value in cast("dict[str, Json]", record).items() if value is not None}

    def _simulated(
        self, target: str, given: dict[str, Json], before: dict[str, Json], response: WireResponse
    ) -> Preview:
        volatile = self._operation.volatile
        match self._operation.effect:
            case Effect.UPDATE:
                preview = Preview.update(target, before, given, unknown=volatile)
            case Effect.DELETE:
                preview = Preview.delete(target, before)
            case _:
                preview = _of_contract(self._operation, target, given)
        if "guard" not in self._binding:
            return preview
        token = token_of(self._binding["guard"], response, before)
        return preview.model_copy(update={"preconditions": (Precondition(target=target, token=token),)})

    def _given(self) -> dict[str, Json]:
        """Return what is written, under the names of the record and with numbers where the record has them."""
        body, schema = as_object(self._binding.get("body")), self._operation.input_schema
        values = {
            name: as_numbers(exact(value, schema["properties"][name], schema))
            for name, value in self._call.arguments.items()
        }
        if "whole" in body:
            value = values.get(body["whole"], {})
            return cast("dict[str, Json]", value) if isinstance(value, dict) else {"body": value}
        members = cast("dict[str, str]", body.get("members", {}))
        places = as_object(body.get("places"))  # these say which record is meant, and are nothing that is written
        return {theirs: values[ours] for ours, theirs in members.items() if ours in values and theirs not in places}

    def _target(self, request: WireRequest) -> str:
        # Where a condition in the body says which record is meant, its path is that of the read.
        if "places" in as_object(self._binding.get("body")) and self._operation.effect is not Effect.CREATE:
            request = self._reading({"input": dict(self._call.arguments)}) or request
        return (request.path.strip("/") or "/")[:200]

    async def _answered(
        self, request: WireRequest, *, is_safe: bool, binding: Mapping[str, Json] | None = None
    ) -> WireResponse:
        response = await self._transport.send(request)
        if response.status in (self._binding if binding is None else binding).get("absent", ()):
            raise NotFound(_ABSENT)
        raise_for_status(response, is_safe=is_safe)
        return response


def _of_contract(operation: OperationSpec, target: str, given: dict[str, Json]) -> Preview:
    after = (
        None
        if operation.effect is Effect.DELETE
        else {name: value for name, value in given.items() if name not in operation.volatile}
    )
    change = Change(target=target, effect=operation.effect, after=after, unknown=operation.volatile)
    not_covered = () if operation.effect is Effect.CREATE else (_NOT_READ,)
    fidelity = Fidelity.SIMULATED if operation.effect is Effect.CREATE else Fidelity.CONTRACT
    return Preview(changes=(change,), blast=Blast(rows=1), fidelity=fidelity, not_covered=not_covered)


def _with_header(request: WireRequest, name: str, value: str) -> WireRequest:
    return request.model_copy(update={"headers": {**request.headers, name: value}})
