"""The operation spec: the frozen form every kind of connector compiles to, which the registry stores and pins."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier, UpstreamClass

Json = Any
"""Any JSON value."""

TOOL_NAME = r"^[a-z][a-z0-9_]{0,47}$"


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SafeRule(_Spec):
    """A request that changes nothing: by method and path pattern and, for RPC over POST, by operation pattern.

    Patterns are `fnmatch` patterns, matched against the whole value. `preview_only` marks what is harmless but meant
    for previews alone (native dry runs, drafts).
    """

    method: Literal["GET", "HEAD", "POST"]
    path: str = "*"
    operation: str | None = None
    preview_only: bool = False


class AuthSpec(_Spec):
    """How the broker proves who it is to the system; names of secret fields, never their values."""

    kind: Literal["none", "api_key", "basic", "bearer", "session_login"] = "none"
    secret_fields: tuple[str, ...] = ()
    parameters: Mapping[str, str] = {}


class Compensation(_Spec):
    """The tool that undoes this one, and where its arguments come from: JSON pointers into the receipt.

    The receipt is `{"input": ..., "output": ..., "before": {target: record}}`.
    """

    tool: str = Field(pattern=TOOL_NAME)
    arguments: Mapping[str, str]
    kind: Reversal
    window_seconds: int | None = Field(default=None, ge=1)


class OperationSpec(_Spec):
    """Everything the hub must know about one operation; one byte of difference is another tool version."""

    spec_version: Literal[1] = 1
    name: str = Field(pattern=TOOL_NAME)
    title: str = Field(min_length=1, max_length=120)
    description: str = Field(min_length=1, max_length=1023)
    effect: Effect
    tier: Tier
    input_schema: Mapping[str, Json]
    output_schema: Mapping[str, Json]
    examples: tuple[Mapping[str, Json], ...] = ()
    reversal: Reversal = Reversal.NONE
    residue: tuple[str, ...] = ()
    compensation: Compensation | None = None
    fidelity: Fidelity = Fidelity.NONE
    upstream_class: UpstreamClass = UpstreamClass.D
    volatile: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()
    facts: Mapping[str, str] = {}
    """What policy may see of the arguments: name of the fact -> JSON pointer into the canonical arguments."""
    repeatable: bool = False
    timeout_seconds: int = Field(default=30, ge=1, le=300)
    max_unsafe_requests: int = Field(default=1, ge=0, le=20)
    quarantine_seconds: int = Field(default=60, ge=1, le=86_400)
    """Class C only: how long after sending "not found" does not yet mean "not applied"."""

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        problems = (
            [*_contradictions_of_a_read(self)] if self.effect is Effect.READ else [*_contradictions_of_a_write(self)]
        )
        if problems:
            raise ValueError(f"{self.name}: {'; '.join(problems)}")
        return self


def _contradictions_of_a_read(spec: OperationSpec) -> Iterator[str]:
    if spec.tier is not Tier.LOW and not spec.data_classes:
        yield "a read above tier low must name the data classes that make it so"
    if spec.compensation or spec.reversal is not Reversal.NONE:
        yield "a read has nothing to undo"


def _contradictions_of_a_write(spec: OperationSpec) -> Iterator[str]:
    if spec.tier is Tier.LOW:
        yield "a write is never of tier low"
    if spec.reversal is Reversal.EXACT and spec.compensation is None:
        yield "an exact undo needs a compensation"
    if spec.compensation and spec.compensation.kind is not spec.reversal:
        yield "reversal and compensation disagree on how complete the undo is"
    if spec.reversal is Reversal.PARTIAL and not spec.residue:
        yield "a partial undo must say what stays behind"
    if spec.effect is Effect.DELETE and spec.tier is Tier.MEDIUM and spec.reversal is not Reversal.EXACT:
        yield "a delete that cannot be undone is at least of tier high"


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
    rpc: Literal["none", "json_rpc"] = "none"
    """`json_rpc`: the broker reads the operation's name from the member `method` of the body."""
    operations: tuple[OperationSpec, ...]
