"""The channel of one run: it takes an operation's name and arguments, never SQL, and owns the transaction.

| kind | transaction | ends with |
| --- | --- | --- |
| read | read-only | rollback |
| preview | as a commit's, constraints immediate | always rollback: nothing here can commit on this kind |
| write | rows locked, guard checked, permit awaited, then written | COMMIT, or rollback |

What may be said of a write: until COMMIT is sent it is definitely not done; from then on it is done if the database
says so, not done if the database says so, and unknown if it says nothing.
"""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from connectors.sdk.errors import Conflict, ConnectorError, NotFound, Refused, Unavailable, Unknown
from connectors.sdk.spec import ConnectorSpec
from connectors.sql.binding import Binding, Text, Written
from connectors.sql.run import Pair, Rows, Trial
from sandbox.broker import ChannelKind, Permit, Stopped
from sandbox.sql.rereading import read_again
from sandbox.sql.session import CommitUnclear, Mode, Row, Session, System, WriteAttempt
from sandbox.sql.values import token
from sandbox.transcript import Answer, Entry, Fate, Transcript

Json = Any
"""Any JSON value."""

T = TypeVar("T")

LARGEST_ANSWER: Final = 10 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class SqlChannel:
    """The transport of one run of the SQL connector; see `connectors.sql.run.Channel`."""

    system: System
    spec: ConnectorSpec
    kind: ChannelKind
    permit: Permit | None = None
    transcript: Transcript = field(default_factory=Transcript)
    refusal: BaseException | None = None
    """Why the permit was refused, if it was."""
    until: float = math.inf
    """When no COMMIT may leave any more, by the monotonic clock."""

    async def read(self, name: str, arguments: Mapping[str, Json]) -> Rows:
        """Return what the read `name` answers."""
        binding = self._binding(name)
        noted = _Noted(self.transcript, name, is_safe=True)
        if binding.kind != "select":
            raise self._fenced(noted, f"{name} writes")
        async with self.system.session(binding, Mode.READ) as session:
            await self._refuse_hazards(session, binding, noted)
            limit = binding.limits.rows
            found = await self._in(noted, session.fetch(binding.statement, arguments, limit=limit + 1))
            size = _bounded(found)
            noted.end(Fate.ANSWERED, size=size)
        return Rows(rows=found[:limit], more=len(found) > limit)

    async def record(self, name: str, keys: Sequence[Mapping[str, Json]]) -> list[Row | None]:
        """Return the rows with these keys as they are now, in their order; None where there is none."""
        binding, written = self._write(name)
        noted = _Noted(self.transcript, f"{name}/record", is_safe=True)
        found = list[Row | None]()
        async with self.system.session(binding, Mode.READ) as session:
            for key in keys[: binding.limits.changed_rows]:
                rows = await self._in(noted, session.fetch(written.record, key, limit=1))
                found.append(rows[0] if rows else None)
        noted.end(Fate.ANSWERED)
        return found

    async def trial(self, name: str, arguments: Mapping[str, Json]) -> Trial:
        """Carry the write `name` out, return what came of it, and keep nothing."""
        binding, _ = self._write(name)
        noted = _Noted(self.transcript, f"{name}/trial", is_safe=True)
        if self.kind is not ChannelKind.PREVIEW:
            raise self._fenced(noted, f"{name} is tried")
        async with self.system.session(binding, Mode.TRIAL) as session:
            await self._refuse_hazards(session, binding, noted)
            before = await self._in(noted, _before(session, binding, arguments))
            _check_before(before, binding)
            trial = await self._in(noted, _written(session, binding, dict(arguments), before))
            if await session.has_ended():
                raise self._fenced(noted, "it ended the transaction it was tried in")
        noted.end(Fate.ANSWERED, size=len(trial.pairs))
        return trial

    async def write(self, name: str, arguments: Mapping[str, Json], *, guard: Mapping[str, str], key: str) -> Rows:
        """Carry the write `name` out once and return the rows as they are after it.

        Raises:
            Conflict: the guard no longer holds.
            Unknown: COMMIT was sent and not answered.
            Stopped: this channel may not write, or the permit was refused.
        """
        binding, written = self._write(name)
        noted = _Noted(self.transcript, name, is_safe=False)
        if self.kind is not ChannelKind.WRITE or self.permit is None:
            raise self._fenced(noted, f"{name} writes")
        given = {**arguments, **({written.reference: key} if written.reference else {})}
        try:
            async with self.system.session(binding, Mode.WRITE) as session:
                return await self._write_once(session, binding, _Order(given, guard, key), noted)
        except BaseException:
            noted.end(Fate.ANSWERED if noted.is_permitted else Fate.NOT_SENT, says_no=noted.is_permitted)
            raise

    async def _write_once(self, session: Session, binding: Binding, order: "_Order", noted: "_Noted") -> Rows:
        before = await _before(session, binding, order.arguments)
        done = await _done_before(session, binding, order)  # asked with the rows locked: nobody is half way through
        if done is None:
            _check_before(before, binding)
            problems = await session.hazards(binding)
            if problems:
                raise Refused(f"{'. '.join(problems)}. Nothing was changed.")
            _check_guard(before, binding, order.guard)
        await self._permitted(noted)
        if done is not None:
            noted.end(Fate.ANSWERED)
            return done
        await _leave_receipt(session, binding, order.key)
        trial = await _written(session, binding, order.arguments, before)
        rows = Rows(rows=[pair.after or pair.before or {} for pair in trial.pairs], more=False)
        await _complete_receipt(session, binding, order.key, rows)
        await self._commit(session, noted)
        return rows

    async def _commit(self, session: Session, noted: "_Noted") -> None:
        if time.monotonic() >= self.until:  # the process was stopped meanwhile, and others have gone on
            raise Unavailable("It was kept waiting for too long. Nothing was changed.")
        committing = asyncio.ensure_future(session.commit())
        try:
            await asyncio.shield(committing)
        except CommitUnclear as error:
            noted.end(Fate.UNKNOWN)
            raise Unknown(f"COMMIT was sent, and its answer was lost. {error}") from error
        except asyncio.CancelledError:
            noted.end(Fate.UNKNOWN)
            committing.cancel()
            await asyncio.gather(committing, return_exceptions=True)
            raise
        noted.end(Fate.ANSWERED)

    async def _permitted(self, noted: "_Noted") -> None:
        assert self.permit is not None  # noqa: S101  # `write` has asked
        asked = asyncio.ensure_future(self.permit())
        try:
            await asyncio.shield(asked)
        except asyncio.CancelledError:
            # "sent" is on record or it is not; leaving now would leave it open which
            await asyncio.wait({asked})
            if not asked.cancelled() and isinstance(asked.exception(), Exception):
                self.refusal = asked.exception()
            raise
        except Exception as error:
            self.refusal = error
            noted.end(Fate.FENCED)
            raise Stopped("The permit to send was refused.") from error
        noted.is_permitted = True

    async def _refuse_hazards(self, session: Session, binding: Binding, noted: "_Noted") -> None:
        problems = await session.hazards(binding)
        if problems:
            noted.end(Fate.ANSWERED, says_no=True)
            raise Refused(f"{'. '.join(problems)}. Nothing was changed.")

    async def _in(self, noted: "_Noted", work: Awaitable[T]) -> T:
        """Return what `work` comes to; what tried to write where nothing may is a violation."""
        try:
            return await work
        except WriteAttempt as error:
            raise self._fenced(noted, str(error)) from error
        except ConnectorError:
            noted.end(Fate.ANSWERED, says_no=True)
            raise
        except BaseException:
            noted.end(Fate.NO_ANSWER)
            raise

    def _fenced(self, noted: "_Noted", what: str) -> Stopped:
        noted.is_safe = False
        noted.end(Fate.FENCED)
        return Stopped(f"{what}, and this is a {self.kind.value} channel.")

    def _binding(self, name: str) -> Binding:
        """Return what the registered spec says of `name`; its SQL is read once more, whoever has put it there."""
        try:
            return read_again(Binding.model_validate(self.spec.operation(name).binding))
        except (KeyError, ValueError) as error:
            raise Stopped(f"{name} is no statement of {self.spec.name} that may be sent") from error

    def _write(self, name: str) -> tuple[Binding, Written]:
        binding = self._binding(name)
        if binding.written is None:
            raise Stopped(f"{name} is no write")
        return binding, binding.written


