"""Approval requests, votes and their rules."""

from hub.approvals.ballots import Ballot, Way, admit, cast
from hub.approvals.batches import Kind, Limit, shape_of, together
from hub.approvals.chasing import Chase, mark_chased, to_be_chased
from hub.approvals.counters import Counter, asked_already, counters_of, keep_counter
from hub.approvals.deputies import Absence, Deputyship, deputyships, end_deputyship, name_deputy, stands_in_for
from hub.approvals.electorate import electorate
from hub.approvals.inbox import all_waiting, decided_by, waiting_for
from hub.approvals.lacking import Lack, lacking
from hub.approvals.mandates import Mandate, acting, is_asked, is_deciding, mandate_of, may_look
from hub.approvals.questions import (
    Asked,
    Question,
    Terms,
    by_digest,
    carry_votes,
    close_questions,
    latest,
    open_question,
    shortest,
    was_asked,
)
from hub.approvals.rules import Choice, Granted, Rejected, Standing, Vote, Waiting, in_words, standing
from hub.approvals.summary import decision_summary

__all__ = [
    "Absence",
    "Asked",
    "Ballot",
    "Chase",
    "Choice",
    "Counter",
    "Deputyship",
    "Granted",
    "Kind",
    "Lack",
    "Limit",
    "Mandate",
    "Question",
    "Rejected",
    "Standing",
    "Terms",
    "Vote",
    "Waiting",
    "Way",
    "acting",
    "admit",
    "all_waiting",
    "asked_already",
    "by_digest",
    "carry_votes",
    "cast",
    "close_questions",
    "counters_of",
    "decided_by",
    "decision_summary",
    "deputyships",
    "electorate",
    "end_deputyship",
    "in_words",
    "is_asked",
    "is_deciding",
    "keep_counter",
    "lacking",
    "latest",
    "mandate_of",
    "mark_chased",
    "may_look",
    "name_deputy",
    "open_question",
    "shape_of",
    "shortest",
    "standing",
    "stands_in_for",
    "to_be_chased",
    "together",
    "waiting_for",
    "was_asked",
]
