"""What a run of the conformance suite counts as."""

import pytest

from conformance.suite_runs import Run, Verdict, told

FINE = Run(checks={("tools-list", "lists"): Verdict(status="SUCCESS")}, tally={"SUCCESS": 1})
FAILED = Run(checks={("tools-list", "lists"): Verdict(status="FAILURE")}, tally={"FAILURE": 1})


def test_a_run_reaches_what_was_asked_with_both_of_its_numbers() -> None:
    run = Run(checks={}, tally={"SUCCESS": 84, "FAILURE": 2})

    assert run.reaches(84, 86)
    assert not run.reaches(85, 86)
    assert not run.reaches(84, 87)


@pytest.mark.parametrize(("exit_code", "found"), [(1, FINE), (2, FAILED), (0, FAILED), (0, Run(checks={}, tally={}))])
def test_a_run_that_ended_otherwise_than_its_checks_say_is_none(exit_code: int, found: Run) -> None:
    with pytest.raises(AssertionError, match="the last words"):
        told(exit_code, found, "the last words")


def test_what_the_suite_left_out_is_told_as_that() -> None:
    run = Run(checks={("news", "told"): Verdict(status="SKIPPED"), **FINE.checks}, tally={"SKIPPED": 1, "SUCCESS": 1})

    assert (run.scenarios, run.skipped) == ({"news", "tools-list"}, {"news"})
    assert (told(0, FINE, ""), told(1, FAILED, "")) == (FINE, FAILED)
