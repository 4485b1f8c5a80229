"""What a release of a connector changes: field by field, between what is registered and what is to be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from sqlalchemy import select

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.registry.stored import release_spec
from hub.registry.tables import ConnectorRow
from hub.storage import Tx

Json = Any
"""Any JSON value."""

_ABSENT = object()
_NAMES: Final = ("uri", "uriTemplate", "name")
"""What names an item of a list, where all of its items have it."""


class Kind(StrEnum):
    """What happens to an operation, or to the connector itself."""

    NEW = "new"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field by its JSON pointer; what was not there, or will not be, is None and `is_absent_*` says so."""

    pointer: str
    before: Json
    after: Json
    is_absent_before: bool = False
    is_absent_after: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changes of one operation; `operation` is empty for what the connector brings to all of them."""

    operation: str
    kind: Kind
    fields: tuple[FieldChange, ...] = ()


async def registered(tx: Tx, name: str) -> ConnectorSpec | None:
    """Return the newest release of the connector `name`, None if there is none."""
    newest = await tx.scalar(select(ConnectorRow.release_id).where(ConnectorRow.name == name))
    return None if newest is None else await release_spec(tx, newest)


def differences(before: ConnectorSpec | None, after: ConnectorSpec) -> list[Difference]:
    """Return what registering `after` changes, the connector first, then its operations by name."""
    if before is None:
        return [_brought(one) for one in after.operations]
    found = list[Difference]()
    if changes := tuple(fields("", _passport(before), _passport(after))):
        found.append(Difference(operation="", kind=Kind.CHANGED, fields=changes))
    then, now = ({one.name: one for one in spec.operations} for spec in (before, after))
    for name in sorted(then.keys() | now.keys()):
        old, new = then.get(name), now.get(name)
        if new is None:
            found.append(Difference(operation=name, kind=Kind.GONE))
        elif old is None:
            found.append(_brought(new))
        elif changes := tuple(fields("", old.model_dump(mode="json"), new.model_dump(mode="json"))):
            found.append(Difference(operation=name, kind=Kind.CHANGED, fields=changes))
    return found


def _brought(operation: OperationSpec) -> Difference:
    """Return what a new operation brings: all that is said of it; things that it lists by themselves."""
    told = operation.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
    listing = told.get("binding", {}).get("listed")
    empty = {each: list[Json]() for each in cast("Mapping[str, Json]", listing or {})}
    found = fields("", {"binding": {"listed": empty}} if empty else {}, told)
    return Difference(operation=operation.name, kind=Kind.NEW, fields=tuple(found))


def _passport(spec: ConnectorSpec) -> dict[str, Json]:
    return spec.model_dump(mode="json", exclude={"operations"})


def fields(pointer: str, before: Json, after: Json) -> Iterator[FieldChange]:
    """Yield what differs between two values that stand at `pointer`.

    Lists whose items have names are compared item by item, with its name in the place of its number; others as wholes.
    """
    if (named := _by_name(before, after)) is not None:
        before, after = named
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast("Mapping[str, Json]", before), cast("Mapping[str, Json]", after)
        for name in sorted(old.keys() | new.keys()):
            step = name.replace("~", "~0").replace("/", "~1")
            yield from fields(f"{pointer}/{step}", old.get(name, _ABSENT), new.get(name, _ABSENT))
    elif before != after:
        yield FieldChange(
            pointer=pointer,
            before=None if before is _ABSENT else before,
            after=None if after is _ABSENT else after,
            is_absent_before=before is _ABSENT,
            is_absent_after=after is _ABSENT,
        )


def _by_name(before: Json, after: Json) -> tuple[dict[str, Json], dict[str, Json]] | None:
    """Return the items of two lists by what names them; None if nothing does, or they are in another order."""
    if not isinstance(before, list) or not isinstance(after, list):
        return None
    for key in _NAMES:
        old, new = _keyed(cast("list[Json]", before), key), _keyed(cast("list[Json]", after), key)
        if old is not None and new is not None and [n for n in old if n in new] == [n for n in new if n in old]:
            return old, new
    return None


def _keyed(items: list[Json], key: str) -> dict[str, Json] | None:
    objects = [cast("Mapping[str, Json]", one) for one in items if isinstance(one, dict)]
    found = {name: one for one in objects if isinstance(name := one.get(key), str)}
    return dict(found) if len(found) == len(items) else None
