"""The operation spec: the frozen form every kind of connector compiles to, which the registry stores and pins."""

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from connectors.sdk.auth import AuthSpec
from connectors.sdk.cel import LONGEST, BadExpression, check
from connectors.sdk.errors import Refused
from connectors.sdk.pointer import resolve
from connectors.sdk.refusals import RefusalRule
from connectors.sdk.rpc import Rpc, operations_of
from connectors.sdk.safety import SafeRule, misnamed
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier, UpstreamClass
from connectors.sdk.wire import WireRequest, WireResponse, is_reserved

Json = Any
"""Any JSON value."""

TOOL_NAME = r"^[a-z][a-z0-9_]{0,47}$"

__all__ = [
    "TOOL_NAME",
    "AuthSpec",
    "Compensation",
    "ConnectorSpec",
    "Cost",
    "Idempotency",
    "OperationSpec",
    "RateLimit",
    "RefusalRule",
    "SafeRule",
]


HeaderName = Annotated[str, Field(pattern=r"^[a-z0-9_.-]{1,100}$")]
Condition = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Compensation(_Spec):
    """The tool that undoes this one, and where its arguments come from: JSON pointers into the receipt.

    The receipt is `{"input": arguments, "output": result, "before": [record, ...]}`, where `before` holds what each
    change of the approved preview had found, in its order: `/before/0/name` is the old name of the first record.
    Arguments are never null: `clear` names the argument of `tool`, if it has one, that lists the fields to leave empty.
    """

    tool: str = Field(pattern=TOOL_NAME)
    arguments: Mapping[str, str]
    kind: Reversal
    window_seconds: int | None = Field(default=None, ge=1)
    clear: str | None = Field(default=None, min_length=1, max_length=100)

    def arguments_for(self, receipt: Mapping[str, Json]) -> dict[str, Json]:
        """Return the arguments with which `tool` undoes what `receipt` tells of.

        An optional argument that the caller had not given is left out.

        Raises:
            Refused: the receipt lacks a value, or the value was empty and an argument cannot say so.
        """
        found = {name: resolve(receipt, pointer) for name, pointer in self.arguments.items()}
        empty = [
            name
            for name, pointer in self.arguments.items()
            if found[name] is None and not pointer.startswith("/input/")
        ]
        arguments = {name: value for name, value in found.items() if value is not None}
        if not empty:
            return arguments
        if self.clear is None:
            name, pointer = empty[0], self.arguments[empty[0]]
            raise Refused(f"This cannot be undone by itself: {self.tool} needs {name!r}, and {pointer} is empty.")
        return {**arguments, self.clear: empty}


class Cost(_Spec):
    """What one call costs, as declared: `amount` in minor units of a currency (`EUR`), or in `credits` or the like."""

    amount: int = Field(ge=1, le=2**53 - 1)
    unit: str = Field(pattern=r"^([A-Z]{3}|[a-z][a-z0-9_]{0,31})$")


class Idempotency(_Spec):
    """What makes sending a write again harmless; its upstream class follows from it.

    | kind | what the system does | class |
    | --- | --- | --- |
    | `natural` | the same request twice has the effect of one: it keeps the record's number unique | A |
    | `header`, `field` | it knows our key again, in the header or the body's field `name` | A |
    | `lookup` | it finds what carries our key in the field `name` | C |
    """

    kind: Literal["natural", "header", "field", "lookup"]
    name: str | None = Field(default=None, min_length=1, max_length=100)

    @property
    def upstream_class(self) -> UpstreamClass:
        """Return the class of a write with this."""
        return UpstreamClass.C if self.kind == "lookup" else UpstreamClass.A

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        if (self.kind == "natural") is not (self.name is None):
            raise ValueError("idempotency: name the header or the field; a natural one has no name")
        return self


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class RateLimit:
    """How fast a system may be asked: `requests` per `per`, and at most `burst` at once (default: `requests`)."""

    requests: int = Field(ge=1, le=1_000_000)
    per: Literal["second", "minute", "hour", "day"] = Field(default="second", kw_only=True)
    burst: int | None = Field(default=None, ge=1, le=1_000_000, kw_only=True)


