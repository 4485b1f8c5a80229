"""Operations as authors declare them: a read is one function, a write is a function with attached phases."""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Concatenate, Generic, ParamSpec, Required, TypedDict, TypeVar, cast

from pydantic import BaseModel, ValidationError

from connectors.sdk.context import Context, Receipt
from connectors.sdk.pointer import resolve
from connectors.sdk.preview import Preview
from connectors.sdk.signature import BadDeclaration, Signature, parameters_of, signature_of
from connectors.sdk.spec import Compensation, Cost, Idempotency, OperationSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier, UpstreamClass

Json = Any
"""Any JSON value."""

P = ParamSpec("P")
R = TypeVar("R", bound=BaseModel)
Record = BaseModel | Mapping[str, Json]
PreviewFunction = Callable[Concatenate[Context, ...], Awaitable[Preview]]
CheckFunction = Callable[Concatenate[Context, ...], Awaitable[None]]

_is_registered: ContextVar[bool] = ContextVar("_is_registered", default=False)


@contextmanager
def as_registered() -> Generator[None]:
    """Take what is declared within the block as it stands: it was checked when the very same code was registered.

    Then a process that runs one operation need not make the schemas of all.
    """
    before = _is_registered.set(True)
    try:
        yield
    finally:
        _is_registered.reset(before)


class ReadOptions(TypedDict, total=False):
    """What a read may declare; OperationSpec says what each means."""

    title: str
    tier: Tier
    tier_when: Mapping[Tier, str]
    cost: Cost
    data_classes: Sequence[str]
    examples: Sequence[Mapping[str, Json]]
    facts: Mapping[str, str]
    volatile: Sequence[str]
    timeout_seconds: int


class WriteOptions(TypedDict, total=False):
    """What a write declares: `effect` and `tier` always, the rest where it is better than the cautious default."""

    effect: Required[Effect]
    tier: Required[Tier]
    tier_when: Mapping[Tier, str]
    cost: Cost
    idempotency: Idempotency
    title: str
    upstream_class: UpstreamClass
    fidelity: Fidelity
    reversal: Reversal
    residue: Sequence[str]
    compensation: Compensation
    data_classes: Sequence[str]
    examples: Sequence[Mapping[str, Json]]
    facts: Mapping[str, str]
    volatile: Sequence[str]
    repeatable: bool
    timeout_seconds: int
    max_unsafe_requests: int
    quarantine_seconds: int


@dataclass(eq=False)
class Read(Generic[P, R]):
    """A read: calling it inside another function runs it with that function's context."""

    name: str
    function: Callable[Concatenate[Context, P], Awaitable[R]]
    options: ReadOptions

    def __post_init__(self) -> None:
        if not _is_registered.get():
            _check(self.name, self.signature, self.options.get("examples", ()), self.options.get("facts", {}))

    @cached_property
    def signature(self) -> Signature:
        """Return what it takes and gives."""
        return signature_of(self.name, self.function)

    async def __call__(self, context: Context, *args: P.args, **kwargs: P.kwargs) -> R:
        """Read, as part of the call that `context` belongs to."""
        return await self.function(context, *args, **kwargs)

    def spec(self) -> OperationSpec:
        """Return the frozen form."""
        options: dict[str, Json] = {"tier": Tier.LOW, **self.options}
        return _spec(self.name, self.signature, {"effect": Effect.READ, "max_unsafe_requests": 0, **options})