@dataclass(frozen=True, slots=True)
class _Order:
    arguments: Mapping[str, Json]
    guard: Mapping[str, str]
    key: str


@dataclass(slots=True)
class _Noted:
    """One statement under way; the first end it comes to is its line in the transcript."""

    transcript: Transcript
    name: str
    is_safe: bool = field(kw_only=True)
    is_permitted: bool = False
    started: float = field(default_factory=time.monotonic)
    has_ended: bool = False

    def end(self, fate: Fate, *, size: int = 0, says_no: bool = False) -> None:
        if self.has_ended:
            return
        self.has_ended = True
        answer = Answer(status=None, size=size, says_no=says_no) if fate is Fate.ANSWERED else None
        milliseconds = round((time.monotonic() - self.started) * 1000)
        self.transcript.entries.append(
            Entry(
                method="SQL",
                path="",
                operation=self.name,
                is_safe=self.is_safe,
                fate=fate,
                answer=answer,
                milliseconds=milliseconds,
            )
        )


async def _before(session: Session, binding: Binding, arguments: Mapping[str, Json]) -> list[Row]:
    """Return the rows that the write would change, locked."""
    assert binding.written is not None  # noqa: S101  # only writes come here
    if binding.written.before is None:
        return []
    return await session.fetch(binding.written.before, arguments, limit=binding.limits.changed_rows + 1)


