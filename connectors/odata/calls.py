"""The tools of actions and functions, bound to a record or standing alone."""

from collections.abc import Sequence
from typing import Any, Final

from connectors.odata import edm
from connectors.odata.inference import of_action, of_function
from connectors.odata.metadata import Import, Metadata, Operation, Property
from connectors.odata.shaping import Shaper, described
from connectors.odata.tools import Drafted, SetTools, Unfit, closed, key_of
from connectors.sdk.vocabulary import Effect, Fidelity, UpstreamClass

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

OF_DRAFTS: Final = frozenset({"draftEdit", "draftPrepare", "draftActivate", "draftNew", "draftResume", "draftDiscard"})


class CallTools:
    """Makes the tools of the operations of one document."""

    def __init__(self, metadata: Metadata, shaper: Shaper) -> None:
        self._metadata = metadata
        self._shaper = shaper

    def unbound(self, imported: Import) -> Drafted:
        """Return the tool of an operation that stands alone.

        Raises:
            Unfit: there can be none.
        """
        return self._tool(imported.operation, imported.name, imported.operation.parameters, None)

    def bound(self, operation: Operation, tools: SetTools) -> Drafted:
        """Return the tool of an operation on one record of a set.

        Raises:
            Unfit: there can be none.
        """
        return self._tool(operation, operation.name, operation.parameters[1:], tools)

    def _tool(self, operation: Operation, path: str, parameters: Sequence[Property], tools: SetTools | None) -> Drafted:
        keys = tools.key_arguments() if tools is not None else {}
        arguments, made, required = self._arguments(operation, parameters, taken={*keys})
        verdict = of_action(operation) if operation.is_action else of_function(operation)
        last = operation.name.rpartition(".")[2]
        owner = f"{tools.target['set']}_" if tools is not None else ""
        binding: Object = {
            "kind": "action" if operation.is_action else "function",
            "path": path,
            "parameters": made,
            "returns": "nothing" if operation.returns is None else "a value",
        }
        if tools is not None:
            binding |= {"target": tools.target, "has_versions": tools.has_versions, "record": tools.record()}
        what = "Call the action" if operation.is_action else "Ask the function"
        return Drafted(
            wanted_name=f"{owner}{last}",
            operation=f"{'POST' if operation.is_action else 'GET'} {owner}{last}",
            verdict=verdict,
            spec={
                "title": f"{owner}{last}"[:120],
                "description": f"{what} {last}. {described(operation.terms)}".strip(),
                "input_schema": closed({**keys, **arguments}, [*keys, *required]),
                "output_schema": self._output(operation),
                "binding": binding,
                **(_care(tools) if verdict.effect is not Effect.READ else {}),
            },
        )

    def _arguments(
        self, operation: Operation, parameters: Sequence[Property], *, taken: set[str]
    ) -> tuple[Object, Object, list[str]]:
        """Return schemas of the arguments, how they go into the request, and which are needed."""
        schemas, made, required = dict[str, Json](), dict[str, Json](), list[str]()
        for one in parameters:
            argument = f"parameter_{one.name}" if one.name in taken else one.name
            schema = edm.schema_of(one.type, is_input=True)
            if schema is None or (one.type.is_collection and not operation.is_action):
                raise Unfit(f"Its parameter {one.name} is of the type {one.type.name}, which cannot be an argument.")
            if one.type.is_collection:
                schema = {"type": "array", "maxItems": 100, "items": schema}
            schemas[argument] = schema
            made[one.name] = {**key_of(one, argument), "is_list": one.type.is_collection}
            if not operation.is_action or not one.type.is_nullable:
                required.append(argument)
        return schemas, made, required

    def _output(self, operation: Operation) -> Object:
        returns = operation.returns
        if returns is None:
            return {"type": "object", "properties": {}}
        structure = self._metadata.structure(returns.name)
        plain = edm.schema_of(returns, is_input=False)
        inner = (
            plain if plain is not None else {"type": "object"} if structure is None else self._shaper.record(structure)
        )
        if returns.is_collection:
            return {"type": "object", "properties": {"records": {"type": "array", "items": inner}}}
        return inner if structure is not None else {"type": "object", "properties": {"value": inner}}


def _care(tools: SetTools | None) -> Object:
    """Return how an action is previewed and guarded: its record is shown, and what becomes of it is not known."""
    is_guarded = tools is not None and tools.has_versions
    return {
        "fidelity": Fidelity.CONTRACT,
        "upstream_class": UpstreamClass.B if is_guarded else UpstreamClass.D,
        "observable": False,
    }