@dataclass(eq=False)
class Write(Generic[P, R]):
    """A write: its function runs once, at commit; the attached phases run without being able to write."""

    name: str
    function: Callable[Concatenate[Context, P], Awaitable[R]]
    options: WriteOptions
    preview_function: PreviewFunction | None = field(init=False, default=None)
    check_function: CheckFunction | None = field(init=False, default=None)
    lookup_function: Callable[Concatenate[Context, ...], Awaitable[R | None]] | None = field(init=False, default=None)
    observe_function: Callable[[Context, Receipt[R]], Awaitable[Mapping[str, Record | None]]] | None = field(
        init=False, default=None
    )

    def __post_init__(self) -> None:
        if not _is_registered.get():
            _check(self.name, self.signature, self.options.get("examples", ()), self.options.get("facts", {}))

    @cached_property
    def signature(self) -> Signature:
        """Return what it takes and gives."""
        return signature_of(self.name, self.function)

    async def __call__(self, context: Context, *args: P.args, **kwargs: P.kwargs) -> R:
        """Write, as part of the commit that `context` belongs to."""
        return await self.function(context, *args, **kwargs)

    def preview(self, function: PreviewFunction) -> PreviewFunction:
        """Attach the function that says what would change; it takes the context and any of the write's arguments."""
        self._attach("preview", function, replaces=self.preview_function)
        self.preview_function = function
        return function

    def check(self, function: CheckFunction) -> CheckFunction:
        """Attach the function that raises Refused, with a sentence for people, where the write must not be made.

        It runs before the preview, and again before sending, then with the guard of the approved preview.
        """
        self._attach("check", function, replaces=self.check_function)
        self.check_function = function
        return function

    def lookup(
        self, function: Callable[Concatenate[Context, ...], Awaitable[R | None]]
    ) -> Callable[Concatenate[Context, ...], Awaitable[R | None]]:
        """Attach the function that finds what a commit with `context.key` created, or returns None (class C)."""
        self._attach("lookup", function, replaces=self.lookup_function)
        self.lookup_function = function
        return function

    def observe(
        self, function: Callable[[Context, Receipt[R]], Awaitable[Mapping[str, Record | None]]]
    ) -> Callable[[Context, Receipt[R]], Awaitable[Mapping[str, Record | None]]]:
        """Attach the function that reads back what was committed, under the targets that the preview named."""
        if self.observe_function is not None:
            raise BadDeclaration(f"{self.name}: it has an observe function already.")
        self.observe_function = function
        return function

    def spec(self) -> OperationSpec:
        """Return the frozen form.

        Raises:
            BadDeclaration: what is declared and what is attached contradict each other.
        """
        problems = [*self._contradictions()]
        if problems:
            raise BadDeclaration(f"{self.name}: {'; '.join(problems)}.")
        attached = {"observable": self.observe_function is not None, "has_check": self.check_function is not None}
        return _spec(self.name, self.signature, {**self._declared(), **attached})

    def _declared(self) -> dict[str, Json]:
        fidelity = Fidelity.NONE if self.preview_function is None else Fidelity.SIMULATED
        idempotency = self.options.get("idempotency")
        follows = {} if idempotency is None else {"upstream_class": idempotency.upstream_class}
        return {"fidelity": fidelity, **follows, **self.options}

    def _contradictions(self) -> list[str]:
        options = self._declared()
        fidelity: Fidelity = options["fidelity"]
        is_class_c = options.get("upstream_class") is UpstreamClass.C
        broken = {
            "a write has another effect than read; use .read for a read": options["effect"] is Effect.READ,
            f"fidelity {fidelity} needs a preview: attach one with @{self.name}.preview": fidelity.rank
            >= Fidelity.SIMULATED.rank
            and self.preview_function is None,
            "it has a preview but claims fidelity none; leave fidelity out": fidelity is Fidelity.NONE
            and self.preview_function is not None,
            f"class C needs a lookup: attach one with @{self.name}.lookup": is_class_c and self.lookup_function is None,
            "it has a lookup but is not of class C; declare upstream_class=UpstreamClass.C": not is_class_c
            and self.lookup_function is not None,
            "class B needs a preview, because the guard comes from it": options.get("upstream_class") is UpstreamClass.B
            and self.preview_function is None,
        }
        return [sentence for sentence, is_broken in broken.items() if is_broken]

    def _attach(self, phase: str, function: Callable[..., object], *, replaces: object) -> None:
        if replaces is not None:
            raise BadDeclaration(f"{self.name}: it has a {phase} already.")
        if _is_registered.get():
            return
        known = self.signature.arguments.model_fields
        for parameter in parameters_of(function).values():
            if parameter.kind is not parameter.VAR_KEYWORD and parameter.name not in known:
                raise BadDeclaration(
                    f"{self.name}: its {phase} asks for {parameter.name!r}, which is no argument of it."
                )


AnyOperation = Read[..., Any] | Write[..., Any]


def _check(name: str, signature: Signature, examples: Sequence[Mapping[str, Json]], facts: Mapping[str, str]) -> None:
    for example in examples:
        try:
            signature.arguments.model_validate(example)
        except ValidationError as error:
            raise BadDeclaration(f"{name}: the example {dict(example)} breaks its own schema: {error}") from error
    for fact, pointer in facts.items():
        if resolve(signature.input_schema["properties"], "/" + pointer.split("/")[1]) is None:
            raise BadDeclaration(f"{name}: the fact {fact!r} points to {pointer!r}, which is no argument.")


def _spec(name: str, signature: Signature, options: Mapping[str, Json]) -> OperationSpec:
    declared = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "description": signature.description,
        "input_schema": signature.input_schema,
        "output_schema": signature.output_schema,
        **options,
    }
    try:
        return OperationSpec.model_validate(declared)
    except ValidationError as error:
        raise BadDeclaration(f"{name}: {_sentences(error)}") from error


def _sentences(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False)
    return "; ".join(": ".join([*map(str, cast("tuple[object, ...]", p["loc"])), p["msg"]]) for p in problems)
