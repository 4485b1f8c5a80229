"""What a connector that speaks MCP declares of a tool, under `dev.toolhub/operation` in the tool's `_meta`.

This is how a connector in any language joins a hub. Beside what an `OperationSpec` says of effect, tier and undo, the
declaration names the tools that carry out a write's other phases; each of them only reads:

| phase | takes | answers, as structured content |
| --- | --- | --- |
| `preview` | the write's own arguments | a `Preview` |
| `observe` | `{"input": arguments, "output": answer or null, "before": records}` | `{"records": records or nulls}` |
| `lookup` | `{"input": arguments, "key": key}` | `{"found": answer or null}` |

Records stand under the targets that the preview names: `{target: record}`. The write itself finds the guard it must
send along, the records the preview had found, and its idempotency key under `dev.toolhub/commit` in the `_meta` of the
call. An error result says in its structured content what may be concluded: `{"code": the code of a ConnectorError,
"message": a sentence}`. The codes, and a whole server as an example, are in the README of the connectors.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Effect, Fidelity

Json = Any
"""Any JSON value."""

OPERATION: Final = "dev.toolhub/operation"
COMMIT: Final = "dev.toolhub/commit"

_TOLD_BY_THE_TOOL: Final = {"name", "title", "description", "input_schema", "output_schema"}
_OUR_OWN: Final = {"spec_version", "binding", "observable", "has_check"}


class Phases(BaseModel):
    """The tools that carry out the other phases of a write, where it has them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preview: str | None = None
    observe: str | None = None
    lookup: str | None = None

    @property
    def tools(self) -> dict[str, str]:
        """Return the tools by phase."""
        return self.model_dump(exclude_none=True)


class Commit(BaseModel):
    """What a commit is bound to beside its arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    guard: Mapping[str, str] = {}
    before: Mapping[str, Mapping[str, Json]] = {}


class Declared(BaseModel):
    """A declaration as it was read: the operation's own fields, and where its phases are."""

    model_config = ConfigDict(frozen=True)

    fields: Mapping[str, Json]
    phases: Phases


def declaration(operation: OperationSpec, phases: Phases) -> dict[str, Json]:
    """Return what is declared of `operation`."""
    fields = operation.model_dump(mode="json", exclude={*_TOLD_BY_THE_TOOL, *_OUR_OWN}, exclude_defaults=True)
    return {**fields, "effect": operation.effect.value, "tier": operation.tier.value, "phases": phases.tools}


def read_declaration(meta: Mapping[str, Json]) -> Declared | None:
    """Return what a tool's `_meta` declares, None if it declares nothing.

    Raises:
        ValueError: it declares what cannot be.
    """
    declared = meta.get(OPERATION)
    if declared is None:
        return None
    if not isinstance(declared, dict):
        raise ValueError(f"{OPERATION} is not an object")  # noqa: TRY004  # what is wrong is what was declared
    members = dict(cast("Mapping[str, Json]", declared))
    known = {*OperationSpec.model_fields, "phases"} - _TOLD_BY_THE_TOOL - _OUR_OWN
    if unknown := sorted({*members} - known):
        raise ValueError(f"{OPERATION} declares what it cannot: {', '.join(unknown)}")
    try:
        phases = Phases.model_validate(members.pop("phases", {}))
    except ValidationError as error:
        raise ValueError(f"{OPERATION} names phases that there are not: {error.error_count()}") from error
    if phases.preview is None and members.get("fidelity", Fidelity.NONE.value) != Fidelity.NONE.value:
        raise ValueError(f"{OPERATION} declares a fidelity and no preview")
    return Declared(fields=members, phases=phases)


def is_declared(operation: OperationSpec) -> bool:
    """Return whether its tool declares what it does."""
    return "phases" in operation.binding


def is_effect_assumed(operation: OperationSpec) -> bool:
    """Return whether the effect of an operation is the worst that its tool leaves possible, and nothing it says."""
    if is_declared(operation) or "hints" not in operation.binding:
        return False
    said = operation.binding["hints"]
    match operation.effect:
        case Effect.DELETE:
            return said.get("destructiveHint") is not True
        case Effect.SEND:
            return said.get("openWorldHint") is not True
        case _:
            return False
