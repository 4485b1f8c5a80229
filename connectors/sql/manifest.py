"""The manifest: what an owner writes to make tools of a database, and how it is read."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from connectors.sdk.vocabulary import Effect, Tier
from connectors.sql.addresses import Engine
from connectors.sql.binding import IDENTIFIER, Limits

Json = Any
"""Any JSON value."""

Name = Annotated[str, Field(pattern=IDENTIFIER)]
ToolName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
ResourceOperation = Literal["find", "get", "create", "update", "delete"]


class BadManifest(ValueError):
    """The manifest cannot be compiled; the message lists every problem."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Writes(_Part):
    """What is said of any write to a table, by hand or derived. `shown` columns are all that anybody ever sees."""

    shown: tuple[Name, ...] = Field(min_length=1)
    sensitive: tuple[Name, ...] = ()
    volatile: tuple[Name, ...] = ()
    """Columns that something else keeps changing; they are never predicted."""
    triggers: tuple[Name, ...] = ()
    """Triggers that are known to have no effect outside the database."""
    also: tuple[Name, ...] = ()
    """Other tables in which a write may change rows: by a cascade or a trigger."""


class Resource(Writes):
    """Tools for the rows of one table, derived from its columns and its key."""

    table: Name
    title: str = ""
    operations: tuple[ResourceOperation, ...] = ("find", "get")
    writable: tuple[Name, ...] = ()
    guard: Name | None = None
    """An integer column that each write raises by one; without it the whole row is compared."""
    reference: Name | None = None
    """A unique text column in which a created row keeps the hub's key."""
    tiers: Mapping[ResourceOperation, Tier] = {}
    data_classes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        if {"create", "update"} & {*self.operations} and not self.writable:
            raise ValueError("list the writable columns: nothing is writable by itself")
        if unseen := {*self.writable, *self.sensitive} - {*self.shown}:
            raise ValueError(f"{sorted(unseen)} are not shown; nobody could approve what they cannot see")
        if {self.guard, self.reference} & {*self.writable}:
            raise ValueError("the guard and the reference are written by the hub, not by callers")
        return self


class Query(_Part):
    """A tool that is one SELECT."""

    sql: str
    description: str
    title: str = ""
    effect: Literal[Effect.READ] = Effect.READ
    parameters: Mapping[Name, Mapping[str, Json]] = {}
    tier: Tier = Tier.LOW
    data_classes: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()


class Change(Writes):
    """A tool that is one INSERT, UPDATE or DELETE of one table."""

    sql: str
    description: str
    title: str = ""
    effect: Literal[Effect.CREATE, Effect.UPDATE, Effect.DELETE]
    parameters: Mapping[Name, Mapping[str, Json]] = {}
    tier: Tier = Tier.HIGH
    functions: tuple[str, ...] = ()


class Manifest(_Part):
    """Everything an owner declares of one database."""

    name: str
    version: str
    title: str
    description: str
    engine: Engine
    db_schema: Name = Field(default="public", alias="schema")
    read_role: Name | None = None
    receipts: Name | None = None
    limits: Limits = Limits()
    resources: Mapping[ToolName, Resource] = {}
    queries: Mapping[ToolName, Query] = {}
    changes: Mapping[ToolName, Change] = {}

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        if self.engine == "sqlite" and (self.read_role or self.db_schema != "public"):
            raise ValueError("SQLite has neither roles nor schemas")
        return self

    @property
    def tables(self) -> tuple[str, ...]:
        """Return the tables that must be described before it can be compiled, as far as it names them itself."""
        named = {resource.table for resource in self.resources.values()}
        return tuple(sorted(named | ({self.receipts} if self.receipts else set())))


def _plain(error: yaml.YAMLError) -> str:
    """Return what is wrong and where, without the words for a text that is in no file."""
    return str(error).replace('in "<unicode string>", ', "at ")


def read_manifest(text: str) -> Manifest:
    """Return the manifest in `text`, which is YAML.

    Raises:
        BadManifest: it is none; the message lists every problem.
    """
    try:
        return Manifest.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise BadManifest(f"The manifest is no YAML: {_plain(error)}") from error
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        lines = [f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in found]
        raise BadManifest("The manifest will not do. " + "; ".join(lines)) from error
