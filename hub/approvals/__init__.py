"""Approval requests, votes and their rules."""

from hub.approvals.ballots import Ballot, admit, cast
from hub.approvals.counters import Counter, asked_already, counters_of, keep_counter
from hub.approvals.inbox import is_asked, waiting_for
from hub.approvals.questions import Question, Terms, by_digest, close_questions, latest, open_question, shortest
from hub.approvals.rules import Choice, Granted, Rejected, Standing, Vote, Waiting, in_words, standing
from hub.approvals.summary import decision_summary

__all__ = [
    "Ballot",
    "Choice",
    "Counter",
    "Granted",
    "Question",
    "Rejected",
    "Standing",
    "Terms",
    "Vote",
    "Waiting",
    "admit",
    "asked_already",
    "by_digest",
    "cast",
    "close_questions",
    "counters_of",
    "decision_summary",
    "in_words",
    "is_asked",
    "keep_counter",
    "latest",
    "open_question",
    "shortest",
    "standing",
    "waiting_for",
]
