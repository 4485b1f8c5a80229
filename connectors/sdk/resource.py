"""Resources: find, get, create, update and delete of one kind of record, derived from its model and where it stands."""

import inspect
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from types import NoneType
from typing import Annotated, Any, Generic, Literal, Required, TypedDict, TypeVar, cast, get_args

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from connectors.sdk.context import Context, Receipt
from connectors.sdk.operations import Read, ReadOptions, Write, WriteOptions
from connectors.sdk.pointer import resolve
from connectors.sdk.preview import Preview
from connectors.sdk.signature import BadDeclaration
from connectors.sdk.spec import Compensation, Idempotency
from connectors.sdk.vocabulary import Effect, Reversal, Tier, UpstreamClass
from connectors.sdk.wire import at

Json = Any
"""Any JSON value."""

T = TypeVar("T", bound=BaseModel)
Verb = Literal["find", "get", "create", "update", "delete"]

VERBS: tuple[Verb, ...] = ("find", "get", "create", "update", "delete")
MOST_FOUND = 100
_NEW = "new"


@dataclass(frozen=True, slots=True)
class Guard:
    """What a record has that changes with it: the `field` of its version, or the ETag of its answer if none is named.

    It goes back to the system in `If-Match`, or, `sent="body"`, in the field it came in.
    """

    field: str | None = None
    _: KW_ONLY
    sent: Literal["if_match", "body"] = "if_match"


class ResourceOptions(TypedDict, total=False):
    """What a resource says of itself.

    `external_id` is a field in which the system keeps our reference and by which it finds records: with it a create
    whose answer was lost is looked up. `searchable` are the fields by which `find` may ask, as query parameters of
    that name; `items` is the JSON pointer to the records in its answer. `verbs` says which operations there are.
    """

    path: Required[str]
    key: Required[str]
    writable: Collection[str]
    searchable: Collection[str]
    items: str
    guard: str | Guard
    external_id: str
    verbs: Collection[Verb]
    tiers: Mapping[Verb, Tier]
    data_classes: Collection[str]
    volatile: Collection[str]
    update_with: Literal["PATCH", "PUT"]


class Listed(BaseModel, Generic[T]):
    """Records that were found."""

    items: list[T]


