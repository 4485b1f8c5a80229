"""What a connector's operations must be like before they are published: portable schemas, bounded numbers, names."""

from collections.abc import Iterator

from connectors.sdk.pointer import resolve
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.core.canonical import canonical_json
from hub.core.errors import HubError, InputError
from hub.registry.names import check_tool_name
from schemas import CompiledSchema, lint_input, lint_output

_MOST_SHOWN = 50


def refuse_unfit(spec: ConnectorSpec) -> None:
    """Let a connector pass whose operations can be published to every client.

    Raises:
        InputError: they cannot; the message lists what to change.
    """
    findings = [f"{operation.name}: {finding}" for operation in spec.operations for finding in _findings(operation)]
    if findings:
        more = f" (and {len(findings) - _MOST_SHOWN} more)" if len(findings) > _MOST_SHOWN else ""
        shown = "; ".join(findings[:_MOST_SHOWN])
        raise InputError(f"The connector {spec.name!r} cannot be registered. {shown}{more}.")


def _findings(operation: OperationSpec) -> Iterator[str]:
    try:
        check_tool_name(operation.name)
        canonical_json(operation.model_dump(mode="json"))
    except HubError as error:
        yield error.message.rstrip(".")
    of_input = lint_input(operation.input_schema)
    yield from (f"input schema {finding}" for finding in of_input)
    yield from (f"output schema {finding}" for finding in lint_output(operation.output_schema))
    if not of_input:
        yield from _findings_in_examples(operation)


def _findings_in_examples(operation: OperationSpec) -> Iterator[str]:
    schema = CompiledSchema(operation.input_schema)
    for number, example in enumerate(operation.examples):
        for pointer, message in schema.violations(dict(example)):
            yield f"example {number + 1} breaks the input schema: {pointer or '/'}: {message}"
    for fact, pointer in operation.facts.items():
        first = pointer.split("/")[1] if "/" in pointer else ""
        if resolve(operation.input_schema.get("properties", {}), f"/{first}") is None:
            yield f"the fact {fact!r} points to {pointer!r}, which is no argument"
