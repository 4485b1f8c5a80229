"""The leave to send: asked by the broker before each unsafe request, given only while the fence holds."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Select, func, select

from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Tier
from hub.audit import EventKind, ensure_checkpoint
from hub.budgets import Holder, keep_place
from hub.core.errors import Conflict
from hub.invocations import protocol
from hub.invocations.braking import Stopped, refuse_stopped
from hub.invocations.decisions import all_on_record, basis_of_all
from hub.invocations.journal import Step, hold, move
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import AttemptRow, InvocationRow
from hub.invocations.taken_back import taken_back
from hub.invocations.values import Invocation
from hub.policy import Decision
from hub.storage import Tx, database_now, now

GRACE: Final = timedelta(seconds=30)
"""How much longer than the slowest request a lease on a sent commit lasts."""


class TooLate(Conflict):
    """The approval ended between the claim and the first byte; nothing may leave."""


@dataclass(slots=True)
class Permit:
    """The leave for one attempt; `standing` follows the invocation as it is marked as sent."""

    standing: Invocation
    runtime: Runtime
    seconds: int
    decided: tuple[Decision, ...] = ()
    """What policy said of sending it, when everything was checked again."""
    within: timedelta | None = None
    """How long after the first mark it may be marked again; None: however late."""

    async def ask(self) -> None:
        """Return once the next unsafe request may leave; the first time, "sent" is durable before that.

        Raises:
            Conflict: the lease is lost, or the approval is spent; nothing may leave.
            TooLate: its time is over, or what it needs, as its plan, was taken back since; nothing may leave.
            Unavailable: "sent" could not be written; nothing may leave.
        """
        if self.standing.state is State.SENT:
            await self._check_still_ours()
            return
        self.standing = await self._mark_sent()
        if self.standing.tier in {Tier.HIGH, Tier.CRITICAL} and self.standing.last_event_id is not None:
            await ensure_checkpoint(self.runtime.database, self.runtime.keys, self.standing.last_event_id)

    async def _mark_sent(self) -> Invocation:
        standing, is_first = self.standing, self.standing.sends == 0
        async with self.runtime.database.transaction() as tx:
            at = await now(tx)
            if is_first:
                await self._check_still_approved(tx)
            elif await is_too_late_again(tx, standing, self.within):
                raise Conflict("The system may not know the key any more; nothing was sent again.")
            await self._keep_place(tx, is_first=is_first)
            step = Step(
                to=State.SENT,
                event=EventKind.COMMIT_SENT,
                facts={
                    "approval_digest": standing.approval_digest,
                    "upstream_key": standing.upstream_key,
                    **all_on_record(self.decided),
                },
                private=basis_of_all(self.decided),
                changes={
                    "sends": standing.sends + 1,
                    "sent_at": at,
                    "lease_until": at + timedelta(seconds=self.seconds) + GRACE,
                },
            )
            sent = await move(tx, self.runtime, standing, step)
            tx.add(
                AttemptRow(
                    invocation_id=standing.id,
                    fence=standing.fence,
                    revision=standing.revision,
                    spends=standing.approval_digest if is_first else None,
                    sent_at=at,
                )
            )
            return sent

    async def _keep_place(self, tx: Tx, *, is_first: bool) -> None:
        """Keep the place among calls at the same time until the answer is there; what was sent is sent again anyway."""
        seconds = self.seconds + int(GRACE.total_seconds())
        kept = await keep_place(tx, Holder(id=self.standing.id, seconds=seconds))
        if is_first and not kept:
            raise TooLate("It was held up for so long that others took its place; nothing was sent.")

    async def _check_still_approved(self, tx: Tx) -> None:
        """Check what may have ended since everything was checked again, in the transaction that marks it as sent."""
        await hold(tx, self.standing.id)
        await _check_plan_goes_on(tx, self.standing)
        if not await tx.scalar(_in_time(self.standing.id)):
            raise TooLate("The approval has expired; nothing was sent.")
        why = await taken_back(tx, self.standing, public_url=self.runtime.public_url) or await self._other_policy(tx)
        if why:
            raise TooLate(f"{why} Nothing was sent.")
        try:
            await refuse_stopped(tx, self.standing)
        except Stopped as stopped:
            raise TooLate(f"{stopped.message} Nothing was sent.") from stopped

    async def _other_policy(self, tx: Tx) -> str:
        """Return that another policy decides by now than the one that was asked; empty while it is the same."""
        current = await self.runtime.bundles.fresh(tx, self.standing.environment)
        return "Another policy decides now." if any(one.bundle_digest != current.digest for one in self.decided) else ""

    async def _check_still_ours(self) -> None:
        async with self.runtime.database.reading() as tx:
            mine = await tx.scalar(
                select(InvocationRow.id).where(
                    InvocationRow.id == self.standing.id,
                    InvocationRow.state == State.SENT.value,
                    InvocationRow.fence == self.standing.fence,
                    InvocationRow.lease_until > database_now(),
                )
            )
        if mine is None:
            raise Conflict("The lease on this commit is lost; nothing more may be sent.")


def resent_within(operation: OperationSpec) -> timedelta | None:
    """Return how long after the first mark a write by `operation` may be marked again; None: however late."""
    declared = operation.idempotency
    is_natural = declared is not None and declared.kind == "natural"
    return protocol.resent_within(operation.upstream_class, is_natural=is_natural)


async def is_too_late_again(tx: Tx, sent: Invocation, within: timedelta | None) -> bool:
    """Return whether `sent` was marked for the first time longer ago than `within`."""
    if within is None:
        return False
    mine = (AttemptRow.invocation_id == sent.id, AttemptRow.revision == sent.revision)
    first = await tx.scalar(select(func.min(AttemptRow.sent_at)).where(*mine))
    return first is not None and await now(tx) - first >= within


def _in_time(invocation_id: str) -> Select[bool]:
    return select(InvocationRow.deadline > database_now()).where(InvocationRow.id == invocation_id)


async def _check_plan_goes_on(tx: Tx, step: Invocation) -> None:
    """Let a step be sent only while its plan goes forwards; nobody stops the plan before `tx` has marked it as sent.

    The plan is locked after its step, as whatever ends a step does.
    """
    if step.part is None or step.undoes is not None:
        return
    goes_on = select(InvocationRow.id).where(
        InvocationRow.id == step.part.plan_id,
        InvocationRow.state == State.SENT.value,
        InvocationRow.stop_reason.is_(None),
    )
    if await tx.scalar(goes_on.with_for_update(read=True)) is None:
        raise TooLate("Its plan goes no further; nothing was sent.")