class Removed(BaseModel):
    """Which record is gone."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Generic[T]):
    """The operations on one kind of record. Attach a check, or call the reads, as with any others.

    Those that `verbs` leaves out are here as well, but are no tools.
    """

    find: Read[..., Listed[T]]
    get: Read[[int | str], T]
    create: Write[..., T]
    update: Write[..., T]
    delete: Write[..., Removed]
    verbs: tuple[Verb, ...]

    def exposed(self) -> Iterator[Read[..., Any] | Write[..., Any]]:
        """Yield the operations that are tools."""
        for verb in self.verbs:
            yield getattr(self, verb)


def resource_of(name: str, model: type[T], options: ResourceOptions) -> Resource[T]:
    """Return the operations on `model`, called `{name}_find` and so on.

    Raises:
        BadDeclaration: `options` name what the model has not, or contradict each other.
    """
    kind = _Kind(name, model, options)
    if problems := [*kind.contradictions()]:
        raise BadDeclaration(f"{name}: {'; '.join(problems)}.")
    create, update, delete = _create(kind), _update(kind), _delete(kind)
    return Resource(find=_find(kind), get=_get(kind), create=create, update=update, delete=delete, verbs=kind.verbs)


class _Kind(Generic[T]):
    """One kind of record: its model, where it stands, and what may be done to it."""

    def __init__(self, name: str, model: type[T], options: ResourceOptions) -> None:
        self.name = name
        self.model = model
        self.path = options["path"]
        self.key = options["key"]
        self.fields = model.model_fields
        # in the model's order, so that the schema and its digest do not depend on how a set is walked
        self.writable = [one for one in self.fields if one in options.get("writable", ())]
        self.searchable = [one for one in self.fields if one in options.get("searchable", ())]
        self.items = options.get("items", "")
        guard = options.get("guard")
        self.guard = Guard(guard) if isinstance(guard, str) else guard
        self.external_id = options.get("external_id")
        self.verbs: tuple[Verb, ...] = tuple(verb for verb in VERBS if verb in options.get("verbs", VERBS))
        self.update_with = options.get("update_with", "PATCH")
        self._options = options

    def contradictions(self) -> Iterator[str]:
        guards = {self.guard.field} if self.guard and self.guard.field else set[str]()
        external = {self.external_id} if self.external_id else set[str]()
        asked = {self.key, *self._options.get("writable", ()), *self._options.get("searchable", ())}
        if unknown := (asked | guards | {*self._options.get("volatile", ())}) - {*self.fields}:
            yield f"{self.model.__name__} has no field {', '.join(sorted(unknown))}"
        if assigned := ({self.key} | guards | external) & {*self.writable}:
            yield f"{', '.join(sorted(assigned))} cannot be writable: the hub or the system assigns it"
        if {"create", "update"} & {*self.verbs} and not self.writable:
            yield "say which fields are writable, or leave create and update out of verbs"
        if not self.path.startswith("/") or self.path.endswith("/"):
            yield "path starts with a slash, and does not end with one"

    @property
    def volatile(self) -> list[str]:
        """Return what the system changes by itself with every write."""
        guards = {self.guard.field} if self.guard and self.guard.field else set[str]()
        return [one for one in self.fields if one in {*self._options.get("volatile", ()), *guards}]

    @property
    def clearable(self) -> list[str]:
        """Return the writable fields that may be empty: an argument cannot say so, so an undo cannot restore it."""
        return [name for name in self.writable if NoneType in get_args(self.fields[name].annotation)]

    def tier(self, verb: Verb, default: Tier) -> Tier:
        return self._options.get("tiers", {}).get(verb, default)

    def data_classes(self) -> list[str]:
        return sorted(self._options.get("data_classes", ()))

    def place(self, key: Json) -> str:
        return f"{self.path}{at(str(key))}"

    def target(self, key: Json) -> str:
        return f"{self.name}/{key}"

    @property
    def noun(self) -> str:
        return self.name.replace("_", " ")

    async def read(self, context: Context, key: Json) -> tuple[T, str | None]:
        """Return the record and the token of its version."""
        if self.guard is None:
            return await context.get(self.place(key), self.model), None
        if self.guard.field is None:
            return await context.get_tagged(self.place(key), self.model)
        record = await context.get(self.place(key), self.model)
        version = record.model_dump(mode="json")[self.guard.field]
        return record, str(version) if self.guard.sent == "body" else f'"{version}"'

    async def guarded(self, context: Context, key: Json) -> tuple[dict[str, Json], str | None]:
        """Return what a write sends along so that it meets the version that was approved: fields, and `If-Match`."""
        if self.guard is None:
            return {}, None
        token = context.guard[self.target(key)]
        if self.guard.sent == "body" and self.guard.field is not None:
            return {self.guard.field: context.before[self.target(key)][self.guard.field]}, None
        return {}, token


def _get(kind: _Kind[T]) -> Read[[int | str], T]:
    async def get(context: Context, /, *keys: Json, **named: Json) -> T:
        record, _ = await kind.read(context, keys[0] if keys else named[kind.key])
        return record

    _shape(get, {kind.key: (_type_of(kind.fields[kind.key]), ...)}, kind.model, f"Read one {kind.noun}.")
    options: ReadOptions = {"tier": kind.tier("get", Tier.LOW), "data_classes": kind.data_classes()}
    return Read(f"{kind.name}_get", get, options)


def _find(kind: _Kind[T]) -> Read[..., Listed[T]]:
    found: type[Listed[T]] = cast("Any", Listed)[kind.model]

    async def find(context: Context, /, **named: Json) -> Listed[T]:
        del named
        return found(items=(await _found(kind, context, context.given(*kind.searchable)))[:MOST_FOUND])

    searched = {name: (_type_of(kind.fields[name]) | None, None) for name in kind.searchable}
    _shape(find, searched, found, f"Find records of {kind.noun}, at most {MOST_FOUND}.")
    options: ReadOptions = {"tier": kind.tier("find", Tier.LOW), "data_classes": kind.data_classes()}
    return Read(f"{kind.name}_find", find, options)


async def _found(kind: _Kind[T], context: Context, query: Mapping[str, Json]) -> list[T]:
    records = resolve(await context.get(kind.path, cast("type[Json]", object), query=query), kind.items)
    if not isinstance(records, list):
        raise BadDeclaration(f"{kind.name}: there is no list at {kind.items or 'the top'} of what is found; say items=")
    return [kind.model.model_validate(record) for record in cast("list[Json]", records)]


def _create(kind: _Kind[T]) -> Write[..., T]:
    async def create(context: Context, /, **named: Json) -> T:
        del named
        reference = {kind.external_id: context.key} if kind.external_id else {}
        return await context.post(kind.path, {**context.given(*kind.writable), **reference}, kind.model)

    given = {name: _argument(kind.fields[name]) for name in kind.writable}
    _shape(create, given, kind.model, f"Create a {kind.noun}.")
    write = Write(f"{kind.name}_create", create, _create_options(kind))

    @write.preview
    async def _(context: Context) -> Preview:
        assigned = [name for name in kind.fields if name not in kind.writable]
        return Preview.create(kind.target(_NEW), context.given(*kind.writable), unknown=assigned)

    @write.observe
    async def _(context: Context, receipt: Receipt[T]) -> dict[str, T]:
        key = receipt.output.model_dump(mode="json")[kind.key]
        return {kind.target(_NEW): (await kind.read(context, key))[0]}

    if kind.external_id is not None:
        field = kind.external_id

        @write.lookup
        async def _(context: Context) -> T | None:
            return next(iter(await _found(kind, context, {field: context.key})), None)

    return write


def _create_options(kind: _Kind[T]) -> WriteOptions:
    options: WriteOptions = {
        "effect": Effect.CREATE,
        "tier": kind.tier("create", Tier.MEDIUM),
        "data_classes": kind.data_classes(),
        "volatile": [name for name in kind.fields if name not in kind.writable],
    }
    if kind.external_id is not None:
        options["idempotency"] = Idempotency(kind="lookup", name=kind.external_id)
    if "delete" in kind.verbs:
        arguments = {kind.key: f"/output/{kind.key}"}
        options["reversal"] = Reversal.EXACT
        options["compensation"] = Compensation(tool=f"{kind.name}_delete", arguments=arguments, kind=Reversal.EXACT)
    return options


def _update(kind: _Kind[T]) -> Write[..., T]:
    async def update(context: Context, /, **named: Json) -> T:
        key = named[kind.key]
        fields, if_match = await kind.guarded(context, key)
        changes = {**context.given(*kind.writable), **fields}
        if kind.update_with == "PATCH":
            return await context.patch(kind.place(key), changes, kind.model, if_match=if_match)
        before = {name: context.before[kind.target(key)].get(name) for name in kind.writable}
        return await context.put(kind.place(key), {**before, **changes}, kind.model, if_match=if_match)

    optional = {name: (_type_of(kind.fields[name]) | None, None) for name in kind.writable}
    key_alone = {kind.key: (_type_of(kind.fields[kind.key]), ...)}
    _shape(update, {**key_alone, **optional}, kind.model, f"Change a {kind.noun}; what is left out stays as it is.")
    write = Write(f"{kind.name}_update", update, _update_options(kind))

    @write.preview
    async def _(context: Context, **named: Json) -> Preview:
        before, token = await kind.read(context, named[kind.key])
        guard: dict[str, Json] = {} if token is None else {"guard": token}
        changes = context.given(*kind.writable)
        return Preview.update(kind.target(named[kind.key]), before, changes, unknown=kind.volatile, **guard)

    @write.observe
    async def _(context: Context, receipt: Receipt[T]) -> dict[str, T]:
        key = receipt.input[kind.key]
        return {kind.target(key): (await kind.read(context, key))[0]}

    return write


def _update_options(kind: _Kind[T]) -> WriteOptions:
    options: WriteOptions = {
        "effect": Effect.UPDATE,
        "tier": kind.tier("update", Tier.MEDIUM),
        "data_classes": kind.data_classes(),
        "volatile": kind.volatile,
    }
    if kind.guard is not None:
        options["upstream_class"] = UpstreamClass.B
    restored = [name for name in kind.writable if name not in kind.clearable]
    if restored:
        arguments = {kind.key: f"/input/{kind.key}", **{name: f"/before/0/{name}" for name in restored}}
        options["reversal"] = Reversal.PARTIAL if kind.clearable else Reversal.EXACT
        options["residue"] = kind.clearable
        options["compensation"] = Compensation(
            tool=f"{kind.name}_update", arguments=arguments, kind=options["reversal"]
        )
    return options


def _delete(kind: _Kind[T]) -> Write[..., Removed]:
    async def delete(context: Context, /, **named: Json) -> Removed:
        key = named[kind.key]
        _, if_match = await kind.guarded(context, key)
        await context.delete(kind.place(key), if_match=if_match)
        return Removed(key=str(key))

    _shape(delete, {kind.key: (_type_of(kind.fields[kind.key]), ...)}, Removed, f"Delete a {kind.noun}.")
    options: WriteOptions = {
        "effect": Effect.DELETE,
        "tier": kind.tier("delete", Tier.HIGH),
        "data_classes": kind.data_classes(),
    }
    if kind.guard is not None and kind.guard.sent == "if_match":
        options["upstream_class"] = UpstreamClass.B
    write = Write(f"{kind.name}_delete", delete, options)

    @write.preview
    async def _(context: Context, **named: Json) -> Preview:
        before, token = await kind.read(context, named[kind.key])
        guard: dict[str, Json] = {} if token is None else {"guard": token}
        return Preview.delete(kind.target(named[kind.key]), before, **guard)

    return write


Argument = tuple[Any, Any]


def _shape(
    function: Callable[..., Awaitable[Any]], arguments: Mapping[str, Argument], returns: type[BaseModel], said: str
) -> None:
    """Give `function` the parameters, the result and the description that make its schemas."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Context)]
    parameters += [
        inspect.Parameter(
            name, keyword, default=inspect.Parameter.empty if default is ... else default, annotation=annotation
        )
        for name, (annotation, default) in arguments.items()
    ]
    function.__signature__ = inspect.Signature(parameters, return_annotation=returns)  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]  # what inspect reads
    function.__annotations__ = {**{one.name: one.annotation for one in parameters}, "return": returns}
    function.__doc__ = said


def _type_of(info: FieldInfo) -> Any:  # noqa: ANN401  # a type made at run time
    described = [Field(description=info.description)] if info.description else []
    return Annotated[(info.annotation, *info.metadata, *described)] if info.metadata or described else info.annotation


def _argument(info: FieldInfo) -> Argument:
    if info.is_required():
        return _type_of(info), ...
    return _type_of(info) | None, None