def _check_before(found: Sequence[Row], binding: Binding) -> None:
    if binding.written is None or binding.written.before is None:
        return
    most = binding.limits.changed_rows
    if len(found) > most:
        raise Refused(f"It would change more than {most} rows, which is the limit. Nothing was changed.")
    if not found:
        raise NotFound(f"No row of {binding.written.table} is meant. Nothing was changed.")


async def _written(session: Session, binding: Binding, arguments: Mapping[str, Json], before: list[Row]) -> Trial:
    """Carry the write out in the session, and return rows before and after and how far it reached."""
    written = binding.written
    assert written is not None  # noqa: S101  # only writes come here
    already = await session.changed()
    keys = await session.fetch(binding.statement, arguments, limit=binding.limits.changed_rows + 1)
    await session.check_deferred()
    now = await session.changed()
    touched = {name: count - already.get(name, 0) for name, count in now.items() if count > already.get(name, 0)}
    _check_reach(binding, touched, len(keys))
    by_key = {_key(row, written.key): row for row in before}
    if before and {*by_key} != {_key(row, written.key) for row in keys}:
        raise Conflict("The rows that are meant have changed meanwhile. Nothing was changed.")
    pairs = list[Pair]()
    for row in keys:
        found = None if binding.kind == "delete" else await session.fetch(written.record, row, limit=1)
        then = by_key.get(_key(row, written.key))
        pairs.append(Pair(before=then, after=found[0] if found else None, token=_token(then, written)))
    _check_guard_moves(pairs, binding)
    others = {name: count for name, count in touched.items() if name and name != written.table}
    extra = touched.get("", len(keys)) - len(keys)
    return Trial(pairs=pairs, others=others or ({"other tables": extra} if extra > 0 else {}))


