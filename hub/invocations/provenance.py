"""Where the values of a write come from: which of them stood in a result before, whose, and in which run.

What calls of a run brought back is kept as keyed HMACs of its values, never as the values: a text as a whole, and those
words of it that tell something (a number, an address, a code), since what an agent is talked into mostly stands inside
a text. What a call was itself given is not its result. Nothing is kept of calls that name no run, nor of secrets.

Runs are named by agents. So a value that an untrusted result showed counts as untrusted in any run of the same agent
and user, and one that a trusted result showed is known in that run alone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Any, Final, cast

from pydantic import TypeAdapter
from sqlalchemy import Insert, delete, select

from hub.core.redaction import REDACTED
from hub.invocations.tables import SeenValueRow
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.registry import PublishedTool
from hub.storage import Database, Insertion, Tx, dialect_of, insert_into, now

Json = Any
"""Any JSON value."""

KEPT: Final = timedelta(days=7)
MOST_VALUES: Final = 1000
"""Values kept of one result. Of a longer one is kept that there was more."""
_MOST_ARGUMENTS: Final = 100
_LONGEST: Final = 2000
_MAC: Final = 32
_MORE: Final = "\0more"
_ADDRESSED: Final = "\0addressed"
NO_RUN: Final = ""
"""What stands for the run of calls that name none, where it matters that there was one."""
ADDRESSED_WITHOUT_RUN: Final = timedelta(hours=1)
"""How long a result that speaks to the model counts where it, or the write, names no run."""
_WORD: Final = re.compile(r"[^\s,;<>\"'()\[\]{}|]+")
_TELLING: Final = re.compile(r"(?=.*[\d@])\S{5,}")
_SECRET: Final = REDACTED[:-1]


class Origin(StrEnum):
    """Where a value was first seen."""

    RESULT = "result"
    """A tool brought it back."""
    APPROVED = "approved"
    """People agreed to an earlier write with it."""
    UNKNOWN = "unknown"
    """Nowhere in this run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Where one value of the arguments comes from: `argument` is its pointer, `tool` the one that showed it first."""

    argument: str
    origin: Origin
    tool: str = ""
    is_trusted: bool = False
    in_another_run: bool = False
    is_certain: bool = True
    """Whether the value itself was seen, and not only a result that was too long to keep."""

    @property
    def name(self) -> str:
        """The argument of the call in which the value stands."""
        return self.argument.split("/")[1] if "/" in self.argument else self.argument

    @property
    def is_untrusted(self) -> bool:
        """Whether somebody may have written it for whom nobody vouches."""
        return self.origin is Origin.RESULT and not self.is_trusted

    def as_json(self) -> dict[str, Json]:
        """Return it as it is stored."""
        return {**asdict(self), "origin": self.origin.value}


_READER: Final = TypeAdapter(tuple[Trace, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What showed values: an invocation, its tool, and whether the tool's owner vouches for what it brings back."""

    standing: Invocation
    tool: str
    is_trusted: bool


def source_of(standing: Invocation, tool: PublishedTool) -> Source:
    """Return what `standing` is as a source of values."""
    name = f"{tool.connector.name}.{tool.operation.name}"
    return Source(standing=standing, tool=name, is_trusted=tool.tool.is_trusted)


def shown_by(source: Source, output: Json, keys: Keyring) -> list[dict[str, Json]]:
    """Return the rows that keep what a result showed, without times; none for a call that names no run."""
    standing = source.standing
    if standing.claims.run is None:
        return []
    own = set(_readings(standing.arguments))
    found = list(islice(dict.fromkeys(text for text in _readings(output) if text not in own), MOST_VALUES + 1))
    if len(found) > MOST_VALUES:
        found[MOST_VALUES:] = [_MORE]
    return [_row(source, text, Origin.RESULT, keys) for text in found]


def agreed_in(source: Source, keys: Keyring) -> list[dict[str, Json]]:
    """Return the rows that keep what people agreed to, without times."""
    if source.standing.claims.run is None:
        return []
    texts = dict.fromkeys(text for _, text in _scalars(source.standing.arguments, ""))
    return [_row(source, text, Origin.APPROVED, keys) for text in islice(texts, MOST_VALUES)]


