"""Running one phase of one operation inside the process that holds the connector's code."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from connectors.sdk.connector import Connector
from connectors.sdk.context import Circumstances, Context, Receipt
from connectors.sdk.errors import Accepted, ConnectorError, Unknown
from connectors.sdk.faults import first_fault
from connectors.sdk.operations import AnyOperation, Read, Write
from connectors.sdk.preview import Preview
from connectors.sdk.signature import parameters_of
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.vocabulary import PREVIEWING, Phase
from connectors.sdk.wire import Transport

Json = Any
"""Any JSON value."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Replies(_Value):
    """What the client of a read can be asked while it waits, and what it has replied so far.

    `can` are the capabilities that it declares for this very call, as the protocol has them; nobody at all can do
    nothing. `state` is what the system gave along with its questions, and gets back with the replies. `log_level` is
    from which level on the client wants to hear the system's lines of log; None: none of them.
    """

    can: Mapping[str, Json] = {}
    given: Mapping[str, Json] | None = None
    state: str | None = None
    log_level: str | None = None


class PhaseCall(_Value):
    """Which phase of which operation to run, with what. `guard` and `before` come from the approved preview.

    `guard` is `{target: token}`, `before` is `{target: record}`. To observe a commit, `output` is what it answered, or
    None if its answer was lost. A preview that `has_twin` may ask a copy of the system too.
    """

    operation: str
    phase: Phase
    arguments: Mapping[str, Json]
    guard: Mapping[str, str] = {}
    before: Mapping[str, Mapping[str, Json]] = {}
    idempotency_key: str | None = None
    output: Json = None
    has_twin: bool = False
    is_heard: bool = False
    """Whether somebody hears what the system says while it works, such as how far it has come."""
    replies: Replies = Replies()


class Done(_Value):
    """A read or a commit ended well. `findings` are blemishes of the answer, never reasons to call it failed."""

    kind: Literal["done"] = "done"
    output: Json
    findings: tuple[str, ...] = ()


class Previewed(_Value):
    """A preview was made."""

    kind: Literal["previewed"] = "previewed"
    preview: Preview


class Checked(_Value):
    """The connector's own rules have nothing against the write."""

    kind: Literal["checked"] = "checked"


class Found(_Value):
    """A lookup found what the commit created."""

    kind: Literal["found"] = "found"
    output: Json


class NotFoundYet(_Value):
    """A lookup found nothing; the operation's quarantine says when that counts."""

    kind: Literal["not_found_yet"] = "not_found_yet"


class Observed(_Value):
    """The records as they stand after a commit, under the targets of the preview; None where there is none."""

    kind: Literal["observed"] = "observed"
    records: Mapping[str, Mapping[str, Json] | None]


class Failed(_Value):
    """The phase ended with an error: `code` is one of ConnectorError's, or one of those below.

    `rpc_code` is the number of the error of a protocol (JSON-RPC), where the system answered with one.
    """

    kind: Literal["failed"] = "failed"
    code: str
    message: str
    rpc_code: int | None = None


class Asks(_Value):
    """A read cannot go on before its client has replied: `requests` by name, in the protocol's own form.

    Where the client cannot be asked at all, there are no requests, and `needs` are the capabilities that it lacks.
    """

    kind: Literal["asks"] = "asks"
    requests: Mapping[str, Json] = {}
    state: str | None = None
    needs: Mapping[str, Json] = {}


PhaseResult = Done | Checked | Previewed | Found | NotFoundYet | Observed | Asks | Failed
PHASE_RESULT: TypeAdapter[PhaseResult] = TypeAdapter(Annotated[PhaseResult, Field(discriminator="kind")])

UNKNOWN_OPERATION = "unknown_operation"
ARGUMENTS_INVALID = "arguments_invalid"
PHASE_MISSING = "phase_missing"
CONNECTOR_BROKEN = "connector_broken"


