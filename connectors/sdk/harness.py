"""The harness: what a connector's author tells the contract kit about the system that the connector is tried on.

`toolhub connector check --on module:name` calls `name`, which is an async context manager that yields a harness.
It writes for real: let it lead to a system where that does no harm.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = Any
"""Any JSON value."""

Contents = Mapping[str, Mapping[str, Json]]
"""A whole system: its records as `{"kind/number": {field: value}}`, those left out that change by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemAnswer:
    """An answer that the system is documented to give, and the `code` of the error that the connector must make of it.

    It is put in the place of the answer to every request that writes (`is_to_a_write`), or that only reads.
    """

    name: str
    status: int
    code: str
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    is_to_a_write: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One operation to try: arguments that make sense, and what can be seen and done around it.

    `edit` changes the record that the operation is about, as somebody else would. `effects` counts how often the write
    has taken effect so far. What is left out is judged by reading back.
    """

    operation: str
    arguments: Mapping[str, Json]
    edit: Callable[[], Awaitable[None]] | None = None
    effects: Callable[[], Awaitable[int]] | None = None
    answers: Sequence[SystemAnswer] = ()


class Harness(Protocol):
    """A system to try a connector on: where it is, how to sign in, what to try, and what it holds.

    `system` names it on the badge, such as "Tryton 8.0 on SQLite". Cases are tried in their order, and each finds what
    those before it have left.
    """

    @property
    def system(self) -> str:
        """What the system is, for people."""
        ...

    @property
    def base_url(self) -> str:
        """Where its API is."""
        ...

    @property
    def secret(self) -> Mapping[str, str]:
        """The fields that the connector signs in with."""
        ...

    @property
    def cases(self) -> Sequence[Case]:
        """What to try."""
        ...

    async def contents(self) -> Contents | None:
        """Return everything the system holds, or None if that cannot be seen from outside."""
        ...


OpenHarness = Callable[[], AbstractAsyncContextManager[Harness]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainHarness:
    """A system of which nothing but its API is known: what can be checked is checked by reading back."""

    system: str
    base_url: str
    secret: Mapping[str, str] = field(default_factory=dict[str, str])
    cases: Sequence[Case] = ()

    async def contents(self) -> Contents | None:
        """Return None: nobody can look into it."""
        return None
