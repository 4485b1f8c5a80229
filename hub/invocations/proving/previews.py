"""The lines about previews: they write nothing, leave nothing, say the same twice, and nothing unapproved gets past."""

from collections.abc import Mapping
from typing import Any

from connectors.sdk.harness import Contents
from connectors.sdk.preview import Change, Preview
from connectors.sdk.vocabulary import Fidelity
from hub.core.errors import HubError
from hub.dryrun.compare import drift
from hub.dryrun.records import preview_digest
from hub.execution import Failed, Passed, Previewed, Violation
from hub.invocations.proving.holdings import differences, listed
from hub.invocations.proving.laboratory import Order
from hub.invocations.proving.trial import Broken, BrokenDown, NotApplicable, Trial, told
from hub.invocations.states import State
from hub.invocations.values import Invocation

Json = Any
"""Any JSON value."""


class _NotPermitted(Exception):
    """The hub did not permit it: nothing approved it, or something else was approved."""


async def fence(trial: Trial) -> str:
    """The preview sends nothing that writes."""
    checked = await trial.lab.check(trial.case.operation, trial.arguments, {})
    if not isinstance(checked, Passed):
        raise BrokenDown(f"Its own check refuses what the case would do: {told(checked)}")
    _require_preview(trial)
    match await trial.lab.preview(trial.case.operation, trial.arguments):
        case Violation(message=message):
            raise BrokenDown(f"{message} A preview may only read: leave that request to the commit.")
        case Failed() as failed:
            raise BrokenDown(f"The preview cannot be taken: {told(failed)}")
        case Previewed(preview=preview):
            trial.preview = preview
    return "The broker saw no request that writes."


async def fence_around_the_write(trial: Trial) -> str:
    """What the commit has just sent could not have been sent by a preview. It needs the requests of that commit."""
    passed = trial.sent
    if trial.lab.spec.speaks == "sql":
        raise NotApplicable("It speaks SQL: the broker rolls a preview back, whatever its statement is.")
    if all(one.is_safe for one in passed):
        names = ", ".join(f"{one.request.method} {one.request.operation or one.request.path}" for one in passed)
        raise Broken(f"The rules in `safe` let previews send what the write sends ({names}): make them narrower.")
    return "The broker saw no request that writes, and would have fenced what the commit sent."


async def untouched(trial: Trial) -> str:
    """The system holds the same after a preview."""
    _require_preview(trial)
    before, counted = await trial.lab.harness.contents(), await trial.effects()
    again = await trial.take_preview()
    after = await trial.lab.harness.contents()
    if await trial.effects() != counted:
        raise Broken("A preview took effect: what it sends is not safe. Take it out of `safe`, or undo it there.")
    if before is not None and after is not None:
        _nothing_differs(before, after, "A preview left something behind")
        return f"By everything the system holds: {len(after)} records."
    if [change.before for change in again.changes] != [change.before for change in trial.preview.changes]:
        raise Broken("A second preview found other records than the first: a preview changes something.")
    return "By reading back; with `contents` in the harness it would be by everything the system holds."


async def digest(trial: Trial) -> str:
    """The same input gives the same preview, volatile fields aside."""
    _require_preview(trial)
    again, volatile = await trial.take_preview(), trial.spec.volatile
    first, second = _steady(trial.preview, volatile), _steady(again, volatile)
    if preview_digest(first) != preview_digest(second):
        found = "; ".join(drift(first, second, with_values=True))
        raise Broken(f"Two previews differ: {found}. Name what the system sets as `unknown`, or declare it volatile.")
    return "Two previews had one digest."


async def approval(trial: Trial) -> str:
    """On the governed way of every hub, what nobody approved is not carried out, nor what was changed afterwards."""
    before, counted = await trial.lab.harness.contents(), await trial.effects()
    office = await trial.lab.office()
    try:
        asked = await office.propose(trial.case.operation, trial.arguments)
        _must_stand(asked, State.AWAITING_APPROVAL, "Proposed")
        unapproved = await office.commit(asked)
        _must_stand(unapproved, State.AWAITING_APPROVAL, "Sent on without an approval")
        approved = await office.approve(unapproved)
        _must_stand(approved, State.APPROVED, "Approved")
        await office.forge_preview(approved)
        _must_stand(await office.commit(approved), State.STALE, "Sent on with another preview than was approved")
    except HubError as refusal:
        raise BrokenDown(f"The hub cannot carry it through `invoke`: {refusal.message}") from refusal
    after = await trial.lab.harness.contents()
    if before is not None and after is not None:
        _nothing_differs(before, after, "Something was written although nobody approved it")
    if await trial.effects() != counted:
        raise Broken("It took effect although nobody approved it.")
    return "Through `invoke`, it was refused unapproved, and when the approved preview had changed."


async def permit(trial: Trial) -> str:
    """Without the hub's permit nothing leaves that writes."""
    before, counted = await trial.lab.harness.contents(), await trial.effects()

    async def refuse() -> None:
        raise _NotPermitted

    try:
        outcome = await trial.carry_out(Order.of(trial.preview, key=trial.lab.new_key(), permit=refuse))
    except _NotPermitted:
        after = await trial.lab.harness.contents()
        if before is not None and after is not None:
            _nothing_differs(before, after, "Something was written although nobody approved it")
        if await trial.effects() != counted:
            raise Broken("It took effect although nobody approved it.") from None
        return "Refused by `invoke`, unapproved or changed; the commit itself asked before it wrote anything."
    if isinstance(outcome, Failed):
        raise BrokenDown(f"The commit gives up before it sends anything: {told(outcome)}")
    raise BrokenDown(
        "It was carried out without asking for the permit: what it sends is declared safe. Make `safe` narrower."
    )


def _require_preview(trial: Trial) -> None:
    if trial.spec.fidelity is Fidelity.NONE:
        raise NotApplicable("It offers no preview. Attach one: without it every call needs a person's approval.")


def _must_stand(invocation: Invocation, wanted: State, then: str) -> None:
    if invocation.state is not wanted:
        why = f": {invocation.error_message}" if invocation.error_message else "."
        raise BrokenDown(f"{then} through `invoke`, it stands at {invocation.state}, not at {wanted}{why}")


def _nothing_differs(before: Contents, after: Contents, what: str) -> None:
    if found := differences(before, after):
        raise Broken(f"{what}: {listed(found)}.")


def _steady(preview: Preview, volatile: tuple[str, ...]) -> Preview:
    """Return the preview without what the system changes by itself."""

    def without(record: Mapping[str, Json] | None) -> dict[str, Json] | None:
        return None if record is None else {name: value for name, value in record.items() if name not in volatile}

    def steady(change: Change) -> Change:
        return change.model_copy(update={"before": without(change.before), "after": without(change.after)})

    return preview.model_copy(update={"changes": tuple(steady(change) for change in preview.changes)})
