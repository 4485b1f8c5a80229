"""What may be said of a run, as a table: the connector's word against the broker's record."""

from dataclasses import dataclass, replace

import pytest
from execution_house import CONNECTION, ITEMS

from connectors.sdk.errors import Conflict, NotFound, Refused, Unavailable
from connectors.sdk.preview import Preview
from connectors.sdk.run import Done, Found, NotFoundYet, PhaseResult
from connectors.sdk.run import Failed as PhaseFailed
from connectors.sdk.run import Observed as PhaseObserved
from connectors.sdk.run import Previewed as PhasePreviewed
from connectors.sdk.vocabulary import Fidelity
from hub.execution import (
    Conflicted,
    Failed,
    Observed,
    Previewed,
    Succeeded,
    Target,
    Unknown,
    Violation,
    conclude,
)
from hub.execution.conclude import Evidence
from hub.execution.outputs import OutputSchemas
from sandbox.transcript import Answer, Entry, Fate, Transcript

ITEM = {"id": 5, "name": "ruler", "quantity": 3, "version": 1}


@dataclass(frozen=True)
class Wrote:
    """An unsafe request, by what became of it."""

    fate: Fate
    status: int | None = None
    says_no: bool = False

    @property
    def entry(self) -> Entry:
        """Return its line in the transcript."""
        answer = None if self.status is None else Answer(status=self.status, size=1, says_no=self.says_no)
        return Entry(
            method="PUT", path="/items/5", operation=None, is_safe=False, fate=self.fate, answer=answer, milliseconds=1
        )


ACCEPTED = Wrote(Fate.ANSWERED, 201)
REFUSED = Wrote(Fate.ANSWERED, 409, says_no=True)
REFUSED_BY_RPC = Wrote(Fate.ANSWERED, 200, says_no=True)
LOST = Wrote(Fate.UNKNOWN)
NOT_SENT = Wrote(Fate.NOT_SENT)
FENCED = Wrote(Fate.FENCED)
READ = Entry(
    method="GET",
    path="/items/5",
    operation=None,
    is_safe=True,
    fate=Fate.ANSWERED,
    answer=Answer(status=404, size=1, says_no=True),
    milliseconds=1,
)

DONE = Done(output=ITEM)


def says(code: str) -> PhaseFailed:
    return PhaseFailed(code=code, message="what the connector says")


def evidence(result: PhaseResult, *entries: Wrote | Entry, declared: Fidelity = Fidelity.EXECUTED) -> Evidence:
    operation = ITEMS.operation("item_put").model_copy(update={"fidelity": declared})
    target = Target(connector=ITEMS, operation=operation, connection=CONNECTION)
    written = [entry if isinstance(entry, Entry) else entry.entry for entry in entries]
    return Evidence(target=target, result=result, transcript=Transcript(written), schemas=OutputSchemas())


@pytest.mark.parametrize(
    ("result", "entries", "outcome"),
    [
        # nothing left: whatever went wrong, nothing was done
        (says(Refused.code), [], Failed),
        (says("connector_failed"), [], Failed),
        (says("out_of_time"), [READ], Failed),
        (says(Unavailable.code), [NOT_SENT], Failed),
        (says("connector_failed"), [FENCED], Failed),
        (says(Conflict.code), [READ], Conflicted),
        # the one request was refused by its own answer, and the connector agrees
        (says(Refused.code), [REFUSED], Failed),
        (says(NotFound.code), [REFUSED], Failed),
        (says(Unavailable.code), [REFUSED], Failed),
        (says(Conflict.code), [REFUSED], Conflicted),
        (says(Refused.code), [REFUSED_BY_RPC], Failed),
        (says(Conflict.code), [REFUSED_BY_RPC, READ], Conflicted),
        # it was refused, but the connector died or stumbled: nobody says what it would have made of it
        (says("connector_failed"), [REFUSED], Unknown),
        (says("connector_broken"), [REFUSED], Unknown),
        (says("out_of_time"), [REFUSED], Unknown),
        # it was accepted: no word of the connector makes it undone
        (says(Refused.code), [ACCEPTED], Unknown),
        (says(Conflict.code), [ACCEPTED], Unknown),
        (says(NotFound.code), [ACCEPTED, READ], Unknown),
        (says(Unavailable.code), [ACCEPTED, NOT_SENT], Unknown),
        (says("connector_failed"), [ACCEPTED], Unknown),
        (says("out_of_time"), [ACCEPTED], Unknown),
        (says("fenced"), [ACCEPTED, FENCED], Unknown),
        # a refusal after another request of the same commit
        (says(Refused.code), [ACCEPTED, REFUSED], Unknown),
        (says(Refused.code), [REFUSED, REFUSED], Unknown),
        # an answer was lost: no word of the connector makes it clear
        (says(Refused.code), [LOST], Unknown),
        (says(Refused.code), [LOST, REFUSED], Unknown),
        (DONE, [LOST], Unknown),
        (DONE, [LOST, ACCEPTED], Unknown),
        # done
        (DONE, [ACCEPTED], Succeeded),
        (DONE, [NOT_SENT, ACCEPTED], Succeeded),
        (DONE, [], Succeeded),
        # more was tried than declared: what was done is not what was approved
        (DONE, [ACCEPTED, FENCED], Unknown),
        (DONE, [FENCED], Failed),
        # an answer that fits no question
        (NotFoundYet(), [ACCEPTED], Unknown),
        (NotFoundYet(), [], Failed),
    ],
)
def test_a_commit_comes_to(result: PhaseResult, entries: list[Wrote | Entry], outcome: type) -> None:
    assert type(conclude.commit(evidence(result, *entries))) is outcome