class DirectRunner(Protocol):
    """What the entry of a connector with `runs="direct"` names: it does what `run_phase` does, without foreign code."""

    async def __call__(self, spec: ConnectorSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
        """Run the phase that `call` names of an operation of `spec`."""
        ...


class _Stopped(Exception):
    """The phase cannot be run at all."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.failed = Failed(code=code, message=message)


async def run_phase(connector: Connector, call: PhaseCall, transport: Transport) -> PhaseResult:
    """Run the phase that `call` names and return what came of it; errors of any kind are returned as Failed.

    A failed commit is not yet a proof that nothing was done: the broker alone knows what has left.
    """
    try:
        operation = connector.operations[call.operation]
    except KeyError:
        return Failed(code=UNKNOWN_OPERATION, message=f"{connector.name} has no operation {call.operation!r}.")
    spec = operation.spec()
    context = Context(_circumstances(connector, spec, call), transport)
    try:
        return await _PHASES[call.phase](operation, spec, call, context)
    except Exception as error:  # noqa: BLE001  # the door of foreign code: whatever it raises is an answer
        return _answer_to(error, spec, call, context)


async def _read(operation: AnyOperation, spec: OperationSpec, call: PhaseCall, context: Context) -> PhaseResult:
    del spec
    if not isinstance(operation, Read):
        raise _missing(call)
    return _done(operation, await _with_arguments(operation, operation.function, call, context))


async def _commit(operation: AnyOperation, spec: OperationSpec, call: PhaseCall, context: Context) -> PhaseResult:
    del spec
    if not isinstance(operation, Write):
        raise _missing(call)
    return _done(operation, await _with_arguments(operation, operation.function, call, context))


async def _check(operation: AnyOperation, spec: OperationSpec, call: PhaseCall, context: Context) -> PhaseResult:
    del spec
    if not isinstance(operation, Write) or operation.check_function is None:
        raise _missing(call)
    await _with_arguments(operation, operation.check_function, call, context)
    return Checked()


async def _preview(operation: AnyOperation, spec: OperationSpec, call: PhaseCall, context: Context) -> PhaseResult:
    if not isinstance(operation, Write):
        raise _missing(call)
    if operation.preview_function is None:
        nothing = "The connector cannot say what this would change."
        return Previewed(preview=Preview(changes=(), fidelity=spec.fidelity, not_covered=(nothing,)))
    preview = Preview.model_validate(await _with_arguments(operation, operation.preview_function, call, context))
    return Previewed(preview=preview.at_most(spec.fidelity))


async def _lookup(operation: AnyOperation, spec: OperationSpec, call: PhaseCall, context: Context) -> PhaseResult:
    del spec
    if not isinstance(operation, Write) or operation.lookup_function is None:
        raise _missing(call)
    found = await _with_arguments(operation, operation.lookup_function, call, context)
    return NotFoundYet() if found is None else Found(output=_done(operation, found).output)


async def _observe(operation: AnyOperation, spec: OperationSpec, call: PhaseCall, context: Context) -> PhaseResult:
    del spec
    if not isinstance(operation, Write) or operation.observe_function is None:
        raise _missing(call)
    answer = None if call.output is None else operation.signature.result.validate_python(call.output)
    receipt = Receipt(input=call.arguments, answer=answer, before=context.before)
    records = await operation.observe_function(context, receipt)
    return Observed(records=to_jsonable_python(dict(records), by_alias=True))


_PHASES: Mapping[Phase, Callable[[AnyOperation, OperationSpec, PhaseCall, Context], Awaitable[PhaseResult]]] = {
    Phase.READ: _read,
    Phase.CHECK: _check,
    Phase.PREVIEW: _preview,
    Phase.COMMIT: _commit,
    Phase.LOOKUP: _lookup,
    Phase.OBSERVE: _observe,
}


async def _with_arguments(
    operation: AnyOperation, function: Callable[..., Awaitable[object]], call: PhaseCall, context: Context
) -> object:
    try:
        parsed = operation.signature.arguments.model_validate(dict(call.arguments))
    except ValidationError as error:
        raise _Stopped(ARGUMENTS_INVALID, f"{call.operation}: {first_fault(error)}") from error
    values = {name: getattr(parsed, name) for name in parsed.model_fields_set}
    parameters = parameters_of(function)
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        values = {name: value for name, value in values.items() if name in parameters}
    return await function(context, **values)


def _done(operation: AnyOperation, value: object) -> Done:
    try:
        output = operation.signature.result.dump_python(value, mode="json", by_alias=True, warnings="error")
    except PydanticSerializationError:
        finding = f"{operation.name} returned {type(value).__name__}, which is not what it declares."
        return Done(output=to_jsonable_python(value, fallback=repr), findings=(finding,))
    return Done(output=output)


def _answer_to(error: Exception, spec: OperationSpec, call: PhaseCall, context: Context) -> PhaseResult:
    failed = _failed(error, call)
    if call.phase is not Phase.COMMIT or context.unsettled == 0:
        return failed
    if isinstance(error, Accepted) and spec.max_unsafe_requests == 1:
        return Done(output=error.answer, findings=(error.message,))
    if failed.code == Unknown.code:
        return failed
    # Whatever went wrong after a request that was not refused, "not done" would be a guess.
    return Failed(code=Unknown.code, message=f"After a request that may have been carried out: {failed.message}")


def _failed(error: Exception, call: PhaseCall) -> Failed:
    match error:
        case _Stopped():
            return error.failed
        case ConnectorError():
            return Failed(code=error.code, message=error.message)
        case ValidationError():
            what = f"a value breaks its type: {first_fault(error)}"
        case _:
            what = f"its code raised {type(error).__name__}"
    return Failed(code=CONNECTOR_BROKEN, message=f"{call.operation} is broken ({call.phase}): {what}.")


def _missing(call: PhaseCall) -> _Stopped:
    return _Stopped(PHASE_MISSING, f"{call.operation} has no {call.phase}.")


def _circumstances(connector: Connector, spec: OperationSpec, call: PhaseCall) -> Circumstances:
    return Circumstances(
        phase=call.phase,
        operation=call.operation,
        upstream_class=spec.upstream_class,
        arguments=call.arguments,
        guard=call.guard,
        before=call.before,
        idempotency_key=call.idempotency_key,
        is_natural=spec.idempotency is not None and spec.idempotency.kind == "natural",
        is_safe=lambda request: connector.fence.is_safe(request, previewing=call.phase in PREVIEWING),
        rpc=connector.rpc,
        unprocessed=connector.unprocessed,
        has_twin=call.has_twin and call.phase is Phase.PREVIEW,
    )
