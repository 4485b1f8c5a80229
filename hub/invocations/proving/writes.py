"""The lines about commits: stale guards, predictions, repeats, and undo."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from connectors.sdk.errors import ConnectorError, NotFound
from connectors.sdk.preview import Change, Preview
from connectors.sdk.vocabulary import UpstreamClass
from hub.core.errors import ArgumentsInvalid
from hub.dryrun.compare import drift, judge
from hub.dryrun.records import Records, Verdict
from hub.execution import Conflicted, Failed, Observed, Previewed, Succeeded, Unknown
from hub.invocations.proving.holdings import differences, kind_of, listed, undeclared
from hub.invocations.proving.interference import lose_the_answer
from hub.invocations.proving.laboratory import Order, befores
from hub.invocations.proving.trial import Broken, BrokenDown, NotApplicable, Trial, told
from hub.registry import Promise

Json = Any
"""Any JSON value."""

_NAME: Final = re.compile(r"[\w.-]+")
_LOSES_ANSWERS = frozenset({UpstreamClass.A, UpstreamClass.C})
"""Classes whose lost answers can be made good, so that the kit may lose one."""


async def guard(trial: Trial) -> str:
    """A write that rests on what has changed meanwhile is refused."""
    _require_guard(trial)
    if trial.case.edit is None:
        raise NotApplicable("Tried after the write itself, which moves the record too.")
    stale = trial.preview
    await trial.case.edit()
    trial.preview = await trial.take_preview()
    if not drift(stale, trial.preview):
        raise Broken("Somebody else's edit does not show in the preview: its guard must move with every edit.")
    if not any(condition.strength == "strong" for condition in stale.preconditions):
        return "By the hub, which previews again before it sends: the guards are weak."
    await _is_refused(trial, stale)
    return "After somebody else's edit the system refused it."


async def guard_after_the_write(trial: Trial) -> str:
    """As `guard`, where nobody can edit but the write itself."""
    _require_guard(trial)
    if trial.case.edit is not None:
        raise NotApplicable("Tried before the write.")
    if not any(condition.strength == "strong" for condition in trial.preview.preconditions):
        raise NotApplicable("Its guards are weak: give the case an `edit`, and it will be tried.")
    await _is_refused(trial, trial.preview, may_be_gone=True)
    return "After the write itself had moved the record; with an `edit` in the case it would be somebody else's."


async def prediction(trial: Trial) -> str:
    """The commit did what the preview said."""
    await _carry_out(trial)
    if not trial.spec.observable:
        raise NotApplicable("It cannot be read back: attach `.observe`, so that every commit is verified.")
    verdict, found = judge(trial.preview, await trial.observe(), volatile=trial.spec.volatile, with_values=True)
    if verdict is Verdict.DIVERGED:
        raise Broken(f"{'; '.join(found)}. Correct the preview, or say which fields it cannot know.")
    if verdict is Verdict.UNVERIFIABLE:
        raise Broken("`.observe` must tell of every target that the preview names, and the preview must name one.")
    return "What was read back is what the preview said."


async def once(trial: Trial) -> str:
    """Sending again does nothing again."""
    match trial.spec.upstream_class:
        case UpstreamClass.A:
            again = await trial.carry_out()
            if not isinstance(again, Succeeded) or again.output != trial.output:
                raise Broken(f"Sent again with its key it answers something else: {told(again)}")
        case UpstreamClass.B:
            await _is_refused(trial, trial.preview, may_be_gone=True)
        case UpstreamClass.C:
            pass  # it was looked up when its answer was lost
        case UpstreamClass.D:
            raise NotApplicable("The system offers nothing that a repeat could rest on, so the hub never repeats it.")
    return await _took_effect_once(trial)


async def undo(trial: Trial) -> str:
    """The compensation restores what was there, but for what is declared to stay."""
    compensation = trial.spec.compensation
    if compensation is None:
        raise NotApplicable("It declares no undo.")
    receipt = {
        "input": dict(trial.arguments),
        "output": trial.output,
        "before": [change.before for change in trial.preview.changes],
    }
    try:
        arguments = compensation.arguments_for(receipt)
    except ConnectorError as error:
        raise Broken(error.message) from error
    await _carry_out_undo(trial, compensation.tool, arguments)
    before, after = trial.contents_before, await trial.lab.harness.contents()
    if before is None or after is None:
        return await _restored_by_reading_back(trial)
    residue = _named(trial.spec.residue)
    declared = {*residue, *trial.spec.volatile}
    found = differences(before, after)
    if rest := undeclared(found, declared):
        raise Broken(f"After the undo this is not as before: {listed(rest)}. Restore it, or declare it as residue.")
    left = {field for _, field in found} | {kind_of(record) for record, _ in found}
    if unfounded := sorted(residue - left):
        raise Broken(f"It declares that {', '.join(unfounded)} stays behind, and that did not: declare what does.")
    return f"By everything the system holds: {len(after)} records."


def _named(residue: Iterable[str]) -> set[str]:
    """Return the fields and kinds of record that a declared residue names, each before a colon or alone.

    What it says in words alone, such as that a number is used up, is for people: no look into the system shows it.
    """
    return {name for one in residue if _NAME.fullmatch(name := one.partition(":")[0].strip())}


async def _carry_out(trial: Trial) -> None:
    trial.key = trial.lab.new_key()
    trial.contents_before, trial.effects_before = await trial.lab.harness.contents(), await trial.effects()
    may_lose = trial.spec.upstream_class in _LOSES_ANSWERS
    with trial.lab.interference.by(lose_the_answer if may_lose else None) as passed:
        outcome = await trial.carry_out()
    trial.sent = [*passed]
    if may_lose and isinstance(outcome, Unknown):
        outcome = await _found_again(trial)
    if not isinstance(outcome, Succeeded):
        raise BrokenDown(f"The write cannot be carried out: {told(outcome)}")
    if outcome.findings:
        raise BrokenDown(f"The write was carried out, and its answer is not as declared: {'; '.join(outcome.findings)}")
    trial.output = outcome.output


async def _found_again(trial: Trial) -> Succeeded:
    if trial.spec.upstream_class is UpstreamClass.A:
        again = await trial.carry_out()
        if isinstance(again, Succeeded):
            return again
        raise BrokenDown(f"After a lost answer, sent again with its key: {told(again)}", promise=Promise.ONCE)
    found = await trial.lab.look_up(trial.case.operation, trial.arguments, trial.key)
    if isinstance(found, Succeeded):
        return found
    raise BrokenDown(f"After a lost answer, looked up by our reference: {told(found)}", promise=Promise.ONCE)


async def _is_refused(trial: Trial, stale: Preview, *, may_be_gone: bool = False) -> None:
    before, counted = await trial.lab.harness.contents(), await trial.effects()
    outcome = await trial.carry_out(Order.of(stale, key=trial.lab.new_key()))
    is_gone = may_be_gone and isinstance(outcome, Failed) and outcome.code == NotFound.code
    if not isinstance(outcome, Conflicted) and not is_gone:
        raise Broken(f"With a stale guard: {told(outcome)} Send the guard as the condition of the write.")
    after = await trial.lab.harness.contents()
    if await trial.effects() != counted or (before is not None and after is not None and differences(before, after)):
        raise Broken("With a stale guard it said that it was refused, and it was carried out.")


async def _took_effect_once(trial: Trial) -> str:
    effects = await trial.effects()
    if effects is None or trial.effects_before is None:
        return "By its answers; with `effects` in the case it would be counted."
    if effects - trial.effects_before != 1:
        raise Broken(
            f"It took effect {effects - trial.effects_before} times: use `context.key` as the system wants it."
        )
    return "It took effect once, counted in the system."


def _require_guard(trial: Trial) -> None:
    if trial.preview.preconditions:
        return
    if trial.spec.upstream_class is UpstreamClass.B:
        raise Broken("It is declared class B, and its preview names no guard.")
    raise NotApplicable("Its preview names no guard: nothing that it rests on can move.")


async def _carry_out_undo(trial: Trial, tool: str, found: Mapping[str, Json]) -> None:
    try:
        arguments = trial.lab.canonical(tool, found)
    except ArgumentsInvalid as refusal:
        raise Broken(f"The hub refuses the arguments of the undo: {refusal.message}") from refusal
    previewed = await trial.lab.preview(tool, arguments)
    if not isinstance(previewed, Previewed):
        raise Broken(f"The undo cannot be previewed: {told(previewed)}")
    order = Order.of(previewed.preview, key=trial.lab.new_key())
    outcome = await trial.lab.commit(tool, arguments, order)
    if not isinstance(outcome, Succeeded):
        raise Broken(f"The undo cannot be carried out: {told(outcome)}")


async def _restored_by_reading_back(trial: Trial) -> str:
    if trial.spec.observable:
        await _what_was_made_is_gone(trial)
    aside = {*_named(trial.spec.residue), *trial.spec.volatile}
    restored = await trial.take_preview()
    if len(restored.changes) != len(trial.preview.changes):
        raise Broken(
            f"After the undo the same write would change {len(restored.changes)} records, and before it was"
            f" {len(trial.preview.changes)}: it is not as before."
        )
    for then, now in _side_by_side(trial.preview.changes, restored.changes):
        if _without(aside, then.before) != _without(aside, now.before):
            raise Broken(f"{then.target} is not what it was before: restore it, or declare what stays as residue.")
    return "By reading back; with `contents` in the harness it would be by everything the system holds."


def _side_by_side(then: Sequence[Change], now: Sequence[Change]) -> Iterator[tuple[Change, Change]]:
    """Yield each change with the one of the same record; those of records with another name now by their order."""
    by_target = {change.target: change for change in now}
    named = {change.target for change in then} & by_target.keys()
    renamed = iter([change for change in now if change.target not in named])
    for change in then:
        yield change, by_target[change.target] if change.target in named else next(renamed)


async def _what_was_made_is_gone(trial: Trial) -> None:
    ran = await trial.lab.observe(
        trial.case.operation, trial.arguments, before=befores(trial.preview), output=trial.output
    )
    records: Records = ran.records if isinstance(ran, Observed) else {}
    for change in trial.preview.changes:
        if change.before is None and records.get(change.target) is not None:
            raise Broken(f"{change.target} is still there.")


def _without(names: set[str], record: Mapping[str, Json] | None) -> dict[str, Json] | None:
    return None if record is None else {name: value for name, value in record.items() if name not in names}