def _check_reach(binding: Binding, touched: Mapping[str, int], direct: int) -> None:
    written = binding.written
    assert written is not None  # noqa: S101  # only writes come here
    total, most = max(sum(touched.values()), direct), binding.limits.changed_rows
    if total > most:
        raise Refused(f"It would change {total} rows, and {most} is the limit. Nothing was changed.")
    allowed = {"", written.table, *written.also}
    if others := sorted({*touched} - allowed):
        raise Refused(f"Rows of {', '.join(others)} would change too; the manifest must list them under also.")
    if touched.get("", direct) > direct and not (written.also or written.triggers):
        raise Refused("Rows beside the ones that are meant would change too. Nothing was changed.")


def _check_guard_moves(pairs: Sequence[Pair], binding: Binding) -> None:
    """Refuse a write that leaves its own guard as it was: sent again after a lost answer, it would happen twice."""
    guard = binding.written.guard if binding.written else None
    for pair in pairs:
        if guard and pair.before and pair.after and pair.before[guard] == pair.after[guard]:
            raise Refused(f"The write does not move the guard {guard}, so it guards nothing. Nothing was changed.")


def _check_guard(before: Sequence[Row], binding: Binding, guard: Mapping[str, str]) -> None:
    written = binding.written
    if written is None or written.before is None:
        return
    found = {target(written, row): _token(row, written) for row in before}
    if found != dict(guard):
        raise Conflict("Somebody has changed the rows since the preview. Nothing was changed.")


async def _done_before(session: Session, binding: Binding, order: _Order) -> Rows | None:
    """Return what an earlier attempt with the same key came to, if it was committed."""
    written = binding.written
    assert written is not None  # noqa: S101  # only writes come here
    if written.receipts is not None:
        text = _receipt(binding, f'SELECT output FROM "{written.receipts}" WHERE key = ')  # noqa: S608  # identifiers are quoted, and the whole is read and checked as a statement
        found = await session.fetch(text, {"key": order.key}, limit=1)
        return Rows(rows=json.loads(found[0]["output"] or "[]"), more=False) if found else None
    if written.found is not None:
        rows = await session.fetch(written.found, order.arguments, limit=1)
        return Rows(rows=rows, more=False) if rows else None
    return None


async def _leave_receipt(session: Session, binding: Binding, key: str) -> None:
    """Leave the receipt first: of two attempts at once the second waits here, and is refused."""
    if binding.written is not None and binding.written.receipts is not None:
        text = _receipt(binding, f'INSERT INTO "{binding.written.receipts}" (key) VALUES (', end=")")  # noqa: S608  # identifiers are quoted, and the whole is read and checked as a statement
        await session.fetch(text, {"key": key}, limit=1)


async def _complete_receipt(session: Session, binding: Binding, key: str, rows: Rows) -> None:
    written = binding.written
    if written is None or written.receipts is None:
        return
    marks = ("$1", "$2") if binding.engine == "postgresql" else (":output", ":key")
    sql = f'UPDATE "{written.receipts}" SET output = {marks[0]} WHERE key = {marks[1]}'  # noqa: S608  # a checked identifier
    output = json.dumps([{name: row.get(name) for name in written.shown} for row in rows.rows])
    await session.fetch(Text(sql=sql, parameters=("output", "key")), {"output": output, "key": key}, limit=1)


def _receipt(binding: Binding, sql: str, end: str = "") -> Text:
    return Text(sql=f"{sql}{'$1' if binding.engine == 'postgresql' else ':key'}{end}", parameters=("key",))


def target(written: Written, row: Mapping[str, Json]) -> str:
    """Return what people call the row: its table and its key."""
    return Pair(before=dict(row), after=None, token="").target(written)


def _key(row: Mapping[str, Json], key: Sequence[str]) -> str:
    return json.dumps([row[name] for name in key])


def _token(row: Row | None, written: Written) -> str:
    return "" if row is None else token(row, written.guard)


def _bounded(rows: Sequence[Row]) -> int:
    size = len(json.dumps(rows))
    if size > LARGEST_ANSWER:
        raise Unavailable(f"The answer is larger than {LARGEST_ANSWER} bytes; ask for less.")
    return size