def test_a_committed_write_with_an_odd_answer_is_a_success_with_findings() -> None:
    outcome = conclude.commit(evidence(Done(output={"id": 5}, findings=("noted",)), ACCEPTED))

    assert isinstance(outcome, Succeeded)
    assert outcome.findings[0] == "noted"
    assert any("name" in finding for finding in outcome.findings[1:])


def test_a_committed_write_whose_answer_cannot_be_kept_is_a_success_that_can() -> None:
    strange = {**ITEM, "name": "a\x00b\ud800", "quantity": 2**60, "version": float("inf")}

    outcome = conclude.commit(evidence(Done(output=strange), ACCEPTED))

    assert isinstance(outcome, Succeeded)
    assert outcome.output == {"id": 5, "name": "a\ufffdb\ufffd", "quantity": str(2**60), "version": None}
    assert len(outcome.findings) >= 3


def test_a_committed_write_is_a_success_whatever_checking_its_answer_runs_into() -> None:
    committed = evidence(Done(output=ITEM), ACCEPTED)
    unread = committed.target.operation.model_copy(update={"output_schema": {"pattern": "(?=x)", "$ref": 5}})
    target = replace(committed.target, operation=unread)

    assert isinstance(done := conclude.commit(replace(committed, target=target)), Succeeded)
    assert "cannot be checked against its schema" in done.findings[0]
    assert isinstance(conclude.read(replace(committed, target=target)), Failed)


@pytest.mark.parametrize(
    "output", [{"id": 5}, None, [], {**ITEM, "name": "a\x00b"}, {**ITEM, "quantity": "three"}], ids=repr
)
def test_a_read_with_an_odd_answer_failed(output: object) -> None:
    outcome = conclude.read(evidence(Done(output=output)))

    assert isinstance(outcome, Failed)
    assert outcome.code == "output_invalid"


def test_a_read_or_preview_that_tried_to_write_is_a_violation_whatever_it_answers() -> None:
    preview = PhasePreviewed(preview=Preview(changes=()))

    read = conclude.read(evidence(DONE, FENCED))
    previewed = conclude.preview(evidence(preview, FENCED))

    assert read == previewed == Violation(message="It tried to send PUT /items/5.")


def test_a_preview_that_cannot_be_put_on_record_failed() -> None:
    preview = Preview.create("items/5", {"name": "a\x00b"})

    outcome = conclude.preview(evidence(PhasePreviewed(preview=preview)))

    assert isinstance(outcome, Failed)
    assert outcome.code == "preview_invalid"
    assert isinstance(conclude.preview(evidence(PhasePreviewed(preview=Preview.create("a", ITEM)))), Previewed)


@pytest.mark.parametrize("declared", [fidelity for fidelity in Fidelity if fidelity is not Fidelity.TWIN])
def test_a_preview_is_as_sure_as_its_tool_declares_at_most(declared: Fidelity) -> None:
    outcomes = [
        conclude.preview(evidence(PhasePreviewed(preview=Preview(changes=(), fidelity=claimed)), declared=declared))
        for claimed in (Fidelity.NONE, Fidelity.SIMULATED, Fidelity.EXECUTED)
    ]

    ranks = [outcome.preview.fidelity.rank for outcome in outcomes if isinstance(outcome, Previewed)]
    assert ranks == [0, min(Fidelity.SIMULATED.rank, declared.rank), declared.rank]


def test_a_preview_that_would_be_from_a_twin_but_says_not_from_when_failed() -> None:
    claimed = PhasePreviewed(preview=Preview(changes=(), fidelity=Fidelity.EXECUTED))

    outcome = conclude.preview(evidence(claimed, declared=Fidelity.TWIN))

    assert isinstance(outcome, Failed)
    assert outcome.code == "preview_invalid"


@pytest.mark.parametrize(
    ("result", "entries", "outcome"),
    [
        (Found(output=ITEM), [], Succeeded),
        (NotFoundYet(), [], Failed),
        (says(Unavailable.code), [], Unknown),
        (says(NotFound.code), [], Unknown),
        (says("not_applied"), [], Unknown),
        (Found(output=ITEM), [FENCED], Unknown),
        (NotFoundYet(), [FENCED], Unknown),
        (DONE, [], Unknown),
    ],
)
def test_a_lookup_comes_to(result: PhaseResult, entries: list[Wrote], outcome: type) -> None:
    assert type(conclude.look_up(evidence(result, *entries))) is outcome


def test_a_lookup_that_finds_nothing_says_not_applied() -> None:
    outcome = conclude.look_up(evidence(NotFoundYet()))

    assert isinstance(outcome, Failed)
    assert outcome.code == "not_applied"


def test_an_observation_is_kept_as_it_can_be() -> None:
    outcome = conclude.observe(evidence(PhaseObserved(records={"a": {"x": 2**60}, "b": None})))

    assert outcome == Observed(records={"a": {"x": str(2**60)}, "b": None})
    assert isinstance(conclude.observe(evidence(PhaseObserved(records={}), FENCED)), Failed)


def test_what_foreign_code_calls_its_failure_is_not_taken_for_ours() -> None:
    outcome = conclude.read(evidence(PhaseFailed(code="not_applied", message="x" * 100_000 + "\x00")))

    assert isinstance(outcome, Failed)
    assert outcome.code == "connector_failed"
    assert len(outcome.message) <= 1000


def test_a_message_holds_no_control_characters() -> None:
    outcome = conclude.read(evidence(PhaseFailed(code=Refused.code, message="a\x1b[2Jb\x00c\ud800d\u202ee")))

    assert isinstance(outcome, Failed)
    assert outcome.message == "a [2Jb\ufffdc\ufffdd e"
