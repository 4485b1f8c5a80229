"""Carrying out SQL operations: what the broker's transactions came to, in the words that every connector uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from connectors.sdk.errors import ConnectorError, NotFound
from connectors.sdk.preview import Blast, Change, Precondition, Preview, SideEffect
from connectors.sdk.run import (
    PHASE_MISSING,
    UNKNOWN_OPERATION,
    Done,
    Failed,
    Observed,
    PhaseCall,
    PhaseResult,
    Previewed,
)
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Phase
from connectors.sql.binding import Binding, Written

Json = Any
"""Any JSON value."""

Row = dict[str, Json]

_EFFECTS = {"insert": Effect.CREATE, "update": Effect.UPDATE, "delete": Effect.DELETE}
_SEQUENCES = (
    "Sequences are not rolled back: the trial of an insert uses up a number of each that fills one of its columns."
)
_TRIGGERS = "What the allowed triggers do outside the database cannot be seen from here."
_FUNCTIONS = "What the functions that the manifest allows do outside the database cannot be seen from here."
_NEW = "new"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as the database answered them; `more` says that there are more."""

    rows: Sequence[Row]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One row before and after, in full, and its version before."""

    before: Row | None
    after: Row | None
    token: str

    def target(self, written: Written) -> str:
        """Return what people call the row; a key that nobody can know yet is called new."""
        if self.before is None and {*written.key} & {*written.unknown}:
            return f"{written.table}/{_NEW}"
        row = self.before or self.after or {}
        return f"{written.table}/{'/'.join(str(row[name]) for name in written.key)}"[:200]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a write that was rolled back had done: to its rows, and how many rows of other tables it had changed."""

    pairs: Sequence[Pair]
    others: Mapping[str, int] = field(default_factory=dict[str, int])


class Channel(Protocol):
    """The only way to the database: names of registered statements and their arguments go in, rows come out."""

    async def read(self, name: str, arguments: Mapping[str, Json]) -> Rows:
        """Return what the read `name` answers."""
        ...

    async def record(self, name: str, keys: Sequence[Mapping[str, Json]]) -> list[Row | None]:
        """Return the rows with these keys of the table that `name` writes."""
        ...

    async def trial(self, name: str, arguments: Mapping[str, Json]) -> Trial:
        """Carry the write `name` out and roll it back."""
        ...

    async def write(self, name: str, arguments: Mapping[str, Json], *, guard: Mapping[str, str], key: str) -> Rows:
        """Carry the write `name` out, once."""
        ...


class SqlRunner(Protocol):
    """What runs an operation of an SQL connector."""

    async def __call__(self, spec: ConnectorSpec, call: PhaseCall, channel: Channel) -> PhaseResult:
        """Run the phase that `call` names of an operation of `spec`."""
        ...


async def carry_out(spec: ConnectorSpec, call: PhaseCall, channel: Channel) -> PhaseResult:
    """Run the phase that `call` names of an operation that `connectors.sql.compile` made."""
    try:
        binding = Binding.model_validate(spec.operation(call.operation).binding)
    except KeyError:
        return Failed(code=UNKNOWN_OPERATION, message=f"{spec.name} has no operation {call.operation!r}.")
    try:
        return await _phase(binding, call, channel)
    except ConnectorError as error:
        return Failed(code=error.code, message=error.message)


async def _phase(binding: Binding, call: PhaseCall, channel: Channel) -> PhaseResult:
    written = binding.written
    if written is None:
        if call.phase is not Phase.READ:
            return Failed(code=PHASE_MISSING, message=f"{call.operation} has no {call.phase}.")
        return Done(output=_read(binding, await channel.read(call.operation, call.arguments)))
    match call.phase:
        case Phase.PREVIEW:
            return Previewed(preview=_preview(binding, written, await channel.trial(call.operation, call.arguments)))
        case Phase.COMMIT:
            key = call.idempotency_key or ""
            rows = await channel.write(call.operation, call.arguments, guard=call.guard, key=key)
            return Done(output=_output(binding, [_shown(row, written) for row in rows.rows], more=False))
        case Phase.OBSERVE:
            return await _observed(binding, written, call, channel)
        case _:
            return Failed(code=PHASE_MISSING, message=f"{call.operation} has no {call.phase}.")


def _read(binding: Binding, rows: Rows) -> Json:
    if binding.is_single and not rows.rows:
        raise NotFound(f"There is no such row of {binding.tables[0]}.")
    return _output(binding, rows.rows, more=rows.more)


def _output(binding: Binding, rows: Sequence[Row], *, more: bool) -> Json:
    if binding.is_single:
        return rows[0] if rows else {}
    return {"rows": list(rows), "more": more}


def _preview(binding: Binding, written: Written, trial: Trial) -> Preview:
    guards = [pair for pair in trial.pairs if pair.before is not None]
    filled = {*written.unknown} - {written.reference}
    notes = [_SEQUENCES] if binding.kind == "insert" and filled else []
    notes += [_TRIGGERS] if written.triggers else []
    notes += [_FUNCTIONS] if binding.functions else []
    others = sorted(trial.others.items())
    return Preview(
        changes=tuple(_change(binding, written, pair) for pair in trial.pairs),
        side_effects=tuple(SideEffect(kind="rows changed too", recipient=f"{name}: {count}") for name, count in others),
        preconditions=tuple(Precondition(target=pair.target(written), token=pair.token) for pair in guards),
        blast=Blast(rows=len(trial.pairs) + sum(trial.others.values())),
        fidelity=Fidelity.EXECUTED,
        not_covered=tuple(notes),
    )


def _change(binding: Binding, written: Written, pair: Pair) -> Change:
    after = None if pair.after is None else _shown(pair.after, written)
    if after is not None:
        # what nobody can know yet is left out: the trial's value would be a promise
        after = {name: value for name, value in after.items() if name not in written.unknown}
    return Change(
        target=pair.target(written),
        effect=_EFFECTS[binding.kind],
        before=None if pair.before is None else _shown(pair.before, written),
        after=after,
        unknown=() if after is None else tuple(name for name in written.unknown if name in written.shown),
        sensitive=written.sensitive,
    )


async def _observed(binding: Binding, written: Written, call: PhaseCall, channel: Channel) -> PhaseResult:
    """Return the rows as they are: found by the keys they had, or by the key that the commit answered."""
    found = dict(call.before)
    if binding.kind == "insert":
        for row in _rows_of(call.output):
            found[Pair(before=None, after=row, token="").target(written)] = row
    keys = [{name: row[name] for name in written.key} for row in found.values()]
    rows = await channel.record(call.operation, keys)
    records = {name: None if row is None else _shown(row, written) for name, row in zip(found, rows, strict=True)}
    return Observed(records=records)


def _rows_of(output: Json) -> list[Row]:
    if not isinstance(output, dict):
        return []
    answer = cast("dict[str, Json]", output)
    rows = cast("list[Row]", answer["rows"]) if isinstance(answer.get("rows"), list) else [answer]
    return [row for row in rows if row]


def _shown(row: Mapping[str, Json], written: Written) -> Row:
    return {name: row[name] for name in written.shown}
