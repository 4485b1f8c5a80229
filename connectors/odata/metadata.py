"""What a `$metadata` document says: entity sets, types, operations and annotations, with every alias resolved."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.openapi.document import Object, as_list, as_object, as_text

Json = Any
"""Any JSON value."""

CORE: Final = "Org.OData.Core.V1."
CAPABILITIES: Final = "Org.OData.Capabilities.V1."
COMMON: Final = "com.sap.vocabularies.Common.v1."
VALIDATION: Final = "Org.OData.Validation.V1."
_MOST_BASES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A type as it is used: by a property, a parameter or a result. `edm` is the primitive type behind it, if any."""

    name: str
    edm: str
    is_collection: bool = False
    is_nullable: bool = False
    max_length: int | None = None
    precision: int | None = None
    scale: int | None = None
    choices: tuple[str, ...] = ()
    is_flags: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A property of a type, or a parameter of an operation."""

    name: str
    type: Typed
    has_default: bool = False
    terms: Mapping[str, Json] = field(default_factory=dict[str, Json])

    def has(self, term: str) -> bool:
        """Return whether it is annotated with `term`, and not with its opposite."""
        return self.terms.get(term, False) is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigation:
    """A property that leads to other records; `owns` says that they live and die with this one."""

    name: str
    type: str
    is_collection: bool
    owns: bool
    partner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """An entity type or a complex type, with what it inherits."""

    name: str
    key: tuple[str, ...]
    properties: tuple[Property, ...]
    navigations: tuple[Navigation, ...]
    dependents: Mapping[str, tuple[str, ...]]
    """Properties that repeat the key of the record that a navigation leads to, by the navigation's name."""
    is_abstract: bool = False
    terms: Mapping[str, Json] = field(default_factory=dict[str, Json])

    def property(self, name: str) -> Property | None:
        """Return the property called `name`, if there is one."""
        return next((one for one in self.properties if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An action or a function. The first parameter of a bound one is what it is bound to."""

    name: str
    is_action: bool
    is_bound: bool
    parameters: tuple[Property, ...]
    returns: Typed | None
    terms: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySet:
    """A set of records that has an address of its own."""

    name: str
    type: Structure
    terms: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An operation that has an address of its own."""

    name: str
    operation: Operation


class Metadata:
    """The document, read by name."""

    def __init__(self, root: Mapping[str, Json]) -> None:
        self._schemas = {name: as_object(said) for name, said in root.items() if not name.startswith("$")}
        self._aliases = {as_text(said.get("$Alias")): name for name, said in self._schemas.items() if "$Alias" in said}
        for reference in as_object(root.get("$Reference")).values():
            for one in as_list(as_object(reference).get("$Include")):
                included = as_object(one)
                if "$Alias" in included:
                    self._aliases[as_text(included["$Alias"])] = as_text(included.get("$Namespace"))
        self._external = self._targets()
        self.container_name = self.qualified(as_text(root.get("$EntityContainer")))
        self.container = as_object(self._found(self.container_name))

    def qualified(self, name: str) -> str:
        """Return `name` with its alias resolved."""
        prefix, _, last = name.rpartition(".")
        return f"{self._aliases.get(prefix, prefix)}.{last}" if prefix else last

    def sets(self) -> Iterator[EntitySet]:
        """Yield the entity sets of the service, singletons left out."""
        for name, part in self.container.items():
            said = as_object(part)
            structure = self.structure(self.qualified(as_text(said.get("$Type"))))
            if said.get("$Collection") is True and structure is not None:
                terms = self._terms(f"{self.container_name}/{name}", said)
                yield EntitySet(name=name, type=structure, terms=terms)

    def others(self) -> Iterator[tuple[str, str]]:
        """Yield names and reasons of what has an address and no tool."""
        for name, part in self.container.items():
            said = as_object(part)
            if "$Type" in said and said.get("$Collection") is not True:
                yield name, "It is a singleton, which is not imported."
            elif "$Type" in said and self.structure(self.qualified(as_text(said["$Type"]))) is None:
                yield name, "Its type is not in the document."

    def imports(self) -> Iterator[Import]:
        """Yield the unbound operations, once for each overload."""
        for name, part in self.container.items():
            said = as_object(part)
            for operation in self._overloads(as_text(said.get("$Action") or said.get("$Function"))):
                if not operation.is_bound:
                    yield Import(name=name, operation=operation)

    def bound_to(self, type_name: str) -> Iterator[Operation]:
        """Yield the operations that are bound to one record of the type."""
        for namespace, said in self._schemas.items():
            for name, value in said.items():
                if name.startswith(("$", "@")) or not isinstance(value, list):
                    continue
                for one in self._overloads(f"{namespace}.{name}"):
                    first = one.parameters[0].type if one.is_bound and one.parameters else None
                    if first is not None and first.name == type_name and not first.is_collection:
                        yield one

    def structure(self, name: str) -> Structure | None:
        """Return the entity type or the complex type called `name`, with what it inherits."""
        chain = [*self._bases(name)]
        if not chain:
            return None
        members = {
            key: (owner, value)
            for owner, said in reversed(chain)
            for key, value in said.items()
            if not key.startswith(("$", "@"))
        }
        key = [one for _, said in chain if "$Key" in said for one in as_list(said["$Key"])]
        navigations = {key: as_object(value) for key, (_, value) in members.items() if _is_navigation(value)}
        return Structure(
            name=name,
            key=tuple(one for one in key if isinstance(one, str)),
            properties=tuple(
                self._property(key, as_object(value), f"{owner}/{key}")
                for key, (owner, value) in members.items()
                if not _is_navigation(value)
            ),
            navigations=tuple(self._navigation(name, said) for name, said in navigations.items()),
            dependents={
                name: tuple(as_object(said.get("$ReferentialConstraint"))) for name, said in navigations.items()
            },
            is_abstract=chain[0][1].get("$Abstract") is True,
            terms=self._terms(name, chain[0][1]),
        )

    def _bases(self, name: str) -> Iterator[tuple[str, Object]]:
        for _ in range(_MOST_BASES):
            said = as_object(self._found(name))
            if said.get("$Kind") not in {"EntityType", "ComplexType"}:
                return
            yield name, said
            name = self.qualified(as_text(said.get("$BaseType")))

    def _property(self, name: str, said: Object, target: str) -> Property:
        return Property(
            name=name,
            type=self.typed(said),
            has_default="$DefaultValue" in said,
            terms=self._terms(target, said),
        )

    def _navigation(self, name: str, said: Object) -> Navigation:
        return Navigation(
            name=name,
            type=self.qualified(as_text(said.get("$Type"))),
            is_collection=said.get("$Collection") is True,
            owns=said.get("$ContainsTarget") is True or said.get("$OnDelete") == "Cascade",
            partner=as_text(said.get("$Partner")),
        )

    def typed(self, said: Mapping[str, Json]) -> Typed:
        """Return the type that `said` names, what a type definition or an enumeration is made of included."""
        name = self.qualified(as_text(said.get("$Type")) or "Edm.String")
        definition = as_object(self._found(name))
        choices, edm = tuple[str, ...](), name if name.startswith("Edm.") else ""
        if definition.get("$Kind") == "EnumType":
            choices = tuple(one for one in definition if not one.startswith(("$", "@")) and "@" not in one)
        if definition.get("$Kind") == "TypeDefinition":
            edm = as_text(definition.get("$UnderlyingType"))
        return Typed(
            name=name,
            edm=edm,
            is_collection=said.get("$Collection") is True,
            is_nullable=said.get("$Nullable") is True,
            max_length=_count(said.get("$MaxLength")),
            precision=_count(said.get("$Precision")),
            scale=_count(said.get("$Scale")),
            choices=choices,
            is_flags=definition.get("$IsFlags") is True,
        )

    def _overloads(self, name: str) -> Iterator[Operation]:
        qualified = self.qualified(name)
        for one in as_list(self._found(qualified)):
            said = as_object(one)
            returns = said.get("$ReturnType")
            parameters = [as_object(parameter) for parameter in as_list(said.get("$Parameter"))]
            yield Operation(
                name=qualified,
                is_action=said.get("$Kind") == "Action",
                is_bound=said.get("$IsBound") is True,
                parameters=tuple(
                    self._property(as_text(parameter.get("$Name")), parameter, "") for parameter in parameters
                ),
                returns=None if returns is None else self.typed(as_object(returns)),
                terms=self._terms(qualified, said),
            )

    def _found(self, name: str) -> Json:
        namespace, _, last = name.rpartition(".")
        return self._schemas.get(namespace, {}).get(last)

    def _targets(self) -> dict[str, Object]:
        found = dict[str, Object]()
        for said in self._schemas.values():
            for target, terms in as_object(said.get("$Annotations")).items():
                owner, slash, rest = target.partition("/")
                place = f"{self.qualified(owner.partition('(')[0])}{slash}{rest}"
                found.setdefault(place, {}).update(as_object(terms))
        return found

    def _terms(self, target: str, said: Mapping[str, Json]) -> Object:
        """Return the annotations of `target`, in the place or beside it, by the full name of each term."""
        both = {**said, **self._external.get(target, {})}
        return {self.qualified(name[1:]): value for name, value in both.items() if name.startswith("@")}


def _is_navigation(value: Json) -> bool:
    return as_object(value).get("$Kind") == "NavigationProperty"


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