def addressed_by(source: Source, keys: Keyring) -> list[dict[str, Json]]:
    """Return the row that keeps that a result speaks to the model, unless its owner vouches for what it brings back."""
    if source.is_trusted:
        return []
    return [{**_row(source, _ADDRESSED, Origin.RESULT, keys), "run_id": source.standing.claims.run or NO_RUN}]


async def addressing_tool(tx: Tx, standing: Invocation, keys: Keyring, at: datetime) -> str | None:
    """Return the tool whose result spoke to the model in the run of `standing`; None: none did.

    Where one of the two names no run, it may be the same: then it counts for an hour.
    """
    rows = await tx.scalars(select(SeenValueRow).where(SeenValueRow.mac == _mac(standing, _ADDRESSED, keys)))
    run, since = standing.claims.run, at - ADDRESSED_WITHOUT_RUN
    for row in sorted(rows, key=lambda one: one.seen_at):
        is_unclear = run is None or row.run_id == NO_RUN
        if row.run_id == run or (is_unclear and row.seen_at > since):
            return row.tool
    return None


async def keep_values(tx: Tx, rows: Iterable[Mapping[str, Json]]) -> None:
    """Put rows on record; what was seen earlier in the same run stays as it was."""
    if given := list(rows):
        for insertion in insertions(tx, given, at=await now(tx)):
            await tx.execute(insertion.statement, insertion.rows)


def insertions(place: Tx | Database, rows: Iterable[Mapping[str, Json]], *, at: datetime) -> list[Insertion]:
    """Return what `keep_values` inserts."""
    # in one order, so that two transactions that keep the same values wait for each other and do not deadlock
    first: dict[tuple[str, str], dict[str, Json]] = {}
    for row in rows:
        first.setdefault((row["mac"], row["run_id"]), {**row, "seen_at": at})
    ordered = [first[key] for key in sorted(first)]
    once = [row for row in ordered if row["run_id"] != NO_RUN]
    again = [row for row in ordered if row["run_id"] == NO_RUN]
    keeping, renewing = _statements(dialect_of(place))
    return [Insertion(statement, rows) for statement, rows in ((keeping, once), (renewing, again)) if rows]


@cache
def _statements(dialect: str) -> tuple[Insert, Insert]:
    """Return what keeps a value that may be kept already: as it was, and as seen just now."""
    renewing = insert_into(dialect, SeenValueRow)
    renewed = {"seen_at": renewing.excluded.seen_at, "tool": renewing.excluded.tool}
    return (
        insert_into(dialect, SeenValueRow).on_conflict_do_nothing(),
        renewing.on_conflict_do_update(index_elements=["mac", "run_id"], set_=renewed),
    )


async def forget_values(tx: Tx) -> None:
    """Forget what was seen too long ago to matter."""
    await tx.execute(delete(SeenValueRow).where(SeenValueRow.seen_at < await now(tx) - KEPT))


async def forget_shown(tx: Tx, standing: Invocation, keys: Keyring) -> None:
    """Forget the values that an invocation has, in its run: which are looked for by what they are."""
    if standing.claims.run is None:
        return
    texts = {*_readings(standing.arguments), *_readings(standing.output)}
    macs = [_mac(standing, text, keys) for text in sorted(texts)]
    for start in range(0, len(macs), MOST_VALUES):
        mine = SeenValueRow.mac.in_(macs[start : start + MOST_VALUES])
        await tx.execute(delete(SeenValueRow).where(mine, SeenValueRow.run_id == standing.claims.run))