class OperationSpec(_Spec):
    """Everything the hub must know about one operation; one byte of difference is another tool version."""

    spec_version: Literal[1] = 1
    name: str = Field(pattern=TOOL_NAME)
    title: str = Field(min_length=1, max_length=120)
    description: str = Field(min_length=1, max_length=1023)
    effect: Effect
    tier: Tier
    tier_when: Mapping[Tier, Condition] = {}
    """Conditions in CEL over `input` that raise the tier of one call; one that cannot be decided raises it too."""
    input_schema: Mapping[str, Json]
    output_schema: Mapping[str, Json]
    examples: tuple[Mapping[str, Json], ...] = ()
    reversal: Reversal = Reversal.NONE
    residue: tuple[str, ...] = ()
    compensation: Compensation | None = None
    fidelity: Fidelity = Fidelity.NONE
    upstream_class: UpstreamClass = UpstreamClass.D
    idempotency: Idempotency | None = None
    volatile: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()
    facts: Mapping[str, str] = {}
    """What policy may see of the arguments: name of the fact -> JSON pointer into the canonical arguments."""
    cost: Cost | None = None
    repeatable: bool = False
    timeout_seconds: int = Field(default=30, ge=1, le=300)
    max_unsafe_requests: int = Field(default=1, ge=0, le=20)
    quarantine_seconds: int = Field(default=60, ge=1, le=86_400)
    """Class C only: how long after sending "not found" does not yet mean "not applied"."""
    observable: bool = False
    """Whether the connector can read back what a commit did; else it stays UNVERIFIABLE."""
    has_check: bool = False
    """Whether the connector has rules of its own that run before the preview and again before sending."""
    binding: Mapping[str, Json] = {}
    """What a direct connector needs to carry the operation out, such as the upstream's own name for it."""

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        problems = (
            [*_contradictions_of_a_read(self)] if self.effect is Effect.READ else [*_contradictions_of_a_write(self)]
        )
        problems += [*_contradictions_of_tiers(self)]
        if problems:
            raise ValueError(f"{self.name}: {'; '.join(problems)}")
        return self


def _contradictions_of_a_read(spec: OperationSpec) -> Iterator[str]:
    if (spec.tier is not Tier.LOW or spec.tier_when) and not spec.data_classes:
        yield "a read above tier low must name the data classes that make it so"
    if spec.has_check or spec.idempotency is not None:
        yield "a read has no check and needs no idempotency: it changes nothing"
    if spec.compensation or spec.reversal is not Reversal.NONE:
        yield "a read has nothing to undo"


def _contradictions_of_a_write(spec: OperationSpec) -> Iterator[str]:
    if spec.tier is Tier.LOW:
        yield "a write is never of tier low"
    if spec.reversal is Reversal.EXACT and spec.compensation is None:
        yield "an exact undo needs a compensation"
    if spec.compensation and spec.reversal is not Reversal.NONE and spec.compensation.kind is not spec.reversal:
        yield "reversal and compensation disagree on how complete the undo is"
    if spec.reversal is Reversal.PARTIAL and not spec.residue:
        yield "a partial undo must say what stays behind"
    if spec.reversal is Reversal.NONE and spec.compensation is not None:
        yield "a compensation needs a reversal: say exact, or partial with its residue"
    if spec.idempotency is not None and spec.idempotency.upstream_class is not spec.upstream_class:
        yield f"idempotency {spec.idempotency.kind} makes it of class {spec.idempotency.upstream_class}"
    if spec.effect is Effect.DELETE and spec.tier is Tier.MEDIUM and spec.reversal is not Reversal.EXACT:
        yield "a delete that cannot be undone is at least of tier high"


def _contradictions_of_tiers(spec: OperationSpec) -> Iterator[str]:
    for tier, condition in spec.tier_when.items():
        if tier.rank <= spec.tier.rank:
            yield f"tier_when only raises: {tier} is not above {spec.tier}"
        try:
            check(condition, spec.input_schema)
        except BadExpression as error:
            yield f"tier_when {tier}: {error}"


