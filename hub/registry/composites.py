"""Composite tools as values: how an owner declares one, and what its versions know of their steps."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk.declaration import is_effect_assumed as is_assumed_of_server
from connectors.sdk.spec import TOOL_NAME, OperationSpec
from connectors.sdk.vocabulary import Reversal
from hub.registry.values import Environment

Json = Any
"""Any JSON value."""

PREFIX: Final = "composite_"
"""How the connectors are called that composite tools belong to, one an environment; no other may be called so."""
ENTRY: Final = "hub.registry.composites:steps_of"
"""In place of code: no process runs it, and the executor knows nobody of this name."""
MOST_STEPS: Final = 20
_STEPS: Final = "steps"
_ASSUMED: Final = "assumed"

StepName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeclaredStep(_Value):
    """One step: a tool of a connection, and the template of its arguments (see `hub.registry.references`)."""

    name: StepName
    tool: str = Field(pattern=TOOL_NAME)
    connection: str = Field(min_length=1, max_length=48)
    arguments: Mapping[str, Json]


class Declaration(_Value):
    """A composite tool as its owner declares it (`schemas/composite.v1.json`)."""

    name: str = Field(pattern=TOOL_NAME)
    title: str = Field(min_length=1, max_length=120)
    description: str = Field(min_length=1, max_length=1023)
    environment: Environment
    input_schema: Mapping[str, Json]
    examples: tuple[Mapping[str, Json], ...] = ()
    steps: tuple[DeclaredStep, ...] = Field(min_length=2, max_length=MOST_STEPS)


class BoundStep(_Value):
    """A step as a version of a composite tool knows it: bound to one version of its tool, and to one connection."""

    name: str
    tool: str
    connector: str
    connection: str
    connection_id: str
    tool_version_digest: str
    reversal: Reversal
    arguments: Mapping[str, Json]
    is_read: bool = False
    """Whether it only reads: people decide on what it has answered, and it is made again before the plan begins."""

    @property
    def can_be_taken_back(self) -> bool:
        """Whether nothing of it has to stay: its tool declares an undo, or it only reads."""
        return self.is_read or self.reversal is not Reversal.NONE


def connector_of(environment: Environment) -> str:
    """Return the connector to which the composite tools of `environment` belong."""
    return f"{PREFIX}{environment}"


def is_composite(operation: OperationSpec) -> bool:
    """Return whether an operation is made of steps."""
    return _STEPS in operation.binding and operation.binding.get("entry") == ENTRY


def steps_of(operation: OperationSpec) -> tuple[BoundStep, ...]:
    """Return the steps of a composite tool, in their order; of any other there are none."""
    if not is_composite(operation):
        return ()
    return tuple(BoundStep.model_validate(step) for step in operation.binding[_STEPS])


def binding_of(steps: tuple[BoundStep, ...], *, is_assumed: bool) -> dict[str, Json]:
    """Return what an operation made of `steps` is bound to; its digest covers every step's tool version.

    `is_assumed` says that its effect is one that is only assumed of a step.
    """
    assumed = {_ASSUMED: True} if is_assumed else {}
    return {"entry": ENTRY, _STEPS: [step.model_dump(mode="json") for step in steps], **assumed}


def is_effect_assumed(operation: OperationSpec) -> bool:
    """Return whether the effect of an operation is only assumed, as nothing better is known of it or of its steps."""
    return operation.binding.get(_ASSUMED) is True if is_composite(operation) else is_assumed_of_server(operation)
