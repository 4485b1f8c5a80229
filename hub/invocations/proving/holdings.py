"""Comparing what a system held before and after: by all its contents where those can be seen."""

from collections.abc import Collection, Iterator

from connectors.sdk.harness import Contents

GONE = "*gone"
NEW = "*new"
_MOST_NAMED = 8


def differences(before: Contents, after: Contents) -> list[tuple[str, str]]:
    """Return what differs, as pairs of record and field; a whole record is `GONE` or `NEW` instead of a field."""
    return [pair for record in sorted(before.keys() | after.keys()) for pair in _of_record(record, before, after)]


def undeclared(found: list[tuple[str, str]], declared: Collection[str]) -> list[tuple[str, str]]:
    """Return the differences of which `declared` names neither the field nor the kind of record."""
    return [(record, field) for record, field in found if not {field, kind_of(record)} & {*declared}]


def kind_of(record: str) -> str:
    """Return what kind of record `kind/number` is."""
    return record.rpartition("/")[0]


def listed(found: list[tuple[str, str]]) -> str:
    """Return the differences as a few words."""
    words = {GONE: "is gone", NEW: "is new"}
    named = [f"{record} {words.get(field, field)}" for record, field in found[:_MOST_NAMED]]
    more = len(found) - _MOST_NAMED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _of_record(record: str, before: Contents, after: Contents) -> Iterator[tuple[str, str]]:
    then, now = before.get(record), after.get(record)
    if then is None or now is None:
        yield record, NEW if then is None else GONE
        return
    if then == now:  # as nearly all are, of many thousands
        return
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            yield record, name