class ConnectorSpec(_Spec):
    """A connector as the registry knows it: what it is called, how it signs in, what is safe, and its operations."""

    spec_version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: str
    description: str
    entry: str = Field(pattern=r"^[\w.]+:\w+$", examples=["connectors.tryton:connector"])
    """Where a confined process finds the code."""
    runs: Literal["confined", "direct"] = "confined"
    """`direct` is for declarative connectors: no foreign code, straight to the broker."""
    artefact_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 over the connector's source files, names and bytes."""
    auth: AuthSpec = AuthSpec()
    safe: tuple[SafeRule, ...] = ()
    refusals: tuple[RefusalRule, ...] = ()
    rpc: Rpc = "none"
    """How the broker reads the operations' names from a request; see `operations_of`."""
    headers: tuple[HeaderName, ...] = ()
    """Request headers that it may send beside the usual ones, in lower case."""
    speaks: Literal["http", "smtp", "sql"] = "http"
    """What is spoken with the system. With `smtp` the broker takes a few requests that stand for its commands."""
    rate: RateLimit | None = None
    """How fast the broker may send, per connection."""
    operations: tuple[OperationSpec, ...]

    def is_safe(self, request: WireRequest, *, previewing: bool = False, opened: Container[str] | None = None) -> bool:
        """Return whether `request` is declared to change nothing (when `previewing`, preview-only rules count too).

        `opened` are the ids of the drafts that the same preview has opened; None where nobody keeps count of them.

        The operations are read from the body, and each of them must be declared; what the request claims in `operation`
        counts for nothing here. A header, or a field of the query or the body, that makes another request of it makes
        it unsafe.
        """
        asked = None if request.is_disguised else operations_of(self.rpc, request)
        if asked is None:
            return False
        rules = [rule for rule in self.safe if previewing or not rule.preview_only]
        return all(
            any(
                rule.covers(request, operation) and (opened is None or rule.concerns(request, opened)) for rule in rules
            )
            for operation in asked or (None,)
        )

    def refuses(self, request: WireRequest, response: WireResponse) -> bool:
        """Return whether `response` is declared to say that `request` changed nothing, though its status says yes."""
        return any(rule.covers(request, response) for rule in self.refusals)

    def opened_by(self, request: WireRequest, response: WireResponse) -> str | None:
        """Return the id of the draft that a preview has opened by `request`, or None if it has opened none."""
        for rule in self.safe:
            if rule.opens is not None and self._is_covered(rule, request):
                try:
                    found = resolve(json.loads(response.body), rule.opens)
                except ValueError:
                    return None
                return str(found) if isinstance(found, str | int) else None
        return None

    def _is_covered(self, rule: SafeRule, request: WireRequest) -> bool:
        asked = operations_of(self.rpc, request)
        return asked is not None and all(rule.covers(request, operation) for operation in asked or (None,))

    def operation(self, name: str) -> OperationSpec:
        """Return the operation called `name`.

        Raises:
            KeyError: there is none.
        """
        for operation in self.operations:
            if operation.name == name:
                return operation
        raise KeyError(name)

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        problems = [*_contradictions_of_safety(self)]
        if len({operation.name for operation in self.operations}) < len(self.operations):
            problems.append("two operations have the same name")
        problems += [problem for _, problem in contradictions_between(self.operations)]
        if problems:
            raise ValueError(f"{self.name}: {'; '.join(problems)}")
        return self


def _contradictions_of_safety(spec: ConnectorSpec) -> Iterator[str]:
    if spec.speaks == "sql" and (spec.runs != "direct" or spec.rpc != "none" or spec.safe):
        yield "what speaks sql runs direct, has no rpc and no safe requests: its statements say what they do"
    if spec.speaks == "smtp" and (spec.rpc != "none" or spec.auth.kind not in {"none", "basic"}):
        yield "smtp has no rpc, and its auth is 'none' or 'basic'"
    for name in spec.headers:
        if is_reserved(name):
            yield f"the header {name!r} belongs to the connection, a proxy or the hub; no connector may send it"
    for rule in spec.safe:
        if (problem := misnamed(rule, spec.rpc)) is not None:
            yield problem


def contradictions_between(operations: Sequence[OperationSpec]) -> Iterator[tuple[str, str]]:
    """Yield the operations that cannot be beside the others, each with a reason: those whose undo is none."""
    by_name = {operation.name: operation for operation in operations}
    for operation in operations:
        if operation.compensation is None:
            continue
        undo = by_name.get(operation.compensation.tool)
        if undo is None or undo.effect is Effect.READ:
            what = repr(operation.compensation.tool)
            yield operation.name, f"{operation.name} is undone by {what}, which is no write of this connector"
            continue
        known, needed = undo.input_schema.get("properties", {}), undo.input_schema.get("required", [])
        clear = operation.compensation.clear
        for name in sorted({*operation.compensation.arguments, *filter(None, [clear])} - {*known}):
            yield operation.name, f"{operation.name} is undone by {undo.name}, which takes no argument {name!r}"
        for name in sorted({*needed} - {*operation.compensation.arguments}):
            yield operation.name, f"{operation.name} is undone by {undo.name}, which needs the argument {name!r}"