async def trace(tx: Tx, standing: Invocation, keys: Keyring) -> list[Trace]:
    """Return where each value of the arguments was first seen."""
    run = standing.claims.run
    values = list(islice(_scalars(standing.arguments, ""), _MOST_ARGUMENTS + 1))
    macs = {text: _mac(standing, text, keys) for _, whole in values for text in (whole, *_words(whole), _MORE)}
    query = select(SeenValueRow).where(SeenValueRow.mac.in_(macs.values())).order_by(SeenValueRow.seen_at)
    seen: Sequence[SeenValueRow] = () if run is None else (await tx.scalars(query)).all()
    rows: dict[str, list[SeenValueRow]] = {}
    for row in seen:
        rows.setdefault(row.mac, []).append(row)
    more = rows.get(macs.get(_MORE, ""), [])
    found = [
        _trace(pointer, [rows.get(macs[text], []) for text in (whole, *_words(whole))], more, run)
        for pointer, whole in values[:_MOST_ARGUMENTS]
    ]
    if len(values) > _MOST_ARGUMENTS:
        found.append(Trace(argument="/", origin=Origin.UNKNOWN))
    return found


def overlaid(found: Sequence[Trace], flows: Sequence[Trace]) -> list[Trace]:
    """Return `found` with what is known of some arguments for certain; what counts as untrusted stays so."""
    known = [flow for flow in flows if not any(one.is_untrusted and _is_within(one, flow) for one in found)]
    return [*(one for one in found if not any(_is_within(one, flow) for flow in known)), *known]


def _is_within(one: Trace, flow: Trace) -> bool:
    return one.argument == flow.argument or one.argument.startswith(f"{flow.argument}/")


def traces_of(standing: Invocation) -> tuple[Trace, ...]:
    """Return what was found out about the values of `standing` when it was received."""
    return _READER.validate_python(standing.provenance)


def _trace(pointer: str, places: list[list[SeenValueRow]], more: list[SeenValueRow], run: str | None) -> Trace:
    """Decide where a value comes from, whose whole was seen at `places[0]` and whose words at the others."""
    whole, words = places[0], [row for place in places[1:] for row in place]
    here = [row for row in whole if row.run_id == run]
    if here:
        return _told(pointer, here[0], run)
    untrusted = [row for row in (*whole, *words) if row.origin == Origin.RESULT.value and not row.is_trusted]
    if untrusted:
        return _told(pointer, untrusted[0], run)
    known = [row for row in words if row.run_id == run]
    if known:
        return _told(pointer, known[0], run)
    longer = [row for row in more if not row.is_trusted]
    if longer:
        return replace(_told(pointer, longer[0], run), is_certain=False)
    return Trace(argument=pointer, origin=Origin.UNKNOWN)


def _told(pointer: str, row: SeenValueRow, run: str | None) -> Trace:
    return Trace(
        argument=pointer,
        origin=Origin(row.origin),
        tool=row.tool,
        is_trusted=row.is_trusted,
        in_another_run=row.run_id != run,
    )


def _row(source: Source, text: str, origin: Origin, keys: Keyring) -> dict[str, Json]:
    standing = source.standing
    return {
        "mac": _mac(standing, text, keys),
        "run_id": standing.claims.run,
        "origin": origin.value,
        "tool": source.tool,
        "is_trusted": source.is_trusted,
    }


def _mac(standing: Invocation, text: str, keys: Keyring) -> str:
    whose = f"provenance:{standing.agent_id}:{standing.on_behalf_of_id or ''}"
    return keys.authenticate(text.encode(), context=whose)[:_MAC]


def _readings(value: Json) -> Iterator[str]:
    """Yield the values of a result as they are looked for: each as a whole, and its telling words."""
    for _, text in _scalars(value, ""):
        yield text
        yield from _words(text)


def _words(text: str) -> list[str]:
    words = (word.strip(".:!?") for word in _WORD.findall(text[:_LONGEST]))
    return [word for word in words if word != text and _TELLING.fullmatch(word)]


def _scalars(value: Json, pointer: str) -> Iterator[tuple[str, str]]:
    """Yield each text and number with its pointer; true, false, null, the empty text and secrets tell nothing."""
    if isinstance(value, Mapping):
        for name, member in cast("Mapping[str, Json]", value).items():
            yield from _scalars(member, f"{pointer}/{name}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(cast("list[Json]", value)):
            yield from _scalars(item, f"{pointer}/{number}")
    elif isinstance(value, str):
        if value.strip() and not value.startswith(_SECRET):
            yield pointer, value.strip()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield pointer, str(value)
