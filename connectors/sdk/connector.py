"""A connector: the operations for one kind of system, and how it is spoken to."""

import importlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import Any, Concatenate, Literal, ParamSpec, TypedDict, TypeVar, Unpack

from pydantic import BaseModel, ValidationError

from connectors.sdk.artefact import artefact_digest
from connectors.sdk.context import Context
from connectors.sdk.faults import first_fault
from connectors.sdk.operations import AnyOperation, Read, ReadOptions, Write, WriteOptions
from connectors.sdk.protocols import GraphQL, JsonRpc, XmlRpc
from connectors.sdk.resource import Resource, ResourceOptions, resource_of
from connectors.sdk.signature import BadDeclaration
from connectors.sdk.spec import AuthSpec, ConnectorSpec, RateLimit, SafeRule
from connectors.sdk.statuses import UNPROCESSED

P = ParamSpec("P")
R = TypeVar("R", bound=BaseModel)


class ConnectorOptions(TypedDict, total=False):
    """What a connector says of its system. `entry` is needed where the operations stand in other modules than it.

    `unprocessed` lists the statuses by which this system turns a request away before processing it: only those
    leave a write definitely undone and may be tried again.
    """

    title: str
    auth: AuthSpec
    safe: Sequence[SafeRule]
    rpc: JsonRpc | XmlRpc | GraphQL
    rate: RateLimit
    speaks: Literal["http", "smtp"]
    unprocessed: frozenset[int]
    entry: str


class Connector:
    """The operations for one kind of system. Name it at the top of a module: that is how a process finds it."""

    def __init__(self, name: str, *, version: str, description: str, **options: Unpack[ConnectorOptions]) -> None:
        self.name = name
        self.version = version
        self.description = description
        self.operations: dict[str, AnyOperation] = {}
        self.rpc = options.get("rpc")
        self.unprocessed = options.get("unprocessed", UNPROCESSED)
        self._options = options
        self._module: str = sys._getframe(1).f_globals["__name__"]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as namedtuple and Enum do

    def read(
        self, name: str, **options: Unpack[ReadOptions]
    ) -> Callable[[Callable[Concatenate[Context, P], Awaitable[R]]], Read[P, R]]:
        """Make a read of the function below; its signature, return type and docstring are the tool."""

        def declare(function: Callable[Concatenate[Context, P], Awaitable[R]]) -> Read[P, R]:
            return self._add(Read(name, function, options))

        return declare

    def write(
        self, name: str, **options: Unpack[WriteOptions]
    ) -> Callable[[Callable[Concatenate[Context, P], Awaitable[R]]], Write[P, R]]:
        """Make a write of the function below, which runs once, at commit. Attach `.preview` and what else it has."""

        def declare(function: Callable[Concatenate[Context, P], Awaitable[R]]) -> Write[P, R]:
            return self._add(Write(name, function, options))

        return declare

    def resource(self, name: str, model: type[R], **options: Unpack[ResourceOptions]) -> Resource[R]:
        """Make the tools to find, get, create, update and delete records of `model`, with their previews and guards."""
        made = resource_of(name, model, options)
        for operation in made.exposed():
            self._add(operation)
        return made

    @cached_property
    def spec(self) -> ConnectorSpec:
        """Return what the registry stores, versions and pins.

        Raises:
            BadDeclaration: declarations contradict each other; the message says which and what to do.
        """
        declared = {**self._declared(), "operations": tuple(one.spec() for one in self.operations.values())}
        if self.operations and not declared["safe"]:
            raise BadDeclaration(
                f"{self.name}: say which requests are safe, for example safe=[SafeRule(method='GET')]."
            )
        try:
            return ConnectorSpec.model_validate(declared)
        except ValidationError as error:
            raise BadDeclaration(f"{self.name}: {first_fault(error)}") from error

    def _declared(self) -> dict[str, Any]:
        module, _, _ = self.entry.partition(":")
        return {
            "name": self.name,
            "version": self.version,
            "title": self._options.get("title", self.name.replace("_", " ").capitalize()),
            "description": self.description,
            "entry": self.entry,
            "artefact_digest": artefact_digest(module),
            "auth": self._options.get("auth", AuthSpec()),
            "safe": tuple(self._options.get("safe", ())),
            "rpc": "none" if self.rpc is None else self.rpc.kind,
            "rate": self._options.get("rate"),
            "speaks": self._options.get("speaks", "http"),
        }

    @cached_property
    def fence(self) -> ConnectorSpec:
        """Return what says which requests are safe: the spec without its operations, made without their schemas."""
        return ConnectorSpec.model_validate({**self._declared(), "operations": ()})

    @cached_property
    def entry(self) -> str:
        """Return where a process finds this connector: `module:name`."""
        if "entry" in self._options:
            return self._options["entry"]
        if self._module == "__main__":
            raise BadDeclaration(f"{self.name}: it stands in the program that is run; import it from a module instead.")
        for name, value in vars(sys.modules[self._module]).items():
            if value is self:
                return f"{self._module}:{name}"
        raise BadDeclaration(f"{self.name}: give it a name at the top of {self._module}, or say entry='module:name'.")

    def _add(self, operation: "OperationT") -> "OperationT":
        if operation.name in self.operations:
            raise BadDeclaration(f"{self.name}: there are two operations called {operation.name!r}.")
        self.operations[operation.name] = operation
        self.__dict__.pop("spec", None)
        return operation


OperationT = TypeVar("OperationT", bound=Read[..., Any] | Write[..., Any])


def load(entry: str) -> Connector:
    """Return the connector that `entry` ("module:name") leads to. Runs its code: call it in a confined process.

    Raises:
        BadDeclaration: there is no connector there.
    """
    module, _, name = entry.partition(":")
    connector = getattr(importlib.import_module(module), name, None)
    if not isinstance(connector, Connector):
        raise BadDeclaration(f"{entry} is not a connector.")
    return connector
