"""Reads: executed at once, and on record before the answer leaves."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

import structlog

from hub.audit import EventKind
from hub.core.errors import HubError
from hub.execution import Asks, Failed, Ran, ReadOutcome, Succeeded, Target, Violation
from hub.invocations.braking import leave
from hub.invocations.calling_off import BY_CLIENT, unless_called_off
from hub.invocations.conclude import passage_facts
from hub.invocations.contact import note_contact
from hub.invocations.decisions import basis, on_record
from hub.invocations.journal import Step, event_of, move, record_event, snapshot
from hub.invocations.late_questions import keep_questions
from hub.invocations.provenance import addressed_by, keep_values, shown_by, source_of
from hub.invocations.quoting import addressing_facts, speaks_to_model
from hub.invocations.request import Request, new_row
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import NewRow
from hub.invocations.values import Invocation
from hub.invocations.veil import Veil
from hub.policy import Decision
from hub.registry import quarantine
from hub.storage import now

_LOG: Final = structlog.get_logger(__name__)
_BROKE: Final = "internal_error"


async def read(request: Request, decision: Decision, runtime: Runtime) -> Invocation:
    """Execute a read and return it, SUCCEEDED or FAILED; a slow one is returned RECEIVED and goes on by itself."""
    row = new_row(request, state=State.RECEIVED)
    reading = _Reading(request=request, decision=decision, runtime=runtime, row=row)
    return await runtime.tasks.within(runtime.answer_seconds, reading.run()) or await reading.receive()


async def read_to_its_end(request: Request, decision: Decision, runtime: Runtime) -> Invocation:
    """Execute a read and return it as it ended, however long it takes, at most as its tool declares."""
    row = new_row(request, state=State.RECEIVED)
    return await _Reading(request=request, decision=decision, runtime=runtime, row=row).run()


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One read under way; it is written once if it is quick, and twice if somebody must be told to come back."""

    request: Request
    decision: Decision
    runtime: Runtime
    row: NewRow
    standing: Invocation | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> Invocation:
        with self.runtime.records.coming():
            try:
                return await self._carried_out()
            except HubError:
                raise
            except Exception:  # noqa: BLE001  # its system may have been asked: whatever went wrong, it is on record
                _LOG.exception("read_broke", invocation=self.row.id, trace_id=self.request.call.trace_id)
                return await self._end(self._broken())

    async def _carried_out(self) -> Invocation:
        tool = self.request.tool
        target = Target(connector=tool.connector, operation=tool.version.spec, connection=tool.connection)
        seconds = tool.version.spec.timeout_seconds
        try:
            work = self.runtime.executor.read(
                target, self.request.arguments, deadline_seconds=seconds, client=self.request.call.client
            )
            ran = await unless_called_off(work, self.request.call.called_off)
        finally:
            await leave(self.row.id, self.runtime)
        if ran is None:
            return await self._end(self._called_off())
        await note_contact(ran, target.connection.id, self.runtime)
        veil = Veil(self.runtime.keys, self.row.id, self.request.bound.shown, self.request.arguments)
        ran = veil.ran(ran)
        if isinstance(ran.outcome, Violation):
            await self._quarantine(ran.outcome)
        asks = self._asked(ran.outcome) if isinstance(ran.outcome, Asks) else None
        return await self._end(self._step(ran, veil), asks)

    def _asked(self, asks: Asks) -> Asks:
        """Return what is asked, with who asks it."""
        tool = self.request.tool
        return replace(asks, connection=tool.connection.name, tool=None if tool.serves else tool.name)

    async def _end(self, step: Step, asks: Asks | None = None) -> Invocation:
        async with self.turn:
            if self.standing is None:
                ended = await self._record(step)
            else:
                async with self.runtime.database.transaction() as tx:
                    await keep_values(tx, self._seen(self.standing, step))
                    ended = await move(tx, self.runtime, self.standing, step)
                    ended = replace(ended, asks=asks)  # and nobody waits here any more who could be asked
                    await keep_questions(tx, ended, self.request.call, self.runtime.keys)
            self.standing = replace(ended, asks=asks)
        return self.standing

    async def receive(self) -> Invocation:
        async with self.turn:
            if self.standing is None:
                async with self.runtime.database.transaction() as tx:
                    at = await now(tx)
                    lease = timedelta(seconds=self.request.tool.version.spec.timeout_seconds + 30)
                    self.row.created_at = self.row.updated_at = at
                    self.row.lease_until = at + lease
                    tx.add(self.row.for_orm)
                    await tx.flush()
                    self.standing = snapshot(self.row)
                    step = Step(to=State.RECEIVED, event=EventKind.INVOCATION_RECEIVED, facts=self.request.way)
                    await record_event(tx, self.runtime, self.standing, step)
            return self.standing

    async def _record(self, step: Step) -> Invocation:
        before = snapshot(self.row)
        for name, value in step.changes.items():
            setattr(self.row, name, value)
        self.row.state = step.to.value
        await self.runtime.records.record(self.row, event_of(before, step), self._seen(before, step))
        return snapshot(self.row)

    def _step(self, ran: Ran[ReadOutcome], veil: Veil) -> Step:
        facts = passage_facts(ran.passage) | on_record(self.decision) | self.request.way
        private: dict[str, Any] = {"arguments": self.request.bound.shown, **basis(self.decision)}
        if (replied := self.request.call.client.replies.given) is not None:
            private["replied"] = veil.hide(dict(replied))
        ended = {"latency_ms": ran.passage.latency_ms, "lease_until": None}
        if isinstance(ran.outcome, Succeeded):
            return Step(
                to=State.SUCCEEDED,
                event=EventKind.INVOCATION_READ,
                facts=facts | addressing_facts(ran.outcome.output),
                private=private,
                changes={**veil.kept(self.request.tool, ran.outcome.output), **ended},
            )
        if isinstance(ran.outcome, Asks):
            private["asked"] = veil.hide(dict(ran.outcome.requests))
        code, rpc_code = _codes(ran.outcome)
        return Step(
            to=State.FAILED,
            event=EventKind.INVOCATION_READ,
            facts=facts | addressing_facts(ran.outcome.message) | {"code": code, "reason": ran.outcome.message},
            private=private,
            changes={"error_code": code, "error_message": ran.outcome.message, "rpc_code": rpc_code, **ended},
        )

    def _called_off(self) -> Step:
        """Return the move to CANCELLED: its client wants no answer any more, and its system was asked no further."""
        return Step(
            to=State.CANCELLED,
            event=EventKind.INVOCATION_CANCELLED,
            facts=on_record(self.decision),
            private={"arguments": self.request.bound.shown, **basis(self.decision)},
            changes={"error_code": "cancelled", "error_message": BY_CLIENT, "lease_until": None},
        )

    def _broken(self) -> Step:
        """Return the move to FAILED: what came back could not be handled, or was never seen."""
        told = f"Something went wrong inside the hub; its log says more under {self.request.call.trace_id}."
        return Step(
            to=State.FAILED,
            event=EventKind.INVOCATION_READ,
            facts=on_record(self.decision) | self.request.way | {"code": _BROKE, "reason": told},
            private={"arguments": self.request.bound.shown, **basis(self.decision)},
            changes={"error_code": _BROKE, "error_message": told, "lease_until": None},
        )

    def _seen(self, standing: Invocation, step: Step) -> list[dict[str, Any]]:
        source, keys = source_of(standing, self.request.tool), self.runtime.keys
        shown = shown_by(source, step.changes["output"], keys) if step.to is State.SUCCEEDED else []
        return [*shown, *addressed_by(source, keys)] if speaks_to_model(step) else shown

    async def _quarantine(self, violation: Violation) -> None:
        async with self.runtime.database.transaction() as tx:
            reason = f"It tried to write during a read: {violation.message}"
            await quarantine(tx, self.request.tool.tool.id, reason, self.runtime.authority)


def _codes(outcome: Failed | Asks | Violation) -> tuple[str, int | None]:
    """Return how a read without an answer stands on record, and the protocol's error that it was answered with."""
    return ("read_tried_to_write", None) if isinstance(outcome, Violation) else (outcome.code, outcome.rpc_code)
