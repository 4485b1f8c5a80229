"""Approval requests, votes and their rules."""

from hub.approvals.ballots import Ballot, cast
from hub.approvals.inbox import is_asked, waiting_for
from hub.approvals.questions import Question, Terms, by_digest, close_questions, latest, open_question, shortest
from hub.approvals.rules import Choice, Granted, Rejected, Standing, Vote, Waiting, in_words, standing
from hub.approvals.summary import decision_summary

__all__ = [
    "Ballot",
    "Choice",
    "Granted",
    "Question",
    "Rejected",
    "Standing",
    "Terms",
    "Vote",
    "Waiting",
    "by_digest",
    "cast",
    "close_questions",
    "decision_summary",
    "in_words",
    "is_asked",
    "latest",
    "open_question",
    "shortest",
    "standing",
    "waiting_for",
]
